"""Encoded bytes -> frame."""

from __future__ import annotations

import math
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.errors import PictureError
from edgecls.imaging.header import (
    Header,
    check_jpeg_end,
    check_jpeg_length,
    read_header,
)
from edgecls.imaging.opencv import FULL_PIXELS, MAX_PIXELS, cv2
from edgecls.imaging.png import check_png, without_packed_texts
from edgecls.imaging.scans import check_jpeg_scans

# Camera pixels: uint8, RGB, (height, width, 3).
Frame: TypeAlias = npt.NDArray[np.uint8]

# 0 in OpenCV before 4.10, as Debian has it for 32-bit boards.
_RGB: Final = getattr(cv2, "IMREAD_COLOR_RGB", 0)
# The bits that say the size; which channels is said by others, and both kinds at once is refused.
_REDUCED: Final = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_MEMORY_HINT: Final = (
    "" if MAX_PIXELS == FULL_PIXELS else "; more needs more memory than this machine may use"
)
_IN_TURN: Final = threading.Lock()
# Kinds of which a few bytes may keep a decoder busy for long, whatever size they claim.
_UNBOUNDED: Final = ("TIFF", "AVIF", "GIF")
# A PNG of 16 bits a sample takes 40 ns a pixel on x86-64, other kinds less: half a second.
MOST_QUICK_PIXELS: Final = 1 << 24


def decode(content: bytes) -> Frame:
    """Decode a picture to a frame, upright.

    What becomes of the unusual: gray, palette and 1-bit pictures are spread over three channels;
    16-bit samples keep their upper 8 bits; CMYK is converted without a colour profile; alpha is
    dropped, which leaves the colour stored beneath; of an animation the first picture counts; an
    EXIF orientation is applied, once.

    Args:
        content: A whole JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF or PNM file.

    Returns:
        uint8 RGB, (height, width, 3).

    Raises:
        PictureError: Empty, cut off, damaged, not a picture, an unsupported kind, longer than 10 s
            to decode (a TIFF, AVIF or GIF, or not a JPEG of more than 16 megapixels), or larger
            than 64 megapixels; with less than 1.5 GB of memory fewer: 17 with 512 MB
            (refused before it is decoded).
    """
    header = read_header(content)
    check_claims(header, content)
    if header.format == "PNG":
        content = without_packed_texts(content)
    with _turn_of(header):
        if not is_quick(header):
            from edgecls.imaging.apart import decode_apart  # rare, and a process of its own

            return decode_apart(content, header.format)
        frame = decode_rgb(content)
    if frame is None:
        raise PictureError(f"the {header.format} is cut off, damaged or too large")
    return frame


def is_quick(header: Header) -> bool:
    """Whether a picture that passed `check_claims` is sure to be decoded within a second or two."""
    if header.format == "JPEG":
        return True
    if header.format in _UNBOUNDED or header.size is None:
        return False
    return math.prod(header.size) <= MOST_QUICK_PIXELS


def _turn_of(header: Header) -> AbstractContextManager[object]:
    """Where memory is short, large pictures are decoded one at a time, in whatever threads."""
    pixels = math.prod(header.size) if header.size is not None else MAX_PIXELS
    is_large = MAX_PIXELS < FULL_PIXELS and pixels > MAX_PIXELS // 8
    return _IN_TURN if is_large else nullcontext()


def check_claims(header: Header, content: bytes) -> None:
    """Refuse before decoding what is too large, too long to decode, damaged or cut off.

    Raises:
        PictureError: See `decode`.
    """
    if header.size is not None and not 0 < header.size[0] * header.size[1] <= MAX_PIXELS:
        height, width = header.size
        raise PictureError(
            f"the {header.format} claims {width}x{height} pixels, at most"
            f" {MAX_PIXELS >> 20} megapixels are read",
            hint="scale it down first" + _MEMORY_HINT,
        )
    if header.format == "PNG":
        check_png(content)
    if header.format == "JPEG":
        check_jpeg_end(content)
        check_jpeg_length(header, content)
        check_jpeg_scans(content, header.frame_at)


def decode_rgb(content: bytes, reduction: int = 1) -> Frame | None:
    """Decode what was checked; None where OpenCV cannot.

    Args:
        content: A picture.
        reduction: 1, or for a JPEG 2, 4 or 8 times smaller sides, rounded up.
    """
    encoded = np.frombuffer(content, np.uint8)
    try:
        if _RGB:
            frame = cv2.imdecode(encoded, _REDUCED[reduction] | _RGB)
        else:
            frame = cv2.imdecode(encoded, _REDUCED[reduction] | cv2.IMREAD_COLOR)
            frame = None if frame is None else cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    except cv2.error:
        return None
    return None if frame is None else frame.astype(np.uint8, copy=False)
