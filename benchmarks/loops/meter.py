"""What every loop under test reports of itself; standard library only, so that it runs anywhere."""

from __future__ import annotations

import json
import resource
import sys
import time


class Meter:
    """Counts from the first frame behind the warm-up to the last.

    Args:
        frames: Measured frames.
        warmup: Frames before them.
    """

    def __init__(self, frames: int, warmup: int) -> None:
        self._frames = frames
        self._warmup = warmup
        self._count = 0
        self._started = (0.0, 0.0)
        self.predicted: list[tuple[int, float]] = []

    def note(self, index: int) -> bool:
        """A prediction for the source's frame `index` is there; returns whether to go on."""
        self.predicted.append((index, time.monotonic()))
        self._count += 1
        if self._count == 1:
            print("first prediction", flush=True)
        if self._count == self._warmup:
            self._started = (time.process_time(), time.monotonic())
        return self._count < self._warmup + self._frames

    def report(self) -> None:
        """Print one line of JSON."""
        cpu_s = time.process_time() - self._started[0]
        wall_s = time.monotonic() - self._started[1]
        result = {
            "cpu_ms": cpu_s / self._frames * 1e3,
            "fps": self._frames / wall_s,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "predicted": self.predicted[self._warmup :],
        }
        print(json.dumps(result), flush=True)


def arguments() -> tuple[str, str, int, int]:
    """Model, URL, frames and warm-up from the command line."""
    return sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
