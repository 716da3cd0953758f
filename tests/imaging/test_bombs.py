"""Small files that claim to be enormous: refused at once, in little memory, in one line."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.errors import PictureError
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from tests.support import odd_pictures as odd

MEASURE = """
import json, resource, sys, time
from edgecls.errors import PictureError
from edgecls.imaging.decode import decode
content = open(sys.argv[1], "rb").read()
decode(open(sys.argv[2], "rb").read())
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    problem = str(decode(content).shape)
except PictureError as refused:
    problem = refused.problem
seconds = time.perf_counter() - started
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"problem": problem, "seconds": seconds, "grown_mb": grown / 1024}))
"""
HUGE = (65500, 65500)


@pytest.mark.fault(27)
@pytest.mark.fault(28)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(odd.png_header, "the PNG claims 65500x65500 pixels", id="PNG"),
        pytest.param(odd.jpeg_header, "the JPEG claims 65500x65500 pixels", id="JPEG"),
        pytest.param(odd.gif_header, "the GIF claims 65500x65500 pixels", id="GIF"),
        pytest.param(odd.bmp_header, "the BMP claims 65500x65500 pixels", id="BMP"),
        pytest.param(odd.webp_header, "the WebP claims 65500x65500 pixels", id="WebP"),
        pytest.param(odd.tiff_header, "the TIFF claims 65500x65500 pixels", id="TIFF"),
        pytest.param(odd.pnm_header, "the PNM claims 65500x65500 pixels", id="PNM"),
    ],
)
def test_a_decompression_bomb_is_refused_at_once(
    make: Callable[[tuple[int, int]], bytes], message: str, tmp_path: Path
) -> None:
    (tmp_path / "bomb").write_bytes(make(HUGE))
    (tmp_path / "warm-up").write_bytes(odd.png((1, 1), odd.GRAY, bytes(2)))
    child = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "bomb", tmp_path / "warm-up"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    measured = json.loads(child.stdout)
    assert message in measured["problem"]
    assert measured["seconds"] < 0.1
    assert measured["grown_mb"] < 100
    assert child.stderr == ""  # a decoder's own complaints would be a second message


def claiming(jpeg: bytes, size: tuple[int, int]) -> bytes:
    """A whole JPEG whose header claims another (height, width)."""
    place = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:place] + struct.pack(">HH", *size) + jpeg[place + 4 :]


@pytest.mark.fault(27)
def test_a_small_jpeg_that_claims_a_large_picture_is_cut_off() -> None:
    jpeg = cv2.imencode(".jpg", np.full((64, 64, 3), 99, np.uint8))[1].tobytes()
    with pytest.raises(PictureError, match="cut off: 8190x8190 pixels are not in"):
        decode(claiming(jpeg, (8190, 8190)))


@pytest.mark.parametrize("pixels", [np.zeros, np.ones], ids=["black", "nearly black"])
def test_the_smallest_jpeg_of_a_large_picture_is_read(pixels: Callable[..., Any]) -> None:
    picture = pixels((2000, 3000), np.uint8)  # of one gray, in optimal codes
    settings = [cv2.IMWRITE_JPEG_QUALITY, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    for progressive in (0, 1):
        more = [*settings, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
        jpeg = cv2.imencode(".jpg", picture, more)[1].tobytes()
        assert decode(jpeg).shape == (2000, 3000, 3)


@pytest.mark.fault(27)
@pytest.mark.parametrize(
    ("size", "claim"),
    [
        pytest.param((8193, 8192), "8192x8193", id="one row more than 64 megapixels"),
        pytest.param((1, (1 << 26) + 1), "67108865x1", id="one endless row"),
    ],
)
def test_the_limit_is_64_megapixels(size: tuple[int, int], claim: str) -> None:
    with pytest.raises(PictureError, match=f"claims {claim} pixels, at most 64 megapixels"):
        decode(odd.png_header(size))
