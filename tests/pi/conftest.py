"""Tests on an emulated Raspberry Pi; `make pi-test` makes the board and runs them, nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devices.emulator.board import BOARDS, GUEST, Board

# Not part of `make test`: a fresh board is a download of 150 MB and some minutes.
collect_ignore_glob = [] if os.environ.get("EDGECLS_PI") else ["test_*.py"]


@pytest.fixture(params=BOARDS, ids=lambda board: board.cpu)
def board(request: pytest.FixtureRequest) -> Board:
    """Each of the boards in turn."""
    chosen: Board = request.param
    return chosen


@pytest.fixture(scope="session")
def pi4() -> Board:
    """One board, for what has nothing to do with the processor."""
    return BOARDS[1]


@pytest.fixture(scope="session")
def run_here() -> Callable[..., Any]:
    """Runs a program of `guest/` on this machine and reads the JSON that it prints."""

    def run(program: str, *arguments: object) -> Any:
        command = [sys.executable, str(GUEST / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def photos() -> list[Path]:
    """Real photos, where there are some."""
    place = os.environ.get("EDGECLS_DATA")
    return sorted(Path(place).glob("imagenet-100/*.JPEG"))[:12] if place else []
