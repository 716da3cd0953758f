"""What can go wrong with a camera, on request, so that anybody can try what happens then."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecls.errors import SourceError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2

# Name -> how it is written; the number before the colon is the frame at which it begins.
FAULTS: Final = {
    "stall": "stall=50:3s (silent for 3 s before frame 50, then it goes on)",
    "hang": "hang=50 (before frame 50 the driver never answers again)",
    "close": "close=50 (the camera hangs up before frame 50, and can be opened again)",
    "corrupt": "corrupt=10 or corrupt=10:5 (frame 10, or 5 frames from it on, cannot be decoded)",
    "black": "black=10:20 (20 frames from frame 10 on are black)",
    "frozen": "frozen=10:20 (20 frames from frame 10 on are the same)",
    "resize": "resize=50:320x240 (from frame 50 on they are 320 wide and 240 high)",
    "slow": "slow=50:5 (from frame 50 on, 5 a second)",
    "leak": "leak=50:2 (from frame 50 on, each leaves 2 MB of memory behind)",
}
_WITH_COUNT: Final = ("corrupt", "black", "frozen")
_MOST: Final = 1e9
_LEAST: Final = 1e-6
_MOST_SIDE: Final = 4096


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: at which frame it begins, and how much of it (seconds, frames or rate).

    Args:
        begin: Frame, from 0.
        amount: Seconds of a stall, frames of a span, frames a second, MB; unused by others.
        size: (height, width) after a change of size.
    """

    begin: int
    amount: float = 0.0
    size: tuple[int, int] = (0, 0)


class Faults:
    """The faults of one opened source.

    Args:
        timeout_s: After how many silent seconds a source says that it is lost.
        faults: By their names in `FAULTS`.
    """

    def __init__(self, timeout_s: float = 5.0, faults: Mapping[str, Fault] | None = None) -> None:
        self._timeout_s = timeout_s
        self._faults = dict(faults or {})
        self._leaked: list[bytes] = []

    def interrupt(self, index: int) -> float:
        """Do what happens before a frame; returns by how many seconds it delays all that follow.

        Raises:
            SourceError: The camera hung up, or was silent for longer than the timeout.
        """
        leak = self._faults.get("leak")
        if leak is not None and index >= leak.begin:
            self._leaked.append(os.urandom(1) * round(leak.amount * 1e6))
        close, hang, stall = (self._faults.get(name) for name in ("close", "hang", "stall"))
        if close is not None and index >= close.begin:
            raise SourceError("it hung up, as it was told to")
        if hang is not None and index == hang.begin:
            threading.Event().wait()
        if stall is None or index != stall.begin:
            return 0.0
        time.sleep(min(stall.amount, self._timeout_s))
        if stall.amount > self._timeout_s:
            raise SourceError(f"it sent nothing for {self._timeout_s:g} s, as it was told to")
        return stall.amount

    def delay_s(self, index: int, fps: float) -> float:
        """When a frame is due, in seconds from the start."""
        slow = self._faults.get("slow")
        if slow is None or index <= slow.begin:
            return index / fps
        return slow.begin / fps + (index - slow.begin) / slow.amount

    def is_corrupt(self, index: int) -> bool:
        """Whether a frame cannot be decoded."""
        return self._spans("corrupt", index)

    def shown(self, index: int) -> int:
        """The number of the frame that is shown: another one where the picture is frozen."""
        return self._faults["frozen"].begin if self._spans("frozen", index) else index

    def change(self, index: int, frame: Frame) -> Frame:
        """The frame as the fault leaves it, black or of another size."""
        resize = self._faults.get("resize")
        if resize is not None and index >= resize.begin:
            frame = cv2.resize(frame, resize.size[::-1]).astype(np.uint8, copy=False)
        return np.zeros_like(frame) if self._spans("black", index) else frame

    def _spans(self, name: str, index: int) -> bool:
        fault = self._faults.get(name)
        return fault is not None and fault.begin <= index < fault.begin + fault.amount


def parse_fault(name: str, value: str) -> Fault:
    """Read what stands behind `name=`.

    Raises:
        ValueError: Not of the form that `FAULTS` shows; its text says what was wanted.
    """
    begin, colon, rest = value.partition(":")
    at = parse_number(begin, int)
    if name in ("hang", "close"):
        if colon:
            raise ValueError("the number of a frame")
        return Fault(at)
    if name in _WITH_COUNT:
        return Fault(at, float(parse_number(rest, int) if colon else 1))
    if name == "resize":
        return Fault(at, size=_parse_size(rest))
    amount = parse_number(rest.removesuffix("s") if name == "stall" else rest, float)
    if name == "slow" and not amount:
        raise ValueError("more than 0 frames a second")
    return Fault(at, amount)


def parse_number(value: str, kind: type[Any]) -> Any:
    """A number of 0 or more.

    Raises:
        ValueError: None; its text says what was wanted.
    """
    try:
        number = kind(value)
    except ValueError:
        raise ValueError("a number" if kind is float else "a whole number") from None
    if not 0 <= number <= _MOST:  # nan is not, either
        raise ValueError("0 or more")
    if 0 < number < _LEAST:  # so slow that no clock can wait for the next frame
        raise ValueError(f"0, or {_LEAST} or more")
    return number


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    sides = parse_number(height, int), parse_number(width, int)
    if not all(1 <= side <= _MOST_SIDE for side in sides):
        raise ValueError(f"sides of 1 to {_MOST_SIDE}")
    return sides
