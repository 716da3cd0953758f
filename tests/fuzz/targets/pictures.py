"""Pictures, at full size and as a camera's frames are decoded."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import PictureError
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import MAX_PIXELS, cv2
from edgecls.imaging.scaled import decode_scaled
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target
from tests.support import odd_pictures as odd

_SMALL: Final = Preprocessing((16, 16))


def _seeds() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    pixels[8:30, 10:40] = (200, 30, 90)
    gray = np.ascontiguousarray(pixels[..., 0])
    jpeg = _encoded(".jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, 80)
    rows = b"".join(b"\0" + bytes([3 * y % 256] * 28) for y in range(20))
    palette = odd.png_chunk(b"PLTE", bytes(range(48)))
    return [
        jpeg,
        odd.with_exif(jpeg, odd.exif(6)),
        _encoded(".jpg", gray, cv2.IMWRITE_JPEG_QUALITY, 60),
        _encoded(".jpg", pixels, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        _encoded(".jpg", pixels, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        _encoded(".png", pixels),
        _encoded(".png", pixels.astype(np.uint16) * 257),
        odd.png((20, 28), odd.GRAY, rows),
        odd.png((20, 7), odd.PALETTE, b"".join(b"\0" + bytes(4) for _ in range(20)), bits=4,
                chunks=palette),
        *(_encoded(kind, pixels) for kind in (".webp", ".bmp", ".tiff", ".gif", ".ppm")),
    ]  # fmt: skip


def _encoded(kind: str, pixels: Any, *settings: int) -> bytes:
    is_done, content = cv2.imencode(kind, pixels, list(settings))
    return bytes(content) if is_done else b""


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    return mutate(chance, chance.choice(seeds), seeds, head=chance.choice((0, 32, 200)))


def read(content: bytes) -> str:
    """As a file, then as a frame."""
    frame = decode(content)
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise AssertionError(f"a frame is {frame.dtype} {frame.shape}")
    if not 0 < frame.shape[0] * frame.shape[1] <= MAX_PIXELS:
        raise AssertionError(f"a frame has the size {frame.shape}")
    try:
        decode_scaled(content, _SMALL)
    except PictureError:
        return "decoded, but not as a camera's frame"
    return "decoded"


TARGET: Final = Target("pictures", _seeds, _mutate, read, limit_s=20.0, memory_mb=450)
