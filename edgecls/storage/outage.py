"""A place that takes nothing for a while: said once, counted, tried again."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Final

from edgecls.errors import EdgeclsError

# A disk in one of these states has room again once somebody has tidied it up.
_PASSING: Final = frozenset((errno.ENOSPC, errno.EDQUOT))


def is_passing(wrong: BaseException | None) -> bool:
    """Whether a place that cannot be written to now may be later: it is full."""
    while wrong is not None:
        if isinstance(wrong, OSError) and wrong.errno in _PASSING:
            return True
        wrong = wrong.__cause__
    return False


class Outage:
    """Tells once that a place takes nothing, and once that it does again; counts what it missed.

    Args:
        name: Of the sink, for the messages.
        tell: Takes a line for people.
        retry_s: How long a place that failed is left alone.
    """

    def __init__(self, name: str, tell: Callable[[str], None], retry_s: float = 1.0) -> None:
        self.missed = 0
        self.is_down = False
        self._name = name
        self._tell = tell
        self._retry_s = retry_s
        self._next_s = 0.0
        self._missed_before = 0

    def attempt(self, work: Callable[[], None]) -> bool:
        """Do it, unless it failed a moment ago; returns whether it was done."""
        if self.is_down and time.monotonic() < self._next_s:
            self.missed += 1
            return False
        try:
            work()
        except OSError as wrong:
            self._fail(wrong)
            return False
        if self.is_down:
            self.is_down = False
            self._tell(f"{self._name}: works again, {self.missed - self._missed_before} missed")
        return True

    def _fail(self, wrong: OSError) -> None:
        if not self.is_down:
            self._missed_before = self.missed
            reason = wrong.problem if isinstance(wrong, EdgeclsError) else wrong.strerror
            self._tell(f"{self._name}: {reason or wrong}; classifying goes on without it")
        self.is_down = True
        self.missed += 1
        self._next_s = time.monotonic() + self._retry_s
