"""A frame as people see it in a browser: small, and the camera's own JPEG where that will do."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecls.errors import PictureError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame, check_claims, decode, decode_rgb
from edgecls.imaging.header import read_header
from edgecls.imaging.opencv import cv2

# As wide as a phone shows it. Encoding 640x480 takes a quarter of what 1280x720 takes.
MAX_WIDTH: Final = 640
# 15 a second of these are 16 Mbit/s, what the radio of a small board carries at its best.
PASSED_ON_BYTES: Final = 128 << 10
# Edges are visible below 75; above 85 a picture doubles.
_QUALITY: Final = 80


def to_shown_jpeg(frame: CapturedFrame) -> bytes:
    """What the model looks at, as a JPEG of at most 640 pixels across.

    A JPEG of the camera is passed on untouched, at its own size, where it is at most 128 KiB and
    nothing of it is turned, mirrored or cut.

    Raises:
        PictureError: It cannot be decoded.
        InvalidValueError: The view's region reaches beyond the frame.
    """
    is_small = 0 < len(frame.jpeg) <= PASSED_ON_BYTES
    if is_small and frame.view.is_plain:
        header = read_header(frame.jpeg)
        if header.format == "JPEG":
            check_claims(header, frame.jpeg)  # a browser would be busy with it for as long as we
            return frame.jpeg
    pixels = _decode(frame) if frame.jpeg or frame.pixels is None else frame.pixels
    return encode_shown(pixels)


def encode_shown(pixels: Frame) -> bytes:
    """Pixels (uint8 RGB, (height, width, 3)) as a JPEG of at most 640 pixels across.

    Raises:
        PictureError: They cannot be encoded.
    """
    height, width = pixels.shape[:2]
    if width > MAX_WIDTH:
        size = MAX_WIDTH, max(1, round(height * MAX_WIDTH / width))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    picture = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    is_done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not is_done:
        raise PictureError("the frame cannot be encoded as JPEG")
    return encoded.tobytes()


def _decode(frame: CapturedFrame) -> Frame:
    """The camera's JPEG, not much larger than it will be shown."""
    header = read_header(frame.jpeg)
    reduction = 1
    if header.format == "JPEG" and header.size is not None:
        width = frame.view.size_of(header.size)[1]
        reduction = next((by for by in (8, 4, 2) if width >= by * MAX_WIDTH), 1)
    if reduction == 1:
        return frame.view.look(decode(frame.jpeg))
    check_claims(header, frame.jpeg)
    pixels = decode_rgb(frame.jpeg, reduction)
    if pixels is None:
        raise PictureError("the JPEG is cut off, damaged or too large")
    return frame.view.look(pixels, reduction)
