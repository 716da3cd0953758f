"""`edgecls camera` tells when what it sees has left what the model learnt from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.contract.learnt import learn
from edgecls.contract.modelfile import write_model_file
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import write_tiny_model

Cli = Callable[..., Any]
USUAL = (100, 160)


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """A model whose held-out pictures were neither dark nor bright."""
    path = tmp_path / "taught.tflite"
    plain = write_tiny_model(path)
    levels = np.linspace(*USUAL, 200)
    learnt = {"brightness": learn("brightness", levels, np.arange(200) % 10)}
    card = dataclasses.replace(plain.card, learnt=learnt)
    write_model_file(path, plain.flatbuffer, card, plain.golden)
    return path


def folder_of(folder: Path, levels: tuple[int, int], count: int = 80) -> Path:
    """Pictures of gray levels in a range, each of them with another pattern."""
    folder.mkdir()
    random = np.random.default_rng(1)
    for number in range(count):
        cells = random.uniform(*levels, (4, 4)).astype(np.uint8)
        frame = cv2.resize(cells, (64, 64), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / f"{number:03}.png"), frame)
    return folder


def events(result: Any, *kinds: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return [line for line in lines if line["event"] in kinds]


def test_a_camera_in_the_dark_says_so(cli: Cli, taught: Path, tmp_path: Path) -> None:
    night = folder_of(tmp_path / "night", (10, 40))
    result = cli("camera", "--model", taught, "--source", night, "--json")
    drift, summary = events(result, "drift", "summary")
    assert (drift["state"], drift["statistic"]) == ("drifting", "brightness")
    assert drift["seen"] < 40 < USUAL[0] < drift["learnt"]["low"]
    assert summary["drifting"] == ["brightness"]


def test_it_says_so_in_words(cli: Cli, taught: Path, tmp_path: Path) -> None:
    night = folder_of(tmp_path / "night", (10, 40))
    lines = cli("camera", "--model", taught, "--source", night).stdout.splitlines()
    assert any("drift: brightness has left what was learnt: 2" in line for line in lines)
    assert "drift: brightness left what the model learnt" in lines


def test_pictures_as_learnt_say_nothing(cli: Cli, taught: Path, tmp_path: Path) -> None:
    day = folder_of(tmp_path / "day", USUAL)
    result = cli("camera", "--model", taught, "--source", day, "--json")
    assert events(result, "drift") == []
    assert "drifting" not in events(result, "summary")[0]


def test_who_does_not_want_to_know_is_not_told(cli: Cli, taught: Path, tmp_path: Path) -> None:
    night = folder_of(tmp_path / "night", (10, 40))
    result = cli("camera", "--model", taught, "--source", night, "--json", "--no-drift")
    assert events(result, "drift") == []


def test_a_model_without_statistics_is_silent_and_inspect_says_why(
    cli: Cli, model: Path, tmp_path: Path
) -> None:
    night = folder_of(tmp_path / "night", (10, 40))
    result = cli("camera", "--model", model, "--source", night, "--json")
    assert events(result, "drift") == []
    assert (
        "learnt      no statistics, so the camera tells of no drift" in cli("inspect", model).stdout
    )


def test_inspect_shows_what_was_learnt(cli: Cli, taught: Path) -> None:
    assert "learnt      brightness 130 (100" in cli("inspect", taught).stdout
