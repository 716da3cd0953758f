"""Decoding and preparing give the same bytes on x86-64 and on a Raspberry Pi."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devices.emulator.board import GUEST, Board
from devices.emulator.root import CHECKOUT


def test_frames_of_many_sizes_come_out_the_same(
    pi4: Board, run_here: Callable[..., Any], photos: list[Path]
) -> None:
    done = pi4.run("python3", GUEST / "pixels.py", *photos)
    assert done.returncode == 0, done.stderr
    there, here = json.loads(done.stdout), run_here("pixels.py", *photos)
    assert len(here) >= 400
    assert {name: (here[name], there[name]) for name in here if here[name] != there[name]} == {}
    assert len(there) == len(here)


@pytest.mark.parametrize("name", ["test_prepare_bits.py"])
def test_the_recorded_bytes_come_out_on_every_board(
    board: Board, name: str, tmp_path: Path
) -> None:
    shutil.copy(CHECKOUT / "tests/imaging" / name, tmp_path)
    apart = ("-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", tmp_path)
    done = board.run("python3", "-m", "pytest", *apart, tmp_path / name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
