"""JPEGs whose scans keep a decoder busy for long are refused, and ordinary ones are read."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import PictureError
from edgecls.imaging.captured import CapturedFrame, develop
from edgecls.imaging.decode import check_claims, decode
from edgecls.imaging.header import read_header
from edgecls.imaging.opencv import cv2
from edgecls.imaging.shown import to_shown_jpeg
from edgecls.imaging.view import WHOLE

PROGRESSIVE, BASELINE, ARITHMETIC, ARITHMETIC_PROGRESSIVE = 0xC2, 0xC0, 0xC9, 0xCA
SIZE = (2048, 2048)
TOO_LONG = "so many scans that decoding it would take too long"
# Behind which a decoder looks for the next marker; 64 KB of it, as long as the pixels may need.
NOTE = b"\xff\xfe\xff\xff" + bytes(65533)

# It has no length where a decoder waits for a restart mark, and hides no scans of 64 KB.
RESERVED = b"\xff\x02\xff\xff"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


RESTARTS, NO_RESTARTS = segment(0xDD, b"\0\x08"), segment(0xDD, b"\0\0")


def scan_of(colors: int, first: int, last: int) -> bytes:
    named = b"".join(bytes([color, 0]) for color in range(1, colors + 1))
    return segment(0xDA, bytes([colors]) + named + bytes([first, last, 0])) + b"\0"


def jpeg_of(
    kind: int, scans: bytes, colors: int = 1, size: tuple[int, int] = (2048, 2048)
) -> bytes:
    """A JPEG of these scans, each of which holds one byte; a decoder fills up what is missing."""
    entries = b"".join(bytes([color, 0x11, 0]) for color in range(1, colors + 1))
    frame = struct.pack(">BHHB", 8, *size, colors) + entries
    # One code of one bit each: no difference (DC), and the end of the block (AC).
    tables = segment(0xC4, b"\0\1" + bytes(16)) + segment(0xC4, b"\x10\1" + bytes(16))
    quantization = segment(0xDB, b"\0" + bytes([1] * 64))
    return b"\xff\xd8" + NOTE + quantization + segment(kind, frame) + tables + scans + b"\xff\xd9"


def first_scan_and(count: int, between: bytes = b"") -> bytes:
    return scan_of(1, 0, 0) + (between + scan_of(1, 1, 63)) * count


@pytest.mark.fault(126)
@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(jpeg_of(PROGRESSIVE, first_scan_and(1000)), id="progressive"),
        pytest.param(jpeg_of(BASELINE, scan_of(1, 0, 63) * 1000, 2), id="colour by colour"),
        pytest.param(jpeg_of(ARITHMETIC, scan_of(1, 0, 63) * 100, 2), id="arithmetic"),
        pytest.param(
            jpeg_of(ARITHMETIC_PROGRESSIVE, first_scan_and(100)), id="arithmetic and progressive"
        ),
        pytest.param(jpeg_of(PROGRESSIVE, first_scan_and(1000, b"\xff")), id="with fill bytes"),
        pytest.param(
            jpeg_of(PROGRESSIVE, first_scan_and(1000, segment(0xFE, b"\xff\xd9"))),
            id="with notes that look like the end",
        ),
        pytest.param(
            jpeg_of(PROGRESSIVE, first_scan_and(1000, b"\xff\xd0")), id="with restart marks"
        ),
        pytest.param(
            jpeg_of(PROGRESSIVE, first_scan_and(1000, b"rubbish")), id="with rubbish between them"
        ),
        pytest.param(
            jpeg_of(PROGRESSIVE, first_scan_and(100_000), size=(64, 64)), id="of a small picture"
        ),
    ],
)
def test_a_jpeg_of_very_many_scans_is_refused(bomb: bytes) -> None:
    with pytest.raises(PictureError, match=TOO_LONG) as refused:
        decode(bomb)
    assert refused.value.hint == "save it again as an ordinary JPEG"
    with pytest.raises(PictureError, match=TOO_LONG):  # nor is it passed on to a browser
        to_shown_jpeg(CapturedFrame(None, 0, 0.0, jpeg=bomb))


@pytest.mark.fault(126)
def test_nothing_that_a_decoder_ignores_hides_the_frame_header() -> None:
    bomb = jpeg_of(PROGRESSIVE, first_scan_and(1000))
    hidden = bomb[:2] + b"\xff\x01\xff\xd0" + bomb[2:]
    with pytest.raises(PictureError, match=TOO_LONG):
        decode(hidden)


@pytest.mark.fault(134)
@pytest.mark.parametrize(
    "between",
    [
        pytest.param(NO_RESTARTS + b"\xff\0", id="a zero where a marker should be"),
        pytest.param(RESERVED + NO_RESTARTS, id="a reserved marker in coded data"),
    ],
)
def test_nothing_that_a_decoder_passes_over_hides_scans(between: bytes) -> None:
    scans = RESTARTS + scan_of(1, 0, 0) + between + first_scan_and(1000)
    with pytest.raises(PictureError, match=TOO_LONG):
        decode(jpeg_of(PROGRESSIVE, scans))


@pytest.mark.fault(126)
def test_a_progressive_photograph_of_24_megapixels_is_read() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    photograph = cv2.resize(noise, (6000, 4000), interpolation=cv2.INTER_CUBIC)
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    jpeg = cv2.imencode(".jpg", photograph, progressive)[1].tobytes()
    assert decode(jpeg).shape == (4000, 6000, 3)


@pytest.mark.fault(126)
def test_the_frame_of_a_camera_may_have_fewer_scans_than_a_file() -> None:
    jpeg = jpeg_of(PROGRESSIVE, first_scan_and(30), size=(4096, 4096)).replace(NOTE, NOTE * 2)
    check_claims(read_header(jpeg), jpeg)
    frame = CapturedFrame(None, 0, 0.0, jpeg=jpeg)
    with pytest.raises(PictureError, match=TOO_LONG):
        develop(frame, Preprocessing((28, 28), "GRAY"), WHOLE)


def beside_thumbnails(picture: bytes) -> bytes:
    return picture[:2] + segment(0xE1, b"\xff\xda" * 1000) * 100 + picture[2:]


def before_others(picture: bytes) -> bytes:
    return picture + picture * 100  # as a camera with two lenses writes them (MPO)


@pytest.mark.fault(126)
@pytest.mark.parametrize("packed", [beside_thumbnails, before_others])
def test_scans_that_no_decoder_sees_do_not_count(packed: Callable[[bytes], bytes]) -> None:
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    picture = cv2.imencode(".jpg", np.full((2048, 2048, 3), 90, np.uint8), progressive)[1]
    content = packed(picture.tobytes())
    check_claims(read_header(content), content)


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(jpeg_of(PROGRESSIVE, b"")[: 2 + len(NOTE)], id="before its frame header"),
        pytest.param(jpeg_of(PROGRESSIVE, b"")[:-2] + b"\xff\xda", id="in the header of its scan"),
        pytest.param(b"\xff\xd8" + b"\xff\x01" * 1_000_000, id="in marks without end"),
    ],
)
def test_a_jpeg_that_is_cut_off_in_a_header_is_told(cut: bytes) -> None:
    with pytest.raises(PictureError, match="the JPEG is cut off"):
        decode(cut)
