"""Tests on a whole emulated machine; only `make pi-machine-test` makes it and runs them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devices.emulator.board import GUEST
from devices.emulator.machine import run_machine
from devices.emulator.models import MODELS, encode_made_frame
from devices.emulator.root import CHECKOUT
from tests.support.tiny_model import write_tiny_model

collect_ignore_glob = [] if os.environ.get("EDGECLS_PI") else ["test_*.py"]

DIGITS = MODELS["digits CNN, 28x28"]
UNIT = CHECKOUT / "devices/common/edgecls-camera.service"
Scenes = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Scenes]:
    """Boots with a camera and plays its scenes; gives what each told, by name."""
    folder = tmp_path_factory.mktemp("machine")
    for name, size in (("large", (480, 640)), ("small", (240, 320))):
        for seed in range(2):
            (folder / f"{name}-{seed}.jpg").write_bytes(encode_made_frame(size, seed))
    write_tiny_model(folder / "tiny.tflite")
    ours = [GUEST / "scenes.py", GUEST / "webcam.py", UNIT, DIGITS]
    files: list[Path] = [*ours, *sorted(folder.iterdir())]

    def play_scenes(camera: Any, program: str, init: Any = "plain") -> Scenes:
        # Only against a machine that hangs: on one that is busy with other things all takes longer.
        console = run_machine(camera, GUEST / program, *files, init=init, limit_s=900)
        lines = [line for line in console.splitlines() if line.startswith("SCENE ")]
        told = [json.loads(line.removeprefix("SCENE ")) for line in lines]
        print(*lines, sep="\n")
        return {each["scene"]: each for each in told}

    return play_scenes
