"""A camera's JPEG is decoded no larger than the model needs, and stays the same picture."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError, PictureError
from edgecls.imaging.decode import decode
from edgecls.imaging.header import Header
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import prepare
from edgecls.imaging.scaled import decode_scaled, find_reduction
from edgecls.imaging.view import Region, View


def scene(height: int, width: int) -> Any:
    """Waves of 40 to 160 pixels and a dark disc: what a camera out of focus sees."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(columns / 7), np.sin(rows / 11), np.sin((rows + columns) / 26)]
    frame = (np.stack(waves, axis=-1) * 100 + 128).astype(np.uint8)
    return cv2.circle(frame, (width // 3, height // 2), height // 5, (20, 30, 40), -1)


def to_jpeg(frame: Any) -> bytes:
    encoded = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return bytes(encoded)


@pytest.mark.parametrize(
    ("frame_size", "preprocessing", "reduction"),
    [
        pytest.param((720, 1280), Preprocessing((224, 224)), 2, id="720/224 is 3.2"),
        pytest.param((720, 1280), Preprocessing((128, 128)), 4, id="720/128 is 5.6"),
        pytest.param((720, 1280), Preprocessing((90, 90)), 8, id="720/90 is 8, and all of it"),
        pytest.param((720, 1280), Preprocessing((91, 91)), 4, id="720/91 is less than 8"),
        pytest.param((480, 640), Preprocessing((28, 28)), 8, id="there is no smaller than 1/8"),
        pytest.param((240, 320), Preprocessing((224, 224)), 1, id="too small to be halved"),
        pytest.param(
            (480, 640), Preprocessing((224, 224), crop_fraction=0.875), 1, id="420/224 is below 2"
        ),
        pytest.param(
            (480, 640), Preprocessing((120, 320), crop="stretch"), 2, id="the tighter side counts"
        ),
        pytest.param(
            (480, 640), Preprocessing((160, 160), crop="pad"), 4, id="padding keeps the longer side"
        ),
    ],
)
def test_the_smallest_size_that_still_covers_the_image_is_taken(
    frame_size: tuple[int, int], preprocessing: Preprocessing, reduction: int
) -> None:
    assert find_reduction(Header("JPEG", frame_size), preprocessing) == reduction
    jpeg = to_jpeg(scene(*frame_size))
    expected = (-(-frame_size[0] // reduction), -(-frame_size[1] // reduction), 3)
    assert decode_scaled(jpeg, preprocessing).shape == expected


@pytest.mark.parametrize(
    ("view", "reduction"),
    [
        pytest.param(View(), 4, id="720/128 of the whole frame"),
        pytest.param(View(region=Region.parse("0,0,320,320")), 2, id="320/128 of a part"),
        pytest.param(View(region=Region.parse("0.4,0.4,0.1,0.1")), 1, id="a part that is small"),
        pytest.param(View(rotate=90, region=Region.parse("0,0,1,0.25")), 2, id="320 of 1280 rows"),
    ],
)
def test_a_part_of_the_frame_is_decoded_as_large_as_the_part_needs(
    view: View, reduction: int
) -> None:
    assert find_reduction(Header("JPEG", (720, 1280)), Preprocessing((128, 128)), view) == reduction


def test_other_kinds_of_pictures_are_decoded_at_full_size() -> None:
    png = bytes(cv2.imencode(".png", scene(480, 640))[1])
    assert decode_scaled(png, Preprocessing((28, 28))).shape == (480, 640, 3)


def test_a_picture_that_exif_may_turn_is_decoded_at_full_size_and_turned() -> None:
    jpeg = to_jpeg(scene(480, 640))
    # One entry: orientation (0x0112), a SHORT, 6: a quarter turn (CIPA DC-008, 4.6.4).
    tags = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + bytes(4)
    exif = b"Exif\0\0" + tags
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert decode_scaled(turned, Preprocessing((28, 28))).shape == (640, 480, 3)


@pytest.mark.parametrize("size", [(128, 128), (96, 160), (224, 224), (60, 60)])
@pytest.mark.parametrize("crop", ["center", "stretch", "pad"])
def test_the_image_is_the_one_of_the_full_decode_within_a_few_gray_levels(
    size: tuple[int, int], crop: Any
) -> None:
    jpeg = to_jpeg(scene(720, 1280))
    preprocessing = Preprocessing(size, crop=crop)
    full = prepare(decode(jpeg), preprocessing).astype(int)
    scaled = prepare(decode_scaled(jpeg, preprocessing), preprocessing).astype(int)
    assert np.abs(full - scaled).mean() < 2.0


def test_a_view_is_looked_at_in_the_small_frame() -> None:
    jpeg = to_jpeg(scene(720, 1280))
    preprocessing = Preprocessing((128, 128))
    view = View(180, "none", Region.parse("560,0,720,720"))
    scaled = prepare(decode_scaled(jpeg, preprocessing, view), preprocessing).astype(int)
    full = prepare(view.look(decode(jpeg)), preprocessing).astype(int)
    assert np.abs(full - scaled).mean() < 2.0


def test_red_is_the_first_channel() -> None:
    red = np.full((480, 640, 3), (255, 0, 0), np.uint8)
    frame = decode_scaled(to_jpeg(red), Preprocessing((64, 64)))
    assert frame[10, 10].tolist() == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        pytest.param(lambda _: b"", "the file is empty", id="nothing"),
        pytest.param(lambda jpeg: jpeg[: len(jpeg) // 2], "the JPEG is cut off", id="half of it"),
        pytest.param(lambda _: b"<html></html>", "not a picture", id="a web page"),
        pytest.param(
            lambda jpeg: jpeg.replace(b"\x02\xd0\x05\x00", b"\xff\xff\xff\xff", 1),
            "claims 65535x65535 pixels",
            id="a bomb",
        ),
    ],
)
def test_what_cannot_be_decoded_is_refused(spoil: Any, problem: str) -> None:
    with pytest.raises(PictureError, match=problem):
        decode_scaled(spoil(to_jpeg(scene(720, 1280))), Preprocessing((128, 128)))


def test_a_region_beyond_the_frame_is_refused() -> None:
    view = View(region=Region.parse("0,0,1281,720"))
    with pytest.raises(InvalidValueError, match="beyond the frame of 1280x720 pixels"):
        decode_scaled(to_jpeg(scene(720, 1280)), Preprocessing((128, 128)), view)


# Recorded on x86-64; whole-number waves, so that the JPEG itself is the same everywhere.
RECORDED = {
    1: "75b9adee1329575d",
    2: "d3b7fb59cac0320d",
    4: "eaea94fc7956ecd3",
    8: "1d08bf1a7256d6e0",
}


def blocks() -> bytes:
    rows, columns = np.mgrid[:480, :640]
    waves = np.stack([rows * 3 + columns, rows * columns // 700, (rows - columns) * 2], axis=-1)
    return to_jpeg((waves % 256).astype(np.uint8))


@pytest.mark.parametrize(("side", "reduction"), [(300, 1), (200, 2), (100, 4), (60, 8)])
def test_the_bytes_are_the_recorded_ones_on_every_machine(side: int, reduction: int) -> None:
    jpeg = blocks()
    assert hashlib.sha256(jpeg).hexdigest()[:16] == "0f94a960b2327b16"
    preprocessing = Preprocessing((side, side))
    assert find_reduction(Header("JPEG", (480, 640)), preprocessing) == reduction
    image = prepare(decode_scaled(jpeg, preprocessing), preprocessing)
    assert hashlib.sha256(image.tobytes()).hexdigest()[:16] == RECORDED[reduction]
