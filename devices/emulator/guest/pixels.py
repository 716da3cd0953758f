"""Prints a fingerprint of what decoding and preparing give, for many sizes, as one JSON object.

The same on every machine, or one of them sees other pictures than the model was trained with.
Run: python3 pixels.py PICTURE...  ; with pictures it decodes these, too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecls.contract.preprocessing import Crop, Preprocessing
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import prepare
from edgecls.imaging.scaled import decode_scaled

FRAMES: Final = (
    *((480, 640), (720, 1280), (1080, 1920), (240, 320), (600, 800), (1232, 1640)),
    *((33, 47), (1, 500), (500, 1), (97, 101), (333, 517), (28, 28), (224, 224)),
)
IMAGES: Final = ((28, 28), (32, 32), (96, 96), (96, 128), (128, 128), (160, 160), (224, 224))
CROPS: Final[tuple[tuple[Crop, float], ...]] = (
    ("center", 1.0),
    ("center", 0.875),
    ("stretch", 1.0),
    ("pad", 1.0),
)


def made_frame(height: int, width: int) -> Any:
    """Slopes, edges and noise in whole numbers: uint8 RGB, (height, width, 3)."""
    rows, columns = np.mgrid[:height, :width]
    waves = np.stack([rows * 2 + columns, rows * columns // 9, (rows - columns) * 3], axis=-1)
    noise = np.random.default_rng(height * width).integers(0, 32, (height, width, 3))
    return ((waves + noise) % 256).astype(np.uint8)


def encode(frame: Any, *flags: int) -> bytes:
    """A JPEG of it."""
    content: bytes = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), flags)[
        1
    ].tobytes()
    return content


def fingerprint(pixels: Any) -> str:
    """The first 16 hex digits of the SHA-256 of shape and pixels."""
    found = hashlib.sha256(str(pixels.shape).encode())
    found.update(np.ascontiguousarray(pixels).tobytes())
    return found.hexdigest()[:16]


def look_at(name: str, jpeg: bytes, found: dict[str, str]) -> None:
    """Note what a JPEG is decoded to, at its full size and as small as each model allows."""
    frame = decode(jpeg)
    found[f"decode {name}"] = fingerprint(frame)
    for size in ((28, 28), (96, 96), (160, 160), (224, 224)):
        wish = Preprocessing(size)
        found[f"scaled {name} {size}"] = fingerprint(decode_scaled(jpeg, wish))
    found[f"prepared {name}"] = fingerprint(prepare(frame, Preprocessing((224, 224))))


def main() -> None:
    """See the top of this file."""
    found: dict[str, str] = {}
    for size in FRAMES:
        frame = made_frame(*size)
        for image, (crop, fraction) in itertools.product(IMAGES, CROPS):
            wish = Preprocessing(image, crop=crop, crop_fraction=fraction)
            if image == (28, 28):
                wish = dataclasses.replace(wish, channels="GRAY")
            found[f"prepare {size} {wish}"] = fingerprint(prepare(frame, wish))
    for size in FRAMES[:6]:
        frame = made_frame(*size)
        look_at(f"{size} 4:2:0", encode(frame, cv2.IMWRITE_JPEG_QUALITY, 85), found)
        full = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
        look_at(f"{size} 4:4:4", encode(frame, *full, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), found)
    for path in map(Path, sys.argv[1:]):
        look_at(path.name, path.read_bytes(), found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
