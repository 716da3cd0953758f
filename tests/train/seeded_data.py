"""Generated photos without problems, and every problem that a check shall find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

CLASSES = ("ball", "box", "star")
PER_CLASS = 24
SIZE = (120, 160)

Frame = npt.NDArray[np.uint8]


def photo(label: str, random: np.random.Generator, size: tuple[int, int] = SIZE) -> Frame:
    """A thing on clouds of its own: BGR, no two alike."""
    height, width = size
    clouds = cv2.resize(
        random.integers(0, 255, (6, 8, 3)).astype(np.uint8),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    center = (int(random.uniform(0.35, 0.65) * width), int(random.uniform(0.35, 0.65) * height))
    _PAINTERS[label](clouds, center, int(random.uniform(0.2, 0.32) * height))
    noise = random.integers(-8, 9, clouds.shape)
    return np.clip(clouds.astype(int) + noise, 0, 255).astype(np.uint8)


def write_photos(root: Path, per_class: int = PER_CLASS, seed: int = 11) -> Path:
    """`root/<label>/photo-<hex>.jpg`: names in no order of time."""
    random = np.random.default_rng(seed)
    for label in CLASSES:
        for _ in range(per_class):
            save(root / label / f"photo-{random.bytes(4).hex()}.jpg", photo(label, random))
    return root


def save(path: Path, frame: Frame, quality: int = 92) -> Path:
    """Write a picture, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    assert cv2.imwrite(str(path), frame, settings)
    return path


def load(path: Path) -> Frame:
    """BGR pixels."""
    frame = cv2.imread(str(path))
    assert frame is not None
    return frame.astype(np.uint8)


def first(root: Path, label: str, number: int = 0) -> Path:
    """The picture with this number in its class, by name."""
    return sorted((root / label).glob("photo-*.jpg"))[number]


# What people do to a picture without noticing that it is still the same.
COPIES: dict[str, Callable[[Frame], Frame]] = {
    "re-encoded": lambda frame: frame,
    "halved": lambda frame: cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "enlarged": lambda frame: cv2.resize(frame, None, fx=1.7, fy=1.7),
    "brightened": lambda frame: np.clip(frame.astype(int) + 30, 0, 255).astype(np.uint8),
    "darkened": lambda frame: (frame * 0.7).astype(np.uint8),
    "cropped by 3% all around": lambda frame: frame[4:-4, 5:-5],
    "cropped by 5% at one corner": lambda frame: frame[6:, 8:],
}


def write_burst(root: Path, label: str, frames: int = 5) -> list[Path]:
    """A thing that wanders over the same clouds, two pixels a frame."""
    wide = photo(label, np.random.default_rng(99), (SIZE[0] + 8, SIZE[1] + 2 * frames))
    return [
        save(
            root / label / f"frame-{number:03d}.jpg",
            wide[4 : 4 + SIZE[0], 2 * number : 2 * number + SIZE[1]],
        )
        for number in range(frames)
    ]


def _paint_ball(frame: Frame, center: tuple[int, int], radius: int) -> None:
    cv2.circle(frame, center, radius, (30, 30, 220), thickness=-1)
    cv2.circle(frame, center, radius, (0, 0, 60), thickness=3)


def _paint_box(frame: Frame, center: tuple[int, int], radius: int) -> None:
    x, y = center
    cv2.rectangle(frame, (x - radius, y - radius), (x + radius, y + radius), (40, 160, 40), -1)
    cv2.line(frame, (x - radius, y), (x + radius, y), (200, 250, 200), 4)


def _paint_star(frame: Frame, center: tuple[int, int], radius: int) -> None:
    angles = np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, radius * 0.4, radius * 1.2)
    points = np.stack([np.sin(angles) * radii, -np.cos(angles) * radii], axis=1) + center
    cv2.fillPoly(frame, [points.astype(np.int32)], (20, 230, 250))


_PAINTERS: dict[str, Callable[[Frame, tuple[int, int], int], None]] = {
    "ball": _paint_ball,
    "box": _paint_box,
    "star": _paint_star,
}
