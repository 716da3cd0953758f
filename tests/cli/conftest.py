"""The command line in this process, and a model to give it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgecls.cli.main import make_app
from edgecls.imaging.opencv import cv2
from tests.support.stand_in import stand_in, stand_in_library
from tests.support.tiny_model import frame_of, tiny_model_bytes, write_tiny_model

__all__ = ["stand_in", "stand_in_library"]

Cli = Callable[..., Any]


@pytest.fixture
def cli() -> Cli:
    """Runs `edgecls` with arguments here; gives `exit_code`, `stdout` and `stderr`."""
    app, runner = make_app(), CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: `tiny` (ten levels of gray), `stranger` (the same without a card)."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny.tflite")
    (folder / "stranger.tflite").write_bytes(tiny_model_bytes())
    return folder


@pytest.fixture
def model(models: Path) -> Path:
    """Ten classes, `level 0` (dark) to `level 9` (bright)."""
    return models / "tiny.tflite"


@pytest.fixture
def stranger(models: Path) -> Path:
    """The same network without card, labels and golden vectors."""
    return models / "stranger.tflite"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of two pictures, of level 2 and level 7."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for level in (2, 7):
        cv2.imwrite(str(folder / f"level {level}.png"), frame_of(level))
    return folder
