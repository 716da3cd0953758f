"""Golden frames: JPEGs that exercise decoding and preparing, small, and without place and time."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DatasetError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.prepare import prepare
from edgecls_convert.frames import MOST_FRAME_BYTES, make_frame, strip_jpeg, to_golden
from tests.support.odd_pictures import exif, with_exif

MODEL = Preprocessing((32, 32))


def to_jpeg(frame: Frame, quality: int = 90) -> bytes:
    """A frame (RGB) as a camera's JPEG."""
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def gradient(height: int, width: int) -> Frame:
    """Red grows to the right, green downwards."""
    frame = np.full((height, width, 3), 60, np.uint8)
    frame[:, :, 0] = np.linspace(0, 255, width, dtype=np.uint8)
    frame[:, :, 1] = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
    return frame


def noise(height: int, width: int) -> Frame:
    """What no JPEG makes small."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def test_a_small_jpeg_is_kept_as_it_is() -> None:
    stored = to_jpeg(gradient(60, 80))
    assert make_frame(stored, decode(stored), MODEL) == stored


def test_place_and_time_and_comments_stay_behind() -> None:
    bare = to_jpeg(gradient(60, 80))
    stored = with_exif(bare, exif(1) + b"GPS 48.1N 11.5E")
    comment = b"\xff\xfe\x00\x0aby Alice"
    stored = stored[:2] + comment + stored[2:]
    assert b"GPS" in stored
    assert strip_jpeg(stored) == bare
    assert make_frame(stored, decode(stored), MODEL) == bare


def test_a_turned_jpeg_is_stored_upright() -> None:
    stored = with_exif(to_jpeg(gradient(60, 80)), exif(6))
    upright = decode(stored)
    assert upright.shape == (80, 60, 3)
    frame = decode(make_frame(stored, upright, MODEL))
    assert frame.shape == (80, 60, 3)
    assert np.abs(frame.astype(int) - upright).mean() < 3


@pytest.mark.parametrize(
    ("frame", "stored"),
    [
        pytest.param(noise(700, 900), b"", id="a picture that is no JPEG"),
        pytest.param(noise(700, 900), to_jpeg(noise(700, 900)), id="a JPEG"),
    ],
)
def test_a_huge_picture_becomes_a_small_jpeg(frame: Frame, stored: bytes) -> None:
    jpeg = make_frame(stored, frame, MODEL)
    assert len(jpeg) <= MOST_FRAME_BYTES
    height, width = decode(jpeg).shape[:2]
    assert min(height, width) >= 32
    assert width / height == pytest.approx(900 / 700, rel=0.02)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (20, 90)])
def test_a_picture_that_leaves_nothing_to_resize_is_enlarged(size: Any) -> None:
    frame = decode(make_frame(b"", gradient(*size), MODEL))
    assert frame.shape == (32 * 37 // 16, 32 * 43 // 16, 3)


def test_a_gray_picture_gets_a_tinge_of_colour() -> None:
    gray = np.repeat(gradient(28, 28)[:, :, :1], 3, axis=2)
    for channels in ("RGB", "GRAY"):
        preprocessing = Preprocessing((28, 28), channels)
        frame = decode(make_frame(b"", gray, preprocessing))
        swapped = prepare(frame[:, :, ::-1], preprocessing)
        assert not np.array_equal(prepare(frame, preprocessing), swapped)


@pytest.mark.parametrize("interpolation", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA])
def test_another_resize_would_show(interpolation: int) -> None:
    frame = decode(make_frame(b"", gradient(28, 28), Preprocessing((28, 28), crop="stretch")))
    other = cv2.resize(frame, (28, 28), interpolation=interpolation)
    assert not np.array_equal(prepare(frame, Preprocessing((28, 28), crop="stretch")), other)


def test_what_cannot_be_decoded_is_no_golden_frame() -> None:
    with pytest.raises(DatasetError, match="a golden frame cannot be decoded"):
        to_golden(to_jpeg(gradient(60, 80))[:-40], MODEL)
