"""Models give the same answers on x86-64 and on a Raspberry Pi."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.emulator.board import GUEST, Board
from devices.emulator.models import FRAME, MODELS

DIGITS = MODELS["digits CNN, 28x28"]
LITE0 = MODELS["EfficientNet-Lite0, 224x224"]
by_model = pytest.mark.parametrize(
    "model", [pytest.param(path, id=path.stem) for path in MODELS.values()]
)


def run_edgecls_here(*arguments: object) -> str:
    command = [sys.executable, "-m", "edgecls", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@by_model
def test_verify_reproduces_the_golden_vectors_within_a_step(board: Board, model: Path) -> None:
    done = board.run("edgecls", "verify", model, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unit"] == "steps"
    assert found["largest_difference"] <= 1
    assert found["vectors"] >= 2
    assert found["frames"] == found["vectors"]


@pytest.mark.parametrize(
    ("model", "images"),
    [
        pytest.param(DIGITS, 200, id="digits"),
        pytest.param(LITE0, 4, id="efficientnet-lite0"),
    ],
)
def test_outputs_for_made_up_images_differ_by_a_step_at_most(
    board: Board, model: Path, images: int, run_here: Callable[..., Any]
) -> None:
    done = board.run("python3", GUEST / "outputs.py", model, images)
    assert done.returncode == 0, done.stderr
    there, here = (
        np.array(each) for each in (json.loads(done.stdout), run_here("outputs.py", model, images))
    )
    assert there.shape == here.shape
    assert np.abs(there - here).max() <= 1


@by_model
def test_classify_gives_the_same_labels(pi4: Board, model: Path) -> None:
    command = ("classify", "--model", model, FRAME, "--json")
    done = pi4.run("edgecls", *command)
    assert done.returncode == 0, done.stderr
    (there,), (here,) = read_lines(done.stdout), read_lines(run_edgecls_here(*command))
    assert best_of(there) == best_of(here)
    for found, wanted in zip(scores_of(there), scores_of(here), strict=True):
        assert found == pytest.approx(wanted, abs=0.02)


def best_of(line: dict[str, Any]) -> str:
    label: str = line["predictions"][0]["label"]
    return label


def scores_of(line: dict[str, Any]) -> Sequence[float]:
    return [prediction["score"] for prediction in line["predictions"]]


def test_the_camera_loop_sees_the_same_digits(pi4: Board) -> None:
    source = "fake:digits?fps=0&frames=60&jpeg=1"
    command = ("camera", "--model", DIGITS, "--source", source, "--json")
    done = pi4.run("edgecls", *command)
    assert done.returncode == 0, done.stderr
    there, here = read_lines(done.stdout), read_lines(run_edgecls_here(*command))
    assert labels_of(there) == labels_of(here)
    assert len(labels_of(there)) == 60
    assert there[-1]["event"] == "summary"
    assert there[-1]["classified"] == 60


def labels_of(lines: Sequence[dict[str, Any]]) -> list[str]:
    return [line["label"] for line in lines if line["event"] == "prediction"]
