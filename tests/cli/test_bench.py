"""`edgecls bench`: its table, its JSON, and what it refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def test_one_object_a_configuration(cli: Cli, model: Path) -> None:
    counts = [1, 2] if CORES > 1 else [1]
    result = cli(
        *("bench", "--model", model, "--seconds", 0.2, "--json"),
        *("--threads", ",".join(map(str, counts))),
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [line["threads"] for line in found] == counts
    for line in found:
        assert {"model", "runtime", "threads", "latency_ms", "fps", "rss_mb", "load_ms"} < set(line)
        assert set(line["latency_ms"]) == {"p50", "p95", "p99"}
        assert line["machine"]["cores"] == CORES
        assert isinstance(line["warnings"], list)


def test_a_table_for_people(cli: Cli, model: Path) -> None:
    result = cli("bench", "--model", model, "--seconds", 0.2)
    machine, heading, row, note = result.stdout.splitlines()
    assert machine.startswith("machine   ")
    assert heading.split() == [
        *("engine", "threads", "load", "first", "p50", "p95", "p99", "fps", "memory"),
    ]
    assert row.split()[0] == "litert"
    assert note.startswith("load, first and latency in ms")


def test_a_number_of_threads_is_recommended(cli: Cli, model: Path) -> None:
    result = cli("bench", "--model", model, "--seconds", 0.1, "--find-threads", "--json")
    (found,) = (json.loads(line) for line in result.stdout.splitlines())
    assert found["recommended_threads"] in range(1, CORES + 1)
    assert "1" in found["p50_ms"]
    assert found["reason"]


def test_more_threads_than_cores_are_left_out(cli: Cli, model: Path) -> None:
    result = cli("bench", "--model", model, "--seconds", 0.1, "--threads", "1,1000", "--json")
    assert len(result.stdout.splitlines()) == 1
    assert f"left out: 1000 threads, this machine has {CORES} cores" in result.stderr


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--threads", "many"), "--threads is 'many', wanted whole numbers from 1 on"),
        (("--runtime", "abacus"), "there is no runtime 'abacus'"),
        (("--seconds", "0"), "seconds is 0.0, wanted more than 0"),
        (("--data", "/nowhere"), "none of the pictures in '/nowhere' can be read"),
    ],
    ids=" ".join,
)
def test_bad_input(cli: Cli, model: Path, more: tuple[str, ...], problem: str) -> None:
    result = cli("bench", "--model", model, *more)
    assert result.exit_code == 1
    assert f"error: {problem}" in result.stderr


def test_what_is_no_model_is_told_as_by_every_command(cli: Cli, tmp_path: Path) -> None:
    result = cli("bench", "--model", tmp_path / "absent.tflite")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: there is no file ")
