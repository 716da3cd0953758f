"""The same bytes on every machine: hashes of prepared frames, recorded on x86-64.

Needs nothing but numpy, OpenCV and edgecls, so that it runs on a board as it stands.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.prepare import prepare


def seeded_frame(height: int, width: int) -> Any:
    """Waves in whole numbers, and noise: edges, slopes and every value there is."""
    rows, columns = np.mgrid[:height, :width]
    waves = np.stack([rows * 3 + columns, rows * columns // 7, (rows - columns) * 5], axis=-1)
    noise = np.random.default_rng(2026).integers(0, 64, (height, width, 3))
    return ((waves + noise) % 256).astype(np.uint8)


def test_the_seeded_frame_is_the_same_here() -> None:
    assert digest(seeded_frame(480, 640)) == "95387c011ea3fe8d"


def digest(image: Any) -> str:
    """The first 16 hex digits of the SHA-256 of the pixels."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("frame_size", "preprocessing", "recorded"),
    [
        pytest.param((480, 640), Preprocessing((224, 224)), "b24e43e0ea25ae26", id="VGA to 224"),
        pytest.param((720, 1280), Preprocessing((224, 224)), "0565f540c939e0dc", id="720p to 224"),
        pytest.param((720, 1280), Preprocessing((96, 96)), "650d45d915ec7bcb", id="720p to 96"),
        pytest.param(
            (1080, 1920),
            Preprocessing((320, 320), crop_fraction=0.875),
            "e8d024cc121a92eb",
            id="1080p to 320",
        ),
        pytest.param(
            (480, 640), Preprocessing((28, 28), "GRAY"), "6e5629c3fa9f763f", id="VGA to 28 in gray"
        ),
        pytest.param(
            (480, 640),
            Preprocessing((240, 320), crop="stretch"),
            "d103d9e52cf09524",
            id="VGA stretched to exactly half",
        ),
        pytest.param(
            (480, 640),
            Preprocessing((160, 160), crop="pad"),
            "b2135193cb27fb00",
            id="VGA padded to 160",
        ),
        pytest.param(
            (333, 517),
            Preprocessing((96, 128), "GRAY", "stretch"),
            "f4101a26de915208",
            id="odd sides",
        ),
        pytest.param((100, 100), Preprocessing((224, 224)), "85c34a8f9518ecc5", id="enlarged"),
        pytest.param(
            (3, 1000),
            Preprocessing((32, 32), crop="stretch"),
            "323de0ac3ad1e961",
            id="a thin strip",
        ),
    ],
)
def test_prepared_frames_are_the_recorded_bytes(
    frame_size: tuple[int, int], preprocessing: Preprocessing, recorded: str
) -> None:
    assert digest(prepare(seeded_frame(*frame_size), preprocessing)) == recorded
