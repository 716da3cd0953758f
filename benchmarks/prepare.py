"""How long preparing a frame takes, as ratios to OpenCV's own ways of resizing.

Run: python benchmarks/prepare.py [REPETITIONS]

`prepare` crops, resizes with antialiasing and converts colour. INTER_AREA also smooths, but differs
between machines; INTER_LINEAR does not smooth, so fine detail turns into noise. All three get the
same crop, and all run in turns, so that a busy moment of the machine hits them alike.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import crop_center, prepare

CAMERAS = ((480, 640), (720, 1280), (1080, 1920))
MODELS = ((96, 96), (128, 128), (224, 224), (320, 320))
REPETITIONS = 60
PER_TURN = 5  # runs timed together: a single one can be shorter than the clock is exact


def main(repetitions: int = REPETITIONS) -> None:
    """Print one row for each camera and model size."""
    print(f"OpenCV {cv2.__version__}, {platform.machine()}, 1 thread, medians of {repetitions}")
    print(
        f"{'camera':>11} {'model':>9} {'prepare':>10} {'AREA':>8} {'LINEAR':>8}   (times prepare)"
    )
    for camera in CAMERAS:
        frame = np.random.default_rng(0).integers(0, 256, (*camera, 3), np.uint8)
        for model in MODELS:
            ours, area, linear = measure(frame, Preprocessing(model), repetitions)
            print(
                f"{camera[1]:>6}x{camera[0]:<4} {model[1]:>5}x{model[0]:<3} {ours:>7.3f} ms"
                f" {area / ours:>8.2f} {linear / ours:>8.2f}",
                flush=True,
            )


def measure(frame: Frame, preprocessing: Preprocessing, repetitions: int) -> list[float]:
    """Median ms of `prepare`, INTER_AREA and INTER_LINEAR, measured in turns."""
    out = np.empty(preprocessing.shape, np.uint8)
    height, width = preprocessing.size

    def resize(method: int) -> None:
        cv2.resize(crop_center(frame, (height, width), 1.0), (width, height), out, 0, 0, method)

    ways: list[Callable[[], object]] = [
        lambda: prepare(frame, preprocessing, out),
        lambda: resize(cv2.INTER_AREA),
        lambda: resize(cv2.INTER_LINEAR),
    ]
    times_ms: list[list[float]] = [[] for _ in ways]
    for _ in range(repetitions):
        for way, times in zip(ways, times_ms, strict=True):
            started = time.perf_counter()
            for _ in range(PER_TURN):
                way()
            times.append((time.perf_counter() - started) / PER_TURN * 1e3)
    return [median(times) for times in times_ms]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPETITIONS)
