"""Interpreters with other packages, and models and pictures to give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgecls.contract.modelfile import load_model_file, write_model_file
from edgecls.imaging.prepare import prepare
from edgecls.pictures.folder import read_picture
from tests.interop.interpreters import (
    Interpreter,
    Subject,
    convert_digits,
    make_subject,
    open_interpreter,
)


@pytest.fixture(scope="session")
def mediapipe() -> Interpreter:
    """Has MediaPipe, and nothing of edgecls' needs."""
    return open_interpreter("mediapipe")


@pytest.fixture(scope="session")
def tflite_runtime() -> Interpreter:
    """Has tflite-runtime, numpy 1 and an OpenCV that goes with it."""
    return open_interpreter("tflite-runtime")


@pytest.fixture(scope="session")
def gray_digits(digits_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """A converted digits model as `edgecls train` makes them, and 1,000 digits."""
    return convert_digits(digits_run, tmp_path_factory.mktemp("gray"))


@pytest.fixture(scope="session")
def color_digits(digits_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The same for coloured images, the only ones that MediaPipe gives to a classifier."""
    from tests.convert.runs import with_color

    folder = tmp_path_factory.mktemp("color")
    return convert_digits(with_color(digits_run, folder / "run"), folder)


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run on some of the built-in digits."""
    pytest.importorskip("tensorflow", reason="converting needs TensorFlow (edgecls-convert)")
    from tests.convert.runs import train_digits_run

    return train_digits_run(tmp_path_factory.mktemp("run") / "1", epochs=5)


@pytest.fixture(scope="session")
def photos(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Coral's MobileNetV2 as a model file of ours, and 100 ImageNet pictures."""
    from edgecls.cli.options import load_labels

    folder = tmp_path_factory.mktemp("photos")
    coral = data_folder / "coral"
    labels = load_labels(coral / "imagenet_labels.txt")
    bare = load_model_file(coral / "mobilenet_v2_1.0_224_quant.tflite", labels)
    path = folder / "model.tflite"
    model = write_model_file(path, bare.flatbuffer, bare.card)
    pictures = sorted((data_folder / "imagenet-100").glob("*.JPEG"))
    images = [prepare(read_picture(picture), model.card.preprocessing) for picture in pictures]
    return make_subject(folder, model, path, images)
