"""How often a source was lost, for how long, and when to try it again."""

from __future__ import annotations

import time
from typing import Final

# A camera that hung up is asked again nearly at once. With the opening itself, one that is plugged
# in again is back within 5 s.
FIRST_RETRY_S: Final = 0.1
LAST_RETRY_S: Final = 4.0
# One that is lost again sooner than this is asked ever less often.
_CALM_S: Final = 5.0


class Losses:
    """Counts losses, and spaces out the attempts to open the source again."""

    def __init__(self) -> None:
        self.count = 0
        self._away_s = 0.0
        self._opened_s = float("-inf")
        self._lost_s: float | None = None
        self._delay_s = FIRST_RETRY_S

    @property
    def away_s(self) -> float:
        """How long it was away in all, until now."""
        now = time.monotonic()
        return self._away_s + (0.0 if self._lost_s is None else now - self._lost_s)

    def lose(self) -> None:
        """The source was lost."""
        now = time.monotonic()
        self.count += 1
        self._lost_s = now
        if now - self._opened_s >= _CALM_S:
            self._delay_s = FIRST_RETRY_S

    def next_delay_s(self) -> float:
        """How long to wait before the next attempt."""
        delay_s = self._delay_s
        self._delay_s = min(delay_s * 2, LAST_RETRY_S)
        return delay_s

    def find(self) -> None:
        """The source is open, for the first time or again."""
        now = time.monotonic()
        if self._lost_s is not None:
            self._away_s += now - self._lost_s
        self._lost_s, self._opened_s = None, now
