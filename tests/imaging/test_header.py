"""Headers: format and size by content, without decoding."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.imaging.header import Header, read_header
from edgecls.imaging.opencv import cv2
from tests.support import odd_pictures as odd

PICTURE = np.zeros((20, 30, 3), np.uint8)


@pytest.mark.parametrize(
    ("kind", "options", "header"),
    [
        pytest.param(".jpg", [], Header("JPEG", (20, 30)), id="JPEG"),
        pytest.param(
            ".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], Header("JPEG", (20, 30)), id="progressive"
        ),
        pytest.param(".png", [], Header("PNG", (20, 30)), id="PNG"),
        pytest.param(
            ".webp", [cv2.IMWRITE_WEBP_QUALITY, 80], Header("WebP", (20, 30)), id="WebP with loss"
        ),
        pytest.param(
            ".webp", [cv2.IMWRITE_WEBP_QUALITY, 101], Header("WebP", (20, 30)), id="WebP without"
        ),
        pytest.param(".bmp", [], Header("BMP", (20, 30)), id="BMP"),
        pytest.param(".tiff", [], Header("TIFF", (20, 30)), id="TIFF"),
        pytest.param(".ppm", [], Header("PNM", (20, 30)), id="PNM"),
    ],
)
def test_a_header_is_read(kind: str, options: list[int], header: Header) -> None:
    assert read_header(bytes(cv2.imencode(kind, PICTURE, options)[1])) == header


def test_the_size_of_a_jpeg_is_not_that_of_its_thumbnail() -> None:
    thumbnail = odd.jpeg_header((2, 3))
    picture = bytes(cv2.imencode(".jpg", PICTURE)[1])
    assert read_header(odd.with_exif(picture, thumbnail)).size == (20, 30)


def test_a_bmp_may_stand_on_its_head() -> None:
    assert read_header(odd.bmp_header((-20, 30))).size == (20, 30)


def test_the_oldest_bmp_has_sides_of_16_bits() -> None:
    core = b"BM" + bytes(8) + (26).to_bytes(4, "little") + (12).to_bytes(4, "little")
    sides = (30).to_bytes(2, "little") + (20).to_bytes(2, "little")
    assert read_header(core + sides + b"\1\0\x18\0").size == (20, 30)
