"""Where events go: one interface, and a bounded queue so that no sink slows the loop."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import Final, Protocol

from edgecls.contract.events import Event
from edgecls.errors import SinkError

QUEUE_LIMIT: Final = 256
CLOSE_TIMEOUT_S: Final = 1.0


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
        stop: Once it is set nothing waits for the sink, not even a recording.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        drops: bool,
        limit: int = QUEUE_LIMIT,
        stop: threading.Event | None = None,
    ) -> None:
        self.name = sink.name
        self.dropped = 0
        self.failure: SinkError | None = None
        self._sink = sink
        self._drops = drops
        self._stop = stop or threading.Event()
        self._queue: queue.Queue[Event | None] = queue.Queue(limit)
        # A daemon: a sink that blocks for ever must not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name=f"sink {sink.name}", daemon=True)
        self._thread.start()

    def handle(self, event: Event) -> None:
        """Queue an event; never raises, see `failure`."""
        while self._thread.is_alive():
            try:
                if self._hurries:
                    self._queue.put_nowait(event)
                else:
                    self._queue.put(event, timeout=0.2)
            except queue.Full:
                if self._hurries:
                    self._drop_oldest()
            else:
                return

    @property
    def _hurries(self) -> bool:
        return self._drops or self._stop.is_set()

    def _drop_oldest(self) -> None:
        try:
            self._queue.get_nowait()
        except queue.Empty:
            return  # the sink took it this very moment
        self.dropped += 1

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Let the sink finish what is queued.

        Args:
            timeout_s: For at most so long, where a full queue drops events or `stop` is set; else
                for as long as it takes.
        """
        end = time.monotonic() + timeout_s
        is_told = False
        while self._thread.is_alive() and (not self._hurries or time.monotonic() < end):
            if is_told:
                self._thread.join(0.05)
                continue
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=0.05)
                is_told = True

    @property
    def is_stuck(self) -> bool:
        """Whether, after `close`, the sink still hangs in an event."""
        return self._thread.is_alive()

    def _work(self) -> None:
        try:
            while (event := self._queue.get()) is not None:
                self._sink.handle(event)
            self._sink.close()
        except SinkError as wrong:
            self._give_up(wrong)
        except Exception as wrong:  # noqa: BLE001  # a sink must not take the loop with it
            self._give_up(SinkError(f"sink {self.name} failed: {wrong!r}"))

    def _give_up(self, wrong: SinkError) -> None:
        self.failure = wrong
        with contextlib.suppress(OSError, ValueError):  # what failed may fail again
            self._sink.close()
