"""Frames that could not be read: what is said of them, and when."""

from __future__ import annotations

import threading
import time
from typing import Final

from edgecls.contract.events import UnreadableEvent
from edgecls.sources import Source

# A live source with a loose contact would otherwise fill the log.
_BETWEEN_PROBLEMS_S: Final = 1.0


class Problems:
    """Counts what could not be read, and keeps it for its place between the frames."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[tuple[int, str]] = []
        self._last_s = -_BETWEEN_PROBLEMS_S
        self._lock = threading.Lock()

    def add(self, source: Source | None, frames_before: int, reason: str) -> None:
        """Note a problem; of a live source, which has no place for it, one a second is told."""
        with self._lock:
            self.count += 1
            if source is not None and source.is_live:
                frames_before = 0
                now = time.monotonic()
                if now - self._last_s < _BETWEEN_PROBLEMS_S:
                    return
                self._last_s = now
            self._waiting.append((frames_before, reason))

    def pop(self, taken: int, source: Source | None, media_s: float) -> list[UnreadableEvent]:
        """What stands before the frame that follows `taken` others, `media_s` into a recording."""
        if not self._waiting:
            return []
        with self._lock:
            told = [reason for before, reason in self._waiting if before <= taken]
            self._waiting = [entry for entry in self._waiting if entry[0] > taken]
        is_live = source is not None and source.is_live
        time_s = time.time() if is_live else media_s
        name = "" if source is None else source.name
        return [UnreadableEvent(time_s, name, reason) for reason in told]
