"""Frames that could not be read: what is said of them, and when."""

from __future__ import annotations

import time
from typing import Final

# A live source with a loose contact would otherwise fill the log.
_BETWEEN_PROBLEMS_S: Final = 1.0


class Problems:
    """What could not be read, each in its place between the frames."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, str]] = []
        self._last_s = -_BETWEEN_PROBLEMS_S

    def add(self, frames_before: int | None, reason: str) -> None:
        """Keep a problem; of a live source, which has no place for it (None), one a second."""
        if frames_before is None:
            now = time.monotonic()
            if now - self._last_s < _BETWEEN_PROBLEMS_S:
                return
            self._last_s = now
        self._waiting.append((frames_before or 0, reason))

    def pop(self, taken: int) -> list[str]:
        """What stands before the frame that follows `taken` others."""
        told = [reason for before, reason in self._waiting if before <= taken]
        self._waiting = [entry for entry in self._waiting if entry[0] > taken]
        return told
