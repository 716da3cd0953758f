"""Whether a camera that gives frames gives good ones: not always the same, not black, not too few.

Every frame costs a comparison of two numbers here; a look at one is taken a few times in
the time after which something is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from edgecls.contract.warning_event import Trouble, WarningEvent
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.sources import Source

DEFAULT_WARN_S: Final = 10.0
# Of the time after which something is told.
_LOOK_SHARE: Final = 1 / 20
_WINDOW_SHARE: Final = 1 / 2
# Of the pixels of a black frame all but this share are darker than this. A covered lens gives up to
# 16 with its noise and video's own black; a lamp in the night is more than a hundredth.
_DARK: Final = 32
_LIGHT_SHARE: Final = 0.01
# Below this share of what was asked for, or of the best there was, a camera is slow.
_SLOW_SHARE: Final = 0.6
# A live source is drained no faster than this while nobody waits for it.
_MOST_RATE: Final = 100.0
# A window in which the reader hardly waited says nothing of the camera.
_WAITED_SHARE: Final = 0.2
# Whatever comes and goes is told no more often than this.
_BETWEEN_S: Final = 30.0
_SAMPLED_ROWS: Final = 16
_SAMPLED_SIDE: Final = 48

_REASONS: Final[dict[Trouble, str]] = {
    "frozen": "the picture has not changed by one bit for {seconds:.0f} s; is the camera hung up?"
    " start it again",
    "black": "the picture has been black for {seconds:.0f} s; is something before the lens, or is"
    " there no light?",
    "slow": "{rate:.1f} frames a second, {expected:.3g} {wanted}; in the dark cameras expose"
    " longer: give it light, or a fixed exposure (v4l2-ctl -c exposure_dynamic_framerate=0);"
    " on USB try --pixel-format MJPG or a smaller --size, in the network a better link",
}

Emit = Callable[[WarningEvent], None]


class Spell:
    """How long something has been so, and whether that was told."""

    def __init__(self, limit_s: float) -> None:
        self.is_told = False
        self.total_s = 0.0
        self._limit_s = limit_s
        self._since_s: float | None = None
        self._told_s = float("-inf")

    def seconds(self, now: float) -> float:
        """For how long it has been so; 0 if it is not."""
        return 0.0 if self._since_s is None else now - self._since_s

    def begins(self, since: float, now: float) -> bool:
        """It is so, since then at least; whether that is to be told now."""
        if self._since_s is None:
            self._since_s = since
        if self.is_told or now - self._since_s < self._limit_s:
            return False
        if now - self._told_s < _BETWEEN_S:
            return False
        self.is_told, self._told_s = True, now
        return True

    def ends(self, now: float) -> bool:
        """It is so no more; whether that is to be told now."""
        was_told, self.is_told = self.is_told, False
        if was_told:
            self.total_s += self.seconds(now)
        return was_told

    def forget(self) -> None:
        """Whatever was, is over."""
        self._since_s = None


class Health:
    """Looks at the frames of a live source, and tells what is wrong with them, once.

    Args:
        emit: Takes the warnings.
        warn_s: After how many seconds something is told; 0 for never.
        asked_fps: What the user asked the camera for; 0 for nothing.
    """

    def __init__(self, emit: Emit, warn_s: float = DEFAULT_WARN_S, asked_fps: float = 0.0) -> None:
        self._emit = emit
        self._warn_s = warn_s
        self._asked_fps = asked_fps
        self._source = ""
        self._spells: dict[Trouble, Spell] = {
            "frozen": Spell(warn_s),
            "black": Spell(warn_s),
            "slow": Spell(warn_s * 0.9),  # told after the second slow window of two
        }
        self._lock = threading.Lock()
        self._next_look_s = self._next_pixels_s = float("inf")
        self._sample: bytes = b""
        self._sampled_s = 0.0
        self._best_rate = 0.0
        self._promised_rate = 0.0
        self._window_s = 0.0
        self._count = 0
        self._waited_s = 0.0

    def begin(self, source: Source) -> None:
        """A source was opened; one that is not live is not looked at."""
        if not (source.is_live and self._warn_s):
            return
        now = time.monotonic()
        self._source, self._promised_rate = source.name, source.rate
        self._next_look_s = self._next_pixels_s = now
        self._sample, self._sampled_s = b"", now
        self._begin_window(now)

    def end(self) -> None:
        """The source was lost, or is closed: what was wrong with its frames is over."""
        self._next_look_s = self._next_pixels_s = float("inf")
        now = time.monotonic()
        for trouble in self._spells:
            self._well(trouble, now)

    @property
    def seconds(self) -> dict[str, float]:
        """How long each trouble lasted that was told."""
        return {f"{name}_s": spell.total_s for name, spell in self._spells.items()}

    def see(self, frame: CapturedFrame, now: float, waited_s: float) -> None:
        """A frame was read at `now`, after the reader had waited for it for so long."""
        self._count += 1
        self._waited_s += waited_s
        if now >= self._next_look_s:
            self._next_look_s = now + self._warn_s * _LOOK_SHARE
            self._compare(frame, now)
            if now - self._window_s >= self._warn_s * _WINDOW_SHARE:
                self._measure(now)

    def see_pixels(self, pixels: Frame | None) -> None:
        """A frame was decoded, by whatever thread."""
        now = time.monotonic()
        if now < self._next_pixels_s or pixels is None or not self._lock.acquire(blocking=False):
            return
        try:
            self._next_pixels_s = now + self._warn_s * _LOOK_SHARE
            if is_black(pixels):
                self._ill("black", now, now)
            else:
                self._well("black", now)
        finally:
            self._lock.release()

    def _compare(self, frame: CapturedFrame, now: float) -> None:
        """Sensors have noise: two frames of one scene are never the same, bit for bit."""
        sample = frame.jpeg if frame.pixels is None else _rows_of(frame.pixels)
        if sample == self._sample:
            self._ill("frozen", self._sampled_s, now)
        else:
            self._sample, self._sampled_s = sample, now
            self._well("frozen", now)

    def _measure(self, now: float) -> None:
        """How many frames came in the window that ends here."""
        seconds = now - self._window_s
        rate, waited_share = self._count / seconds, self._waited_s / seconds
        begun = self._window_s
        self._begin_window(now)
        self._best_rate = max(self._best_rate, rate)
        expected, wanted = self._expect()
        if waited_share < _WAITED_SHARE:
            return  # the camera would give more than this board can take
        if rate < _SLOW_SHARE * expected:
            self._ill("slow", begun, now, rate=rate, expected=expected, wanted=wanted)
        else:
            self._well("slow", now)

    def _expect(self) -> tuple[float, str]:
        if self._asked_fps:
            return min(self._asked_fps, _MOST_RATE), "were asked for"
        if self._promised_rate:
            return min(self._promised_rate, _MOST_RATE), "are what it says it gives"
        return min(self._best_rate, _MOST_RATE), "is what it gave before"

    def _begin_window(self, now: float) -> None:
        self._window_s, self._count, self._waited_s = now, 0, 0.0

    def _ill(self, trouble: Trouble, since: float, now: float, **figures: float | str) -> None:
        spell = self._spells[trouble]
        if spell.begins(since, now):
            seconds = spell.seconds(now)
            reason = _REASONS[trouble].format(seconds=seconds, **figures)
            self._emit(WarningEvent(trouble, "begin", time.time(), self._source, seconds, reason))

    def _well(self, trouble: Trouble, now: float) -> None:
        spell = self._spells[trouble]
        seconds = spell.seconds(now)
        if spell.ends(now):
            self._emit(WarningEvent(trouble, "end", time.time(), self._source, seconds))
        spell.forget()


def is_black(pixels: Frame) -> bool:
    """Whether there is next to nothing to see.

    Args:
        pixels: RGB, (height, width, 3).
    """
    height, width = pixels.shape[:2]
    rows, columns = max(1, height // _SAMPLED_SIDE), max(1, width // _SAMPLED_SIDE)
    sample = pixels[::rows, ::columns]
    return int(np.count_nonzero(sample >= _DARK)) < _LIGHT_SHARE * sample.size


def _rows_of(pixels: Frame) -> bytes:
    """Some rows of a frame, which differ where the frames do."""
    return pixels[:: max(1, pixels.shape[0] // _SAMPLED_ROWS)].tobytes()
