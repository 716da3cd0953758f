"""A board behind ssh, models for it, and stand-ins for what runs there."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.ssh_board import SshBoard
from tests.support.tiny_model import write_tiny_model

# `edgecls` of a board that is content with every model, but for what `refusal` beside it says.
_QUICK: Final = """#!/bin/sh
folder=$(dirname "$0")
echo "$@" >> "$folder/calls"
[ -f "$folder/refusal" ] && . "$folder/refusal"
echo '{"vectors": 4, "runtime": "litert 9", "latency_ms": {"p50": 1.5}}'
"""
# A systemd whose only unit runs with every model but two: `failing` it refuses at the start,
# `crashing` kills it a little later.
_SYSTEMCTL: Final = """#!{python}
import fcntl, json, pathlib, sys
place = pathlib.Path(__file__).parent
lock = open(__file__)
fcntl.flock(lock, fcntl.LOCK_EX)
state, verb = place / "unit.json", sys.argv[1]
now = json.loads(state.read_text())
model = pathlib.Path(now["model"])
if verb == "show":
    if now["status"] == "crashes":
        now["NRestarts"] += 1
    now["StatusText"] = now["status"]
    print("\\n".join(f"{{name}}={{value}}" for name, value in now.items()))
elif verb == "stop":
    now |= {{"ActiveState": "inactive", "status": "", "starts": now["starts"]}}
elif verb == "start":
    content = model.read_bytes() if model.exists() else b""
    now |= {{"ActiveState": "active", "MainPID": now["MainPID"] + 1, "NRestarts": 0}}
    now |= {{"status": "level 3 (90%)", "starts": now["starts"] + 1}}
    if b"failing" in content:
        now |= {{"ActiveState": "activating", "status": "error: the model has no label 'cat'"}}
    elif b"crashing" in content:
        now["status"] = "crashes"
state.write_text(json.dumps(now))
sys.exit(now["ActiveState"] == "activating")
"""
MODELS: Final = ("first", "second", "third", "fourth", "failing", "crashing")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models that differ in the name of a label, which is theirs."""
    folder = tmp_path_factory.mktemp("models")
    for name in MODELS:
        write_tiny_model(folder / f"{name}.tflite", labels=(name, "other"))
    return {name: folder / f"{name}.tflite" for name in MODELS}


@pytest.fixture(scope="session")
def _ssh_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshBoard]:
    board = SshBoard(tmp_path_factory.mktemp("board")).start()
    yield board
    board.stop()


@pytest.fixture
def real_board(_ssh_board: SshBoard) -> Iterator[SshBoard]:
    """A board without a model, whose `edgecls` is this checkout's."""
    programs = {path.name: path.read_text() for path in _ssh_board.bin.iterdir()}
    yield _ssh_board
    for folder in (_ssh_board.models, _ssh_board.bin):
        shutil.rmtree(folder)
        folder.mkdir()
    for name, text in programs.items():
        _ssh_board.install(name, text)


@pytest.fixture
def board(real_board: SshBoard) -> SshBoard:
    """The same, but its `edgecls` says at once that all is well."""
    real_board.install("edgecls", _QUICK)
    return real_board


@pytest.fixture
def serving(board: SshBoard) -> SshBoard:
    """It has a service, too."""
    board.install("systemctl", _SYSTEMCTL.format(python=sys.executable))
    unit = {
        **{"LoadState": "loaded", "ActiveState": "active", "NRestarts": 0, "MainPID": 100},
        **{"Result": "success", "status": "", "model": str(board.model), "starts": 0},
    }
    (board.bin / "unit.json").write_text(json.dumps(unit))
    return board
