"""`edgecls classify`: tables, names on standard input, progress, and how it stops."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecls.imaging.opencv import cv2
from tests.support.disks import full_disk
from tests.support.patience import patience
from tests.support.tiny_model import frame_of

__all__ = ["full_disk"]

Cli = Callable[..., Any]
EDGECLS = (sys.executable, "-m", "edgecls", "classify")


def test_a_table_of_all_files(cli: Cli, model: Path, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.jpg").write_bytes(b"no picture")
    table = tmp_path / "labels.csv"
    result = cli("classify", "--model", model, "--csv", table, "--top-k", 2, pictures)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == "1 of 3 files could not be classified"
    header, broken, dark, bright = csv.reader(table.read_text().splitlines())
    assert header == ["file", "error", "label_1", "score_1", "label_2", "score_2"]
    assert broken[0] == str(pictures / "broken.jpg")
    assert "broken.jpg" in broken[1]
    assert broken[2:] == ["", "", "", ""]
    assert (dark[0], dark[1], dark[2]) == (str(pictures / "level 2.png"), "", "level 2")
    assert float(dark[3]) > 0.9
    assert bright[2] == "level 7"


def test_a_table_and_json_lines_together(cli: Cli, model: Path, pictures: Path) -> None:
    table = pictures.parent / "labels.csv"
    result = cli("classify", "--model", model, "--csv", table, "--json", pictures)
    assert len(result.stdout.splitlines()) == 2
    assert len(table.read_text().splitlines()) == 3


@pytest.mark.fault(33)
@pytest.mark.fault(34)
def test_an_odd_name_leaves_the_table_readable(
    cli: Cli, model: Path, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "level 2.png").rename(pictures / 'a,"b"\n.png')
    cv2.imwrite(str(pictures / "c.png"), frame_of(3))
    os.rename(pictures / "c.png", os.fsencode(pictures) + b"/caf\xe9.png")
    cli("classify", "--model", model, "--csv", tmp_path / "t.csv", pictures)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        names = [row[0] for row in csv.reader(file)][1:]
    assert [Path(name).name for name in names] == ['a,"b"\n.png', "caf\\udce9.png", "level 7.png"]


@pytest.mark.parametrize("place", ["/nowhere/t.csv", "/dev/full"])
def test_a_table_that_cannot_be_written(cli: Cli, model: Path, pictures: Path, place: str) -> None:
    result = cli("classify", "--model", model, "--csv", place, pictures)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: cannot write '{place}': No ")


@pytest.mark.fault(151)
def test_a_full_disk_leaves_no_empty_table(
    cli: Cli, model: Path, pictures: Path, full_disk: Path
) -> None:
    before = sorted(full_disk.iterdir())
    result = cli("classify", "--model", model, "--csv", full_disk / "t.csv", pictures)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert sorted(full_disk.iterdir()) == before


@pytest.mark.parametrize(
    ("flags", "separator"), [((), "\n"), (("-0",), "\0")], ids=["one a line", "NUL"]
)
def test_names_on_standard_input(
    model: Path, pictures: Path, flags: tuple[str, ...], separator: str
) -> None:
    names = separator.join(str(pictures / f"level {level}.png") for level in (7, 2))
    result = subprocess.run(
        [*EDGECLS, "--model", model, "--json", *flags, "-"],
        input=names,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["predictions"][0]["label"] for line in found] == ["level 7", "level 2"]


def test_a_result_does_not_wait_for_the_next_name(model: Path, pictures: Path) -> None:
    command = [*EDGECLS, "--model", str(model), "--json", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(bytes(pictures / "level 7.png") + b"\n")
        process.stdin.flush()
        assert b"level 7" in process.stdout.readline()  # and not only once all names are there
        process.stdin.close()
        assert process.wait(patience(10)) == 0


def many(folder: Path, picture: Path, count: int = 20_000) -> Path:
    folder.mkdir()
    for number in range(count):
        os.symlink(picture, folder / f"{number:06}.png")
    return folder


def test_ctrl_c_says_how_far_it_came(model: Path, pictures: Path, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", pictures / "level 2.png")
    command = [*EDGECLS, "--model", str(model), "--csv", str(tmp_path / "t.csv"), str(folder)]
    with subprocess.Popen([*command, "--json"], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        lines = 1 + len(process.stdout.read().splitlines())
        assert process.wait(patience(10)) == 130
        assert process.stderr is not None
        stopped, interrupted = process.stderr.read().splitlines()
    done = int(stopped.removeprefix("stopped after ").removesuffix(" files"))
    assert interrupted == "interrupted"
    assert 0 < done < 20_000
    assert lines in (done, done - 1)  # the signal may come between a line and its count
    rows = (tmp_path / "t.csv").read_text().splitlines()
    assert abs(len(rows) - 1 - lines) <= 1


@pytest.mark.fault(75)
def test_a_reader_that_has_had_enough_ends_it(model: Path, pictures: Path, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", pictures / "level 2.png")
    shell = f"set -o pipefail; {' '.join(EDGECLS)} --model {model} --json {folder} | head -n 2"
    result = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=patience(20)
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 2


def test_a_bar_on_a_terminal_leaves_standard_output_alone(model: Path, pictures: Path) -> None:
    leader, follower = pty.openpty()
    result = subprocess.run(
        [*EDGECLS, "--model", model, "--json", pictures],
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        check=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [
        str(pictures / "level 2.png"),
        str(pictures / "level 7.png"),
    ]
    assert "classify" in shown
    assert "2/" in shown
