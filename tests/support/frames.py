"""Frames, and the events that speak of them, as the loop gives them to sinks."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgecls.contract.events import ChangeEvent, Prediction, PredictionEvent
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2

NOON: Final = 1_793_880_000.0  # 2026-11-05 12:00:00 UTC


def scene(number: int, size: tuple[int, int] = (48, 64)) -> Frame:
    """A picture of blocks, as different from that of any other number as noise is."""
    blocks = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    height, width = size
    return blocks.repeat(height // 6, 0).repeat(width // 8, 1)


def jpeg_of(pixels: Frame) -> bytes:
    """As a camera would send it."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def frame(number: int, *, is_jpeg: bool = False) -> CapturedFrame:
    """Frame `number`, with `scene(number)` in it."""
    pixels = scene(number)
    return CapturedFrame(pixels, number, number / 30, jpeg=jpeg_of(pixels) if is_jpeg else b"")


def prediction(
    number: int, label: str = "cat", score: float = 0.9, time: float = NOON, steady: str = ""
) -> PredictionEvent:
    """What the loop says of frame `number`."""
    best = [Prediction(0, label, score), Prediction(1, "dog", 1 - score)]
    return PredictionEvent(number, time, label, score, best, 12.0, steady=steady)


def change(number: int, label: str, previous: str = "unknown", score: float = 0.8) -> ChangeEvent:
    """A change of the steady label at frame `number`."""
    return ChangeEvent(number, NOON, label, previous, score)
