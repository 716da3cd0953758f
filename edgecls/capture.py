"""Reads a source in a thread of its own and keeps the newest frame."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Final

from edgecls.contract.events import Event, SourceEvent
from edgecls.errors import PictureError, SourceError
from edgecls.sources import CapturedFrame, Source

_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 5.0
_POLL_S: Final = 0.1
# Stopping must take less than 2 s in all, whatever hangs.
_CLOSE_S: Final = 0.5


class Capture:
    """The newest frame of a source.

    A live source is drained: a frame that was not taken is overtaken by the next, and counted. A
    recording waits until its frame was taken. A live source that is lost is opened again and
    again, ever more slowly, and says so in events.

    Args:
        open_source: Called for the first time by `open`, and again whenever the source is lost.
        stop: Set from outside to end everything.
        emit: Takes the events `lost` and `back`.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        stop: threading.Event,
        emit: Callable[[Event], None],
    ) -> None:
        self.taken = 0
        self.dropped = 0
        self.unreadable = 0
        self.failure: Exception | None = None
        self._open_source = open_source
        self._source: Source | None = None
        self._stop = stop
        self._emit = emit
        self._first_index = 0
        self._next_index = 0
        self._slot: CapturedFrame | None = None
        self._has_ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    def open(self) -> Source:
        """Open for the first time, in the caller's thread, so that its errors are the caller's."""
        self._source = self._open_source()
        return self._source

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self) -> CapturedFrame | None:
        """The newest frame; None when none came for a moment, or none will (`is_over`)."""
        with self._changed:
            if self._slot is None and not self._has_ended:
                self._changed.wait(_POLL_S)
            frame, self._slot = self._slot, None
            self.taken += frame is not None
            self._changed.notify_all()
            return frame

    @property
    def is_over(self) -> bool:
        """Whether every frame was taken and none will come any more."""
        with self._changed:
            return self._has_ended and self._slot is None

    def close(self) -> None:
        """End reading and let go of the source; needs `stop` to be set."""
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        # A camera that hangs in `read` keeps its thread: closing it under it would crash.
        if self._source is not None and not self._thread.is_alive():
            self._source.close()

    def _work(self) -> None:
        try:
            while not self._stop.is_set() and self._source is not None:
                self._source = self._read_from(self._source)
        except Exception as wrong:  # noqa: BLE001  # raised again by the loop, in its own thread
            self.failure = wrong
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    def _read_from(self, source: Source) -> Source | None:
        """Read one frame; returns the source to go on with, None at the end."""
        try:
            frame = source.read()
        except PictureError:
            self.unreadable += 1
            return source
        except SourceError as wrong:
            if not source.is_live:
                raise
            return self._reopen(source, wrong)
        if frame is None:
            source.close()
            return None
        if self._first_index:
            frame = dataclasses.replace(frame, index=frame.index + self._first_index)
        self._next_index = frame.index + 1
        self._put(frame, waits=not source.is_live)
        return source

    def _put(self, frame: CapturedFrame, *, waits: bool) -> None:
        with self._changed:
            while waits and self._slot is not None and not self._stop.is_set():
                self._changed.wait(_POLL_S)
            if waits and self._slot is not None:
                return  # stopped: what nobody will take was not dropped
            self.dropped += self._slot is not None
            self._slot = frame
            self._changed.notify_all()

    def _reopen(self, source: Source, wrong: SourceError) -> Source | None:
        source.close()
        self._emit(SourceEvent("lost", time.time(), source.name, wrong.problem))
        self._first_index = self._next_index
        delay_s = _FIRST_RETRY_S
        while not self._stop.wait(delay_s):
            try:
                opened = self._open_source()
            except SourceError:
                delay_s = min(delay_s * 2, _LAST_RETRY_S)
            else:
                self._emit(SourceEvent("back", time.time(), source.name))
                return opened
        return None
