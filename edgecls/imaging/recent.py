"""The last frames that people were shown, so that what they point at is what they saw."""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from collections import OrderedDict
from typing import Final

import numpy as np

from edgecls.errors import EdgeclsError
from edgecls.imaging.captured import CapturedFrame

# 70 frames of 640x480 pixels, ten of 1920x1080; as JPEG a thousand and more.
KEPT_BYTES: Final = 64 << 20
# For whoever sees a frame, decides and presses; frames that are so large that fewer would fit are
# shown less often.
KEPT_S: Final = 0.5
# A page whose connection breaks is back within seconds.
_LINGER_S: Final = 15.0


class FrameGoneError(EdgeclsError, LookupError):
    """The frame that somebody saw is not kept any more."""


class Recent:
    """Frames by their numbers, at full size; those shown the longest ago go first.

    A number belongs to one run of a program: of another run there is no frame.

    Args:
        limit_bytes: Of all frames together; the newest is kept whatever its size.
    """

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self.run = secrets.token_hex(6)
        self._limit_bytes = limit_bytes
        self._frames: OrderedDict[int, CapturedFrame] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """What the frames take."""
        return self._bytes

    def add(self, frame: CapturedFrame) -> None:
        """Keep a frame that is about to be shown."""
        if frame.jpeg:  # pixels can be had of it again
            frame = dataclasses.replace(frame, pixels=None)
        with self._lock:
            self._drop(frame.index)
            self._frames[frame.index] = frame
            self._bytes += weigh(frame)
            while self._bytes > self._limit_bytes and len(self._frames) > 1:
                self._drop(next(iter(self._frames)))

    def find(self, run: str, number: int) -> CapturedFrame:
        """The frame that was shown under a number.

        Raises:
            FrameGoneError: It is not kept any more, or was shown by another run.
        """
        with self._lock:
            frame = self._frames.get(number) if run == self.run else None
        if frame is None:
            raise FrameGoneError(
                "the picture that was on the screen is not kept any more: nothing was taken",
                hint="look at the picture that is there now, and press again",
            )
        return frame

    def expire(self, shown_s: float) -> None:
        """Forget all of them when nobody has looked for a while.

        Args:
            shown_s: `time.monotonic()` when somebody was shown the last one.
        """
        if time.monotonic() - shown_s <= _LINGER_S:
            return
        with self._lock:
            self._frames.clear()
            self._bytes = 0

    def least_s(self, frame: CapturedFrame) -> float:
        """For how long to show a frame at least, so that it is still kept `KEPT_S` later."""
        return KEPT_S * weigh(frame) / self._limit_bytes

    def _drop(self, number: int) -> None:
        frame = self._frames.pop(number, None)
        self._bytes -= 0 if frame is None else weigh(frame)


def weigh(frame: CapturedFrame) -> int:
    """The bytes that a frame keeps in memory: a part of an array keeps the whole."""
    if frame.jpeg or frame.pixels is None:
        return len(frame.jpeg)
    whole = frame.pixels
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    return whole.nbytes
