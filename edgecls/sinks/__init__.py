"""Where events go: one interface, and a bounded queue so that no sink slows the loop."""

from __future__ import annotations

import queue
import threading
import time
from typing import Final, Protocol

from edgecls.contract.events import Event
from edgecls.errors import SinkError

QUEUE_LIMIT: Final = 256


class Sink(Protocol):
    """Takes events, one after the other, from one thread."""

    name: str

    def handle(self, event: Event) -> None:
        """Take one event.

        Raises:
            SinkError: It can take no more.
        """

    def close(self) -> None:
        """Finish what is begun; may be called twice."""


class QueuedSink:
    """A sink behind a bounded queue and a thread of its own.

    Args:
        sink: The slow one.
        drops: Whether a full queue gives up its oldest event and counts it (a live loop), or the
            caller waits (a recording, of which nothing may be lost).
        limit: Events in the queue.
    """

    def __init__(self, sink: Sink, *, drops: bool, limit: int = QUEUE_LIMIT) -> None:
        self.name = sink.name
        self.dropped = 0
        self.failure: SinkError | None = None
        self._sink = sink
        self._drops = drops
        self._queue: queue.Queue[Event | None] = queue.Queue(limit)
        # A daemon: a sink that blocks for ever must not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name=f"sink {sink.name}", daemon=True)
        self._thread.start()

    def handle(self, event: Event) -> None:
        """Queue an event; never raises, see `failure`."""
        while self._thread.is_alive():
            try:
                if self._drops:
                    self._queue.put_nowait(event)
                else:
                    self._queue.put(event, timeout=0.2)
            except queue.Full:
                if self._drops:
                    self._drop_oldest()
            else:
                return

    def _drop_oldest(self) -> None:
        try:
            self._queue.get_nowait()
        except queue.Empty:
            return  # the sink took it this very moment
        self.dropped += 1

    def close(self, timeout_s: float = 2.0) -> None:
        """Let the sink finish what is queued, for at most `timeout_s`."""
        end = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < end:
            try:
                self._queue.put(None, timeout=0.05)
                break
            except queue.Full:
                continue
        self._thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        try:
            while (event := self._queue.get()) is not None:
                self._sink.handle(event)
            self._sink.close()
        except SinkError as wrong:
            self.failure = wrong
        except Exception as wrong:  # noqa: BLE001  # a sink must not take the loop with it
            self.failure = SinkError(f"sink {self.name} failed: {wrong!r}")
