"""Ctrl-C and SIGTERM for commands that run until they are told to end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final, Self

_POLL_S: Final = 0.1


class Interrupts:
    """The first Ctrl-C or SIGTERM ends the work in order, a second Ctrl-C ends it at once.

    Args:
        stop: Called in the signal's handler; None for a command that calls `wait`.
    """

    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        self.is_interrupted = False
        self._stop = stop
        self._is_over = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_wrong: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def wait(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Wait for the end of the work, or for a signal."""
        # No `Event.wait`: a signal handler that sets the event would lock itself out.
        while not self._is_over and not is_over():
            time.sleep(_POLL_S)

    def _handle(self, number: int, _frame: Any) -> None:
        if self.is_interrupted:
            os._exit(130)
        self.is_interrupted = number == signal.SIGINT
        self._is_over = True
        if self._stop is not None:
            self._stop()
