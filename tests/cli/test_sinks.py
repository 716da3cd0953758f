"""`edgecls camera` with sinks: what is written, what is counted, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from edgecls.cli.sinks import parse_size
from edgecls.errors import InvalidValueError
from tests.cli.conftest import Cli

SOURCE = "fake:colors?fps=0&frames=40"


def summary_of(stdout: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    assert found["event"] == "summary"
    return found


def test_events_go_to_several_places_at_once(cli: Cli, model: Path, tmp_path: Path) -> None:
    jsonl, table = tmp_path / "events.jsonl", tmp_path / "events.csv"
    more = ("--jsonl", jsonl, "--csv", table, "--json")
    result = cli("camera", "--model", model, "--source", SOURCE, *more)
    assert result.exit_code == 0, result.stderr
    assert jsonl.read_text() == result.stdout
    lines = [json.loads(line) for line in jsonl.read_text().splitlines()]
    predictions = [line for line in lines if line["event"] == "prediction"]
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(line["frame"]) for line in predictions]
    assert [row["steady"] for row in rows] == [line["steady"] for line in predictions]


def test_pictures_are_recorded_and_counted(cli: Cli, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    more = ("--record", folder, "--record-when", "every", "--record-every", "1", "--json")
    result = cli("camera", "--model", model, "--source", SOURCE, *more, "--record-free", "0")
    assert result.exit_code == 0, result.stderr
    # Frames of one colour differ in nothing but their brightness as a whole.
    assert summary_of(result.stdout)["sinks"] == {f"record {folder}": {"recorded": 1, "alike": 39}}
    assert len((folder / "records.jsonl").read_text().splitlines()) == 1


def test_the_console_counts_them_too(cli: Cli, model: Path, tmp_path: Path) -> None:
    more = ("--record", tmp_path / "records", "--record-when", "all", "--record-free", "0")
    result = cli("camera", "--model", model, "--source", SOURCE, *more)
    assert f"record {tmp_path}/records: 40 recorded" in result.stdout


def test_a_program_is_run_when_the_label_changes(cli: Cli, model: Path, tmp_path: Path) -> None:
    program, out = tmp_path / "program", tmp_path / "out"
    program.write_text(f'#!/bin/sh\necho "$1 $EDGECLS_PREVIOUS" >> {out}\n')
    program.chmod(0o755)
    more = ("--on-change", f"{program} {{label}}", "--max-frames", "10")
    result = cli("camera", "--model", model, "--source", SOURCE, *more)
    assert result.exit_code == 0, result.stderr
    assert out.read_text().startswith("level 0 unknown\n")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--csv", "{tmp}/none/events.csv"], "cannot write events to"),
        (["--jsonl-max-mb", "-1", "--jsonl", "{tmp}/e"], "must be 0 or more"),
        (["--record", "{tmp}/none/records"], "cannot record into"),
        (["--record", "{tmp}/r", "--record-when", "never"], "recording when 'never' is unknown"),
        (["--record", "{tmp}/r", "--record-quota", "much"], "'much' is not a size"),
        (["--on-change", "no-such-program"], "there is no program 'no-such-program'"),
        (["--mqtt", "http://pi"], "is not mqtt:// or mqtts://"),
        (["--mqtt", "mqtt://pi", "--mqtt-ca", "/ca.pem"], "certificates are given for a broker"),
        (["--mqtt", "mqtts://pi", "--mqtt-ca", "/none.pem"], "'/none.pem' cannot be read"),
        (["--mqtt", "mqtt://me@pi", "--mqtt-password-file", "/none"], "there is no file '/none'"),
        (["--mqtt", "mqtt://pi", "--mqtt-discovery", "a/#"], "cannot be published to"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused_before_the_loop(
    cli: Cli, model: Path, tmp_path: Path, options: list[str], problem: str
) -> None:
    filled = [option.replace("{tmp}", str(tmp_path)) for option in options]
    result = cli("camera", "--model", model, "--source", SOURCE, *filled)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert result.stdout == ""


def test_a_password_in_the_address_is_not_repeated(cli: Cli, model: Path) -> None:
    result = cli("camera", "--model", model, "--source", SOURCE, "--mqtt", "mqtt://me:hunter2@pi")
    assert result.exit_code == 1
    assert "EDGECLS_MQTT_PASSWORD" in result.stderr
    assert "hunter2" not in result.stderr


def test_a_sink_that_cannot_be_opened_lets_go_of_the_others(
    cli: Cli, model: Path, tmp_path: Path
) -> None:
    options = ("--record", tmp_path / "records", "--mqtt", "http://pi")
    assert cli("camera", "--model", model, "--source", SOURCE, *options).exit_code == 1
    again = cli("camera", "--model", model, "--source", SOURCE, *options[:2])
    assert again.exit_code == 0, again.stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000", 1000),
        ("2GB", 2_000_000_000),
        ("500 mb", 500_000_000),
        ("1.5g", 1_500_000_000),
        ("64KiB", 64_000),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "nan", "2 XB", "1e9"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a size"):
        parse_size(text)
