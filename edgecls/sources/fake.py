"""Made-up frames that ship: the held-out digits, or plain colours, with faults on request.

Written `fake:NAME?option=value&option=value`:

    fake:digits             the 1,000 held-out digits as 640x480 frames, 30 a second
    fake:digits?fps=0       the same as fast as they are taken
    fake:colors?frames=50   50 frames of one colour each
    fake:colors?fail_after=20   a camera that is unplugged after 20 frames and can be opened again
    fake:digits?jpeg=1      as JPEGs, like a webcam that sends MJPG
    fake:digits?stall=50:3s&corrupt=10   silent for 3 s before frame 50; frame 10 cannot be decoded

All faults are in `edgecls.sources.faults`; frames are counted from 0, anew at each opening.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import numpy as np

from edgecls.errors import NoSuchSourceError, PictureError, SourceError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2
from edgecls.sources import CapturedFrame, Closing, SourceWishes
from edgecls.sources.faults import FAULTS, Faults, parse_fault, parse_number

FRAME_SIZE = (480, 640)


@dataclass(frozen=True, slots=True)
class FakeOptions:
    """What can be asked of a fake source, beside faults.

    Args:
        fps: Frames a second; 0 for as fast as they are taken (every frame, none dropped).
        frames: How many; 0 for as many as there are.
        loop: 1 to begin again at the end.
        fail_after: Be lost after so many frames; 0 for never.
        corrupt_every: Every so many frames one cannot be decoded; 0 for never.
        jpeg: 1 for frames that come as JPEG, undecoded.
    """

    fps: float = 30.0
    frames: int = 0
    loop: int = 0
    fail_after: int = 0
    corrupt_every: int = 0
    jpeg: int = 0


class FakeSource(Closing):
    """Plays a list of made-up frames at a given pace."""

    is_sequence = True

    def __init__(
        self,
        name: str,
        options: FakeOptions,
        faults: Faults,
        count: int,
        make: Callable[[int], tuple[Frame, str]],
    ) -> None:
        self.name = name
        self.is_live = options.fps > 0
        self.rate = options.fps
        self._options = options
        self._faults = faults
        self._count = options.frames or count
        self._available = count
        self._make = make
        self._started_s = time.monotonic()
        self._index = -1

    def read(self) -> CapturedFrame | None:
        """The next frame, when its time has come; None at the end."""
        options, faults = self._options, self._faults
        self._index += 1
        index = self._index
        if options.fail_after and index >= options.fail_after:
            raise SourceError("it was unplugged, as it was told to be")
        if index >= self._count and not options.loop:
            return None
        self._started_s += faults.interrupt(index)
        media_s = faults.delay_s(index, options.fps or 30.0)
        if self.is_live:
            time.sleep(max(0.0, self._started_s + media_s - time.monotonic()))
        is_corrupt = faults.is_corrupt(index) or (
            options.corrupt_every and (index + 1) % options.corrupt_every == 0
        )
        if is_corrupt and not options.jpeg:
            raise PictureError(f"frame {index} is corrupt, as it was told to be")
        now = time.monotonic()
        pixels, truth = self._make(faults.shown(index) % self._available)
        pixels = faults.change(index, pixels)
        if options.jpeg:
            jpeg = _to_jpeg(pixels)
            jpeg = jpeg[: len(jpeg) // 2] if is_corrupt else jpeg
            return CapturedFrame(None, index, media_s, now, truth=truth, jpeg=jpeg)
        decode_ms = (time.monotonic() - now) * 1e3
        return CapturedFrame(pixels, index, media_s, now, decode_ms, truth=truth)


def open_source(text: str, wishes: SourceWishes | None = None) -> FakeSource:
    """Open `fake:NAME?options`."""
    name, _, query = text.removeprefix("fake:").partition("?")
    timeout_s = (wishes or SourceWishes()).timeout_s
    options, faults = _parse(text, query, timeout_s)
    if name == "digits":
        return FakeSource(text, options, faults, *_digits())
    if name == "colors":
        return FakeSource(text, options, faults, len(_COLORS), _make_color)
    raise NoSuchSourceError(
        f"there is no fake source {name!r}", hint="known: fake:digits, fake:colors"
    )


def _parse(text: str, query: str, timeout_s: float) -> tuple[FakeOptions, Faults]:
    defaults = dataclasses.asdict(FakeOptions())
    options, faults = {}, {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        try:
            if key in FAULTS:
                faults[key] = parse_fault(key, value)
            elif key in defaults:
                options[key] = parse_number(value, type(defaults[key]))
            else:
                known = ", ".join((*defaults, *FAULTS))
                raise NoSuchSourceError(
                    f"{text!r} has the unknown option {key!r}", hint=f"known: {known}"
                )
        except ValueError as wrong:
            cure = f"write {FAULTS[key]}" if key in FAULTS else f"leave it out for {defaults[key]}"
            raise NoSuchSourceError(
                f"{text!r}: {key} is {value!r}, wanted {wrong}", hint=cure
            ) from wrong
    return FakeOptions(**options), Faults(timeout_s, faults)


def _to_jpeg(frame: Frame) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()


def _digits() -> tuple[int, Callable[[int], tuple[Frame, str]]]:
    from edgecls.pictures.digits import DigitPictures

    digits = DigitPictures()
    # In a fixed, mixed order: held-out positions are sorted by digit.
    order = np.random.default_rng(0).permutation(digits.held_out)

    def make(index: int) -> tuple[Frame, str]:
        position = int(order[index])
        return _show(digits.load_frame(position)), digits.labels[int(digits.targets[position])]

    return len(order), make


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
