"""How many of the loop's predictions are worth telling; asked in the loop's own thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_WINDOW_S: Final = 2.0
# A frame a little early is taken all the same: cameras do not keep time to the millisecond.
_EARLY: Final = 0.3


class Pace:
    """Lets so many a second through, and counts all of them.

    Args:
        clock: Gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.fps = 0.0
        self._due_s = float("-inf")  # when the last one was due
        self._seen = 0
        self._clock = clock
        self._since_s = clock()

    def is_due(self, a_second: float) -> bool:
        """Whether this one is worth telling.

        Args:
            a_second: How many are.
        """
        now_s = self._clock()
        self._seen += 1
        if now_s - self._since_s >= _WINDOW_S:
            self.fps = self._seen / (now_s - self._since_s)
            self._seen, self._since_s = 0, now_s
        interval_s = 1 / a_second
        wait_s = self._due_s + interval_s - now_s
        if wait_s > _EARLY * interval_s:
            return False
        # A little late keeps the rhythm; more than one interval is not caught up with.
        self._due_s = now_s + (wait_s if wait_s > -interval_s else 0.0)
        return True
