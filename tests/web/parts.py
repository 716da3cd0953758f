"""Drawn pictures of a tray with parts on it: pleasant to look at, and each of a known label."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np

from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import brightness_of

LABELS: Final = ("lens covered", "empty tray", "hex nut", "washer", "glare")
SIZE: Final = (480, 640)
_STEEL: Final = (196, 202, 206)


def draw_parts(label: str, turn: int = 0, light: int = 0) -> Frame:
    """A frame (uint8 RGB, (480, 640, 3)) that the tiny model of `LABELS` classifies as `label`.

    Args:
        label: One of `LABELS`.
        turn: Degrees by which the part is turned, for frames that differ.
        light: Gray levels brighter than its label likes best; beyond 12 the score falls.
    """
    picture = _tray().copy()
    if label == "hex nut":
        _draw_nut(picture, turn)
    elif label == "washer":
        _draw_washer(picture, turn)
    wanted = brightness_of(LABELS.index(label), len(LABELS)) + light
    return _expose(picture, wanted)


@functools.cache
def _tray() -> Frame:
    height, width = SIZE
    across = np.linspace(-1, 1, width)[None, :]
    down = np.linspace(-1, 1, height)[:, None]
    light = 150 - 45 * (across**2 + down**2)
    grain = np.random.default_rng(0).normal(0, 5, SIZE)
    base = (light + cv2.GaussianBlur(grain, (0, 0), 1.2)).clip(0, 255)
    tinted = base[:, :, None] * np.array([0.92, 0.97, 1.0])
    picture = tinted.astype(np.uint8)
    cv2.rectangle(picture, (60, 45), (width - 60, height - 45), (104, 112, 120), 6, cv2.LINE_AA)
    return picture


def _draw_nut(picture: Frame, turn: int) -> None:
    angles = np.deg2rad(np.arange(0, 360, 60) + turn)
    corners = np.stack([320 + 120 * np.cos(angles), 240 + 120 * np.sin(angles)], 1)
    _cast_shadow(picture, corners.astype(np.int32))
    cv2.fillPoly(picture, [corners.astype(np.int32)], _STEEL, cv2.LINE_AA)
    cv2.circle(picture, (320, 240), 96, (172, 178, 184), 3, cv2.LINE_AA)
    cv2.circle(picture, (320, 240), 62, (58, 62, 68), -1, cv2.LINE_AA)
    cv2.circle(picture, (320, 240), 70, (140, 146, 152), 4, cv2.LINE_AA)


def _draw_washer(picture: Frame, turn: int) -> None:
    centre = (320 + turn // 6, 240)
    angles = np.deg2rad(np.arange(0, 360, 5))
    rim = np.stack([centre[0] + 130 * np.cos(angles), centre[1] + 130 * np.sin(angles)], 1)
    _cast_shadow(picture, rim.astype(np.int32))
    cv2.circle(picture, centre, 130, _STEEL, -1, cv2.LINE_AA)
    cv2.circle(picture, centre, 122, (216, 221, 224), 3, cv2.LINE_AA)
    cv2.circle(picture, centre, 64, (92, 98, 104), -1, cv2.LINE_AA)


def _cast_shadow(picture: Frame, outline: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> None:
    shade = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(shade, [outline + np.array([12, 16], np.int32)], 110)
    soft = cv2.GaussianBlur(shade, (0, 0), 12)[:, :, None] / 255
    picture[:] = (picture * (1 - soft)).astype(np.uint8)


def _expose(picture: Frame, wanted: int) -> Frame:
    """The same picture with a mean brightness of `wanted`, as far as white and black allow."""
    gain = 1.0
    few = picture[::8, ::8]
    for _ in range(12):
        lit = np.clip(few * gain, 0, 255)
        gain *= wanted / max(1.0, float(lit.mean()))
    return np.clip(picture * gain, 0, 255).astype(np.uint8)
