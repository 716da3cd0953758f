"""When whoever takes frames will come back for the next, and what it waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

# Of the latest value in the averages of how long decoding and classifying take.
_WEIGHT: Final = 0.2


@dataclass(slots=True)
class Waits:
    """How long the taker waited, in seconds: for the source, and for decoding."""

    source_s: float = 0.0
    decode_s: float = 0.0


class Rhythm:
    """When the taker will be back: it takes a frame, goes away with it, and comes again."""

    def __init__(self) -> None:
        self.develop_s = 0.0
        self._away_s = 0.0
        self._left_at_s = 0.0
        self._is_here = True

    def come(self) -> None:
        """The taker wants a frame."""
        if not self._is_here:
            self._away_s = _follow(self._away_s, time.monotonic() - self._left_at_s)
            self._is_here = True

    def go(self) -> None:
        """The taker has a frame."""
        self._left_at_s = time.monotonic()
        self._is_here = False

    def learn_develop(self, seconds: float) -> None:
        """A frame was decoded ahead."""
        self.develop_s = _follow(self.develop_s, seconds)

    @property
    def is_late(self) -> bool:
        """Whether the taker will be back well before a frame could be decoded."""
        return not self._is_here and self.due_in_s() < -self.develop_s / 4

    def due_in_s(self) -> float:
        """When to begin to decode, to be ready just as the taker comes; 0 or less for now."""
        if self._is_here:
            return 0.0
        return self._left_at_s + self._away_s - self.develop_s - time.monotonic()


def _follow(average: float, value: float) -> float:
    return value if average == 0.0 else average + _WEIGHT * (value - average)
