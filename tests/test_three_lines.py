"""The heart: three lines, verbatim, in this order, in an empty folder."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="training needs Keras (edgecls-train)")


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One line as a person types it, with the `edgecls` of this Python."""
    program, *words = shlex.split(line)
    assert program == "edgecls"
    return subprocess.run(
        [sys.executable, "-m", "edgecls", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def trained(folder: Path) -> subprocess.CompletedProcess[str]:
    return run("edgecls train", folder)


@pytest.fixture(scope="module")
def converted(
    folder: Path, trained: subprocess.CompletedProcess[str]
) -> subprocess.CompletedProcess[str]:
    assert trained.returncode == 0, trained.stderr
    return run("edgecls convert --int8", folder)


@pytest.mark.slow
def test_train_takes_the_built_in_digits_and_says_so(
    trained: subprocess.CompletedProcess[str],
) -> None:
    assert trained.returncode == 0
    assert "training on the built-in digits (5000 pictures)" in trained.stderr
    assert "1000 test pictures" in trained.stdout


@pytest.mark.slow
def test_convert_keeps_the_accuracy(
    folder: Path, converted: subprocess.CompletedProcess[str]
) -> None:
    assert converted.returncode == 0, converted.stderr
    card = json.loads(run("edgecls inspect --json model.tflite", folder).stdout)["card"]
    assert card["metrics"]["int8"]["images"] == 1000
    assert card["metrics"]["int8"]["top1"] >= 0.970
    assert card["metrics"]["drop"] <= 0.005
    assert card["provenance"]["conversion"]["calibration_images"] == 200


@pytest.mark.slow
@pytest.mark.skipif(os.path.exists("/dev/video0"), reason="this machine has a camera")
def test_camera_without_a_camera_names_the_other_sources(
    folder: Path, converted: subprocess.CompletedProcess[str]
) -> None:
    assert converted.returncode == 0
    failed = run("edgecls camera --model model.tflite", folder)
    problem, hint = failed.stderr.splitlines()
    assert failed.returncode == 1
    assert problem == "error: there is no camera /dev/video0"
    assert "fake:digits" in hint


@pytest.mark.slow
def test_camera_shows_the_digits_right(
    folder: Path, converted: subprocess.CompletedProcess[str]
) -> None:
    assert converted.returncode == 0
    line = "edgecls camera --model model.tflite --source fake:digits --max-frames 200 --json"
    shown = run(line, folder)
    summary = json.loads(shown.stdout.splitlines()[-1])
    assert shown.returncode == 0
    assert summary["classified"] == summary["labelled"] == 200
    assert summary["correct"] >= 190
