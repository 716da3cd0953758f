"""Made-up frames that ship: the held-out digits, or plain colours, with faults on request.

Written `fake:NAME?option=value&option=value`:

    fake:digits             the 1,000 held-out digits as 640x480 frames, 30 a second
    fake:digits?fps=0       the same as fast as they are taken
    fake:colors?frames=50   50 frames of one colour each
    fake:colors?fail_after=20   a camera that is unplugged after 20 frames and can be opened again
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from edgecls.errors import PictureError, SourceError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2
from edgecls.sources import CapturedFrame, Closing

FRAME_SIZE = (480, 640)


@dataclass(frozen=True, slots=True)
class FakeOptions:
    """What can be asked of a fake source.

    Args:
        fps: Frames a second; 0 for as fast as they are taken (every frame, none dropped).
        frames: How many; 0 for as many as there are.
        loop: 1 to begin again at the end.
        fail_after: Be lost after so many frames; 0 for never.
        corrupt_every: Every so many frames one cannot be decoded; 0 for never.
    """

    fps: float = 30.0
    frames: int = 0
    loop: int = 0
    fail_after: int = 0
    corrupt_every: int = 0


class FakeSource(Closing):
    """Plays a list of made-up frames at a given pace."""

    is_sequence = True

    def __init__(
        self, name: str, options: FakeOptions, count: int, make: Callable[[int], tuple[Frame, str]]
    ) -> None:
        self.name = name
        self.is_live = options.fps > 0
        self._options = options
        self._count = options.frames or count
        self._available = count
        self._make = make
        self._started_s = time.monotonic()
        self._index = -1

    def read(self) -> CapturedFrame | None:
        """The next frame, when its time has come; None at the end."""
        options = self._options
        self._index += 1
        index = self._index
        if options.fail_after and index >= options.fail_after:
            raise SourceError("it was unplugged, as it was told to be")
        if index >= self._count and not options.loop:
            return None
        media_s = index / (options.fps or 30.0)
        if self.is_live:
            time.sleep(max(0.0, self._started_s + media_s - time.monotonic()))
        if options.corrupt_every and (index + 1) % options.corrupt_every == 0:
            raise PictureError(f"frame {index} is corrupt, as it was told to be")
        now = time.monotonic()
        pixels, truth = self._make(index % self._available)
        decode_ms = (time.monotonic() - now) * 1e3
        return CapturedFrame(pixels, index, media_s, now, decode_ms, truth=truth)


def open_source(text: str) -> FakeSource:
    """Open `fake:NAME?options`."""
    name, _, query = text.removeprefix("fake:").partition("?")
    options = _parse_options(text, query)
    if name == "digits":
        return _open_digits(text, options)
    if name == "colors":
        return FakeSource(text, options, len(_COLORS), _make_color)
    raise SourceError(f"there is no fake source {name!r}", hint="known: fake:digits, fake:colors")


def _parse_options(text: str, query: str) -> FakeOptions:
    known = dataclasses.asdict(FakeOptions())
    values = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in known:
            raise SourceError(
                f"{text!r} has the unknown option {key!r}", hint=f"known: {', '.join(known)}"
            )
        try:
            values[key] = _parse_number(value, type(known[key]))
        except ValueError as wrong:
            raise SourceError(
                f"{text!r}: {key} is {value!r}, wanted {wrong}",
                hint=f"leave it out for {known[key]}",
            ) from wrong
    return FakeOptions(**values)


def _parse_number(value: str, kind: type[Any]) -> Any:
    try:
        number = kind(value)
    except ValueError:
        raise ValueError("a number" if kind is float else "a whole number") from None
    if not 0 <= number <= 1e9:  # nan is not, either
        raise ValueError("0 or more")
    return number


def _open_digits(text: str, options: FakeOptions) -> FakeSource:
    from edgecls.pictures.digits import DigitPictures

    digits = DigitPictures()
    # In a fixed, mixed order: held-out positions are sorted by digit.
    order = np.random.default_rng(0).permutation(digits.held_out)

    def make(index: int) -> tuple[Frame, str]:
        position = int(order[index])
        return _show(digits.load_frame(position)), digits.labels[int(digits.targets[position])]

    return FakeSource(text, options, len(order), make)


def _show(digit: Frame) -> Frame:
    """A digit as a camera would see it on a screen: large, in the middle, black beside."""
    height, width = FRAME_SIZE
    frame = np.zeros((height, width, 3), np.uint8)
    left = (width - height) // 2
    large = cv2.resize(digit, (height, height), interpolation=cv2.INTER_NEAREST)
    frame[:, left : left + height] = large
    return frame


_COLORS = {
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "white": (255, 255, 255),
}


def _make_color(index: int) -> tuple[Frame, str]:
    name = list(_COLORS)[index]
    return np.full((*FRAME_SIZE, 3), _COLORS[name], np.uint8), name
