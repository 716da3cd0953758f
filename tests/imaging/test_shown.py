"""A frame as a browser is given it: the camera's own JPEG, or a small one of ours."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgecls.errors import PictureError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import decode
from edgecls.imaging.header import read_header
from edgecls.imaging.shown import PASSED_ON_BYTES, encode_shown, to_shown_jpeg
from edgecls.imaging.view import Region, View
from tests.support.frames import frame, jpeg_of, scene


def captured(size: tuple[int, int], **more: Any) -> CapturedFrame:
    return CapturedFrame(None, 0, 0.0, jpeg=jpeg_of(scene(1, size)), **more)


def large_jpeg(size: tuple[int, int]) -> bytes:
    """A JPEG with so long a comment that it is more than what is passed on."""
    content = jpeg_of(scene(1, size))
    comment = b"\xff\xfe\xff\xff" + bytes(65_533)
    return content[:2] + comment * (PASSED_ON_BYTES // 65_536 + 1) + content[2:]


def test_the_cameras_own_jpeg_is_passed_on_byte_for_byte() -> None:
    shot = captured((720, 1280))
    assert to_shown_jpeg(shot) is shot.jpeg


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        pytest.param((480, 640), (480, 640), id="as it is"),
        pytest.param((240, 320), (240, 320), id="never larger"),
        pytest.param((720, 1280), (360, 640), id="half of it"),
        pytest.param((1080, 1920), (360, 640), id="a third"),
        pytest.param((1944, 2592), (480, 640), id="decoded at a quarter of its size"),
    ],
)
def test_a_large_one_is_made_at_most_640_wide(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    shot = CapturedFrame(None, 0, 0.0, jpeg=large_jpeg(size))
    assert read_header(to_shown_jpeg(shot)).size == shown


def test_pixels_are_encoded_with_their_colours() -> None:
    red = np.full((480, 640, 3), (200, 30, 30), np.uint8)
    shown = decode(to_shown_jpeg(CapturedFrame(red, 0, 0.0)))
    assert np.abs(shown.astype(int) - red).max() <= 3


def test_what_is_turned_or_cut_is_shown_as_the_model_sees_it() -> None:
    view = View(rotate=90, region=Region(0, 0, 0.5, 1, is_share=True))
    shot = dataclasses.replace(captured((480, 640)), view=view)
    assert read_header(to_shown_jpeg(shot)).size == (640, 240)  # upright 480 wide, half of that


def test_small_pixels_beside_a_large_jpeg_are_not_what_is_shown() -> None:
    small = scene(1, (90, 160))
    shot = CapturedFrame(small, 0, 0.0, jpeg=large_jpeg((720, 1280)))
    assert read_header(to_shown_jpeg(shot)).size == (360, 640)


@pytest.mark.parametrize(
    "jpeg",
    [
        pytest.param(b"\xff\xd8\xff no picture", id="no picture"),
        pytest.param(frame(0, is_jpeg=True).jpeg[:-200], id="cut off"),
        pytest.param(b"GIF89a" + bytes(20), id="another kind"),
    ],
)
def test_a_broken_one_is_an_error_and_nobody_is_shown_it(jpeg: bytes) -> None:
    with pytest.raises(PictureError):
        to_shown_jpeg(CapturedFrame(None, 0, 0.0, jpeg=jpeg))


def test_strided_pixels_are_encoded_too() -> None:
    assert read_header(encode_shown(scene(1, (96, 128))[:, ::-1])).size == (96, 128)
