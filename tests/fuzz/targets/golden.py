"""Golden vectors, as they stand in a model file."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence
from typing import Final

import numpy as np

from edgecls.contract.golden import GoldenFrame, GoldenVectors
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target
from tests.support.mjpeg_server import BLUE, RED


def _seeds() -> list[bytes]:
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    outputs = np.array([[1, 2, 253], [0, 0, 255]], np.uint8)
    frames = tuple(GoldenFrame(jpeg, bytes(32)) for jpeg in (RED, BLUE))
    vectors = [GoldenVectors(images, outputs), GoldenVectors(images, outputs, frames)]
    return [each.to_npz() for each in vectors]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    content = chance.choice(seeds)
    if chance.random() < 0.3:
        return mutate(chance, content, seeds)
    # The sums of an archive hide most damage from its reader, so it is damaged inside.
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            inside = old.read(name)
            changed = mutate(chance, inside, head=128) if chance.random() < 0.5 else inside
            new.writestr(name, changed)
    return packed.getvalue()


def read(content: bytes) -> str:
    """Read them."""
    return f"accepted, {'with' if GoldenVectors.from_npz(content).frames else 'without'} frames"


TARGET: Final = Target("golden vectors", _seeds, _mutate, read, limit_s=5.0, memory_mb=100)
