"""Decoding at reduced size costs no accuracy: as many of 100 real pictures are right as before."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from edgecls.contract.modelfile import load_model_file
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import prepare
from edgecls.imaging.scaled import decode_scaled
from edgecls.runtimes import open_runtime

# A hundred pictures move in steps of one point, so 0.3 points are none at all.
MOST_LOST: Final = 0
MODELS: Final = ("mobilenet_v1_0.25_128_quant.tflite", "mobilenet_v2_1.0_224_quant.tflite")


@pytest.fixture(scope="module")
def pictures(data_folder: Path) -> list[tuple[bytes, int]]:
    """100 ImageNet pictures as files, with their class indices (0 to 999)."""
    folder = data_folder / "imagenet-100"
    with open(folder / "classes.csv", encoding="utf-8", newline="") as table:
        return [((folder / name).read_bytes(), int(index)) for name, index in csv.reader(table)]


def as_a_camera(picture: bytes) -> bytes:
    """The picture with a shorter side of 720, as a JPEG of a good camera."""
    frame = decode(picture)
    scale = 720 / min(frame.shape[:2])
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    large = cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", large[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def copy_into(image: Any, tensor: Any) -> None:
    """Write an image into an input tensor."""
    tensor[0] = image


@pytest.fixture(scope="module")
def camera_pictures(pictures: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    """The same pictures as a camera of 720 rows would send them."""
    return [(as_a_camera(picture), index) for picture, index in pictures]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("which", ["pictures", "camera_pictures"])
def test_as_many_are_right_as_with_the_full_decode(
    request: pytest.FixtureRequest, data_folder: Path, name: str, which: str
) -> None:
    model = load_model_file(data_folder / "coral" / name)
    preprocessing = model.card.preprocessing
    runtime = open_runtime(model)
    right = {"full": 0, "scaled": 0}
    for jpeg, index in request.getfixturevalue(which):
        for way, frame in (
            ("full", decode(jpeg)),
            ("scaled", decode_scaled(jpeg, preprocessing)),
        ):
            scores = runtime.run(partial(copy_into, prepare(frame, preprocessing)))
            right[way] += int(scores.argmax()) == index + 1  # class 0 is the background
    runtime.close()
    assert right["full"] - right["scaled"] <= MOST_LOST
