"""Golden frames: held-out pictures as a camera would send them, small enough for a model file."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecls.contract.golden import GoldenFrame, fingerprint
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DatasetError, PictureError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import Image, prepare
from edgecls.verification import prepare_scaled

MOST_FRAME_BYTES: Final = 64 << 10
_QUALITY: Final = 90
# In sixteenths of the model's size, different for height and width: preparing then has to halve
# once, to crop or stretch, and to interpolate, and a mistake in any of them shows.
_ENLARGED: Final = (37, 43)
_SMALLEST_FRAME: Final = 32
# Segments that change how pixels are decoded; all others (EXIF with place and time, thumbnails,
# comments, colour profiles) stay behind. ITU-T T.81, table B.1: 0xE0 JFIF, 0xEE Adobe.
_KEPT_APPLICATION_SEGMENTS: Final = (0xE0, 0xEE)
_COMMENT: Final = 0xFE
_SCAN: Final = 0xDA


def make_frame(stored: bytes, frame: Frame, preprocessing: Preprocessing) -> bytes:
    """A picture as JPEG.

    Args:
        stored: As it lies on disk; kept if it is a JPEG, upright, and small and large enough.
        frame: What it decodes to, uint8 RGB.
        preprocessing: Of the model.

    Returns:
        At most 64 KiB, wherever that is possible with more than the model's own pixels.
    """
    if stored.startswith(b"\xff\xd8\xff") and _is_larger(frame, preprocessing):
        bare = strip_jpeg(stored)
        if len(bare) <= MOST_FRAME_BYTES and _decodes_to(bare, frame):
            return bare
    if not _is_larger(frame, preprocessing):
        frame = _colored(_resized(frame, _enlarged_size(preprocessing)))
    encoded = _encode(frame)
    while len(encoded) > MOST_FRAME_BYTES:
        smaller = (frame.shape[0] * 3 // 4, frame.shape[1] * 3 // 4)
        if not _covers(smaller, preprocessing) or min(smaller) < _SMALLEST_FRAME:
            break
        frame = _resized(frame, smaller)
        encoded = _encode(frame)
    return encoded


def to_golden(jpeg: bytes, preprocessing: Preprocessing) -> tuple[GoldenFrame, Image]:
    """What this machine makes of a JPEG: sums of the decoded frame, and the image.

    Raises:
        DatasetError: It cannot be decoded.
    """
    try:
        pixels = decode(jpeg)
    except PictureError as wrong:
        raise DatasetError(f"a golden frame cannot be decoded: {wrong.problem}") from wrong
    scaled = prepare_scaled(jpeg, preprocessing)
    frame = GoldenFrame(jpeg, fingerprint(pixels), fingerprint(scaled))
    return frame, prepare(pixels, preprocessing)


def strip_jpeg(content: bytes) -> bytes:
    """A JPEG without what is not needed to decode it: no place, no time, no thumbnail."""
    parts, position = [content[:2]], 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == _SCAN:
            break
        end = position + 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        is_application = 0xE0 <= marker <= 0xEF
        if marker != _COMMENT and (not is_application or marker in _KEPT_APPLICATION_SEGMENTS):
            parts.append(content[position:end])
        position = end
    return b"".join([*parts, content[position:]])


def _decodes_to(jpeg: bytes, frame: Frame) -> bool:
    """Whether it is the picture, without the EXIF orientation that may have turned it."""
    try:
        return np.array_equal(decode(jpeg), frame)
    except PictureError:
        return False


def _is_larger(frame: Frame, preprocessing: Preprocessing) -> bool:
    """Whether preparing it has something to resize."""
    height, width = frame.shape[:2]
    return _covers((height, width), preprocessing) and (height, width) != preprocessing.size


def _covers(size: tuple[int, int], preprocessing: Preprocessing) -> bool:
    return size[0] >= preprocessing.size[0] and size[1] >= preprocessing.size[1]


def _enlarged_size(preprocessing: Preprocessing) -> tuple[int, int]:
    height, width = preprocessing.size
    return (height * _ENLARGED[0] // 16, width * _ENLARGED[1] // 16)


def _resized(frame: Frame, size: tuple[int, int]) -> Frame:
    return prepare(frame, Preprocessing(size, "RGB", "stretch"))


def _colored(frame: Frame) -> Frame:
    """A tinge of yellow in what is gray: else nobody would notice red and blue swapped."""
    if np.array_equal(frame[:, :, 0], frame[:, :, 2]):
        frame = frame.copy()
        frame[:, :, 2] -= frame[:, :, 2] // 4
    return frame


def _encode(frame: Frame) -> bytes:
    bgr = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return content.tobytes()
