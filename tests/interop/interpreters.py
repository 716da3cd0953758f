"""Other interpreters below `.interop/`, and what to ask them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.modelfile import ModelFile
from edgecls.imaging.prepare import Image, prepare
from edgecls.pictures.digits import DigitPictures
from edgecls.runtimes import open_runtime

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python with other packages than this one."""

    path: Path

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run it on this checkout, without what is installed beside this Python."""
        return subprocess.run(
            [str(self.path), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )


def open_interpreter(name: str) -> Interpreter:
    """The one that `make interop` made under this name."""
    folder = ROOT / ".interop" / name
    if not (folder / "stamp").exists():
        pytest.skip(f".interop/{name} is not there: run 'make interop' first")
    return Interpreter(folder / "bin" / "python")


@dataclass(frozen=True, slots=True)
class Subject:
    """A model file, images for it, and the labels that it gives them here."""

    model: Path
    images: Path
    labels: list[str]


def make_subject(folder: Path, model: ModelFile, path: Path, images: list[Image]) -> Subject:
    """Store images, and run them with LiteRT."""
    np.save(folder / "images.npy", np.stack(images))
    classifier = Classifier(model, open_runtime(model, "litert"))
    best = [int(classifier.run_image(image).argmax()) for image in images]
    classifier.close()
    return Subject(path, folder / "images.npy", [classifier.labels[index] for index in best])


def load_digits(model: ModelFile) -> list[Image]:
    """The 1,000 held-out digits, prepared."""
    digits = DigitPictures()
    wanted = model.card.preprocessing
    return [prepare(digits.load_frame(int(i)), wanted) for i in digits.held_out]


def convert_digits(run: Any, folder: Path) -> Subject:
    """Convert a run, and ask it for the held-out digits."""
    from edgecls.console import progress
    from edgecls_convert.convert import Settings, convert_run

    found = convert_run(run, folder / "model.tflite", Settings(max_drop=5.0), progress)
    return make_subject(folder, found.model, found.path, load_digits(found.model))
