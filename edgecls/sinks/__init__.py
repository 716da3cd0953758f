"""Where events go: one interface, and a bounded queue so that no sink slows the loop."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import ClassVar, Final, Protocol

from edgecls.contract.events import EVENTS, Event
from edgecls.errors import SinkError, is_strict
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.memory import give_back

QUEUE_LIMIT: Final = 256
# Ten 1280x720 frames as pixels, or hundreds as JPEG; small enough for a board with 512 MB.
FRAME_LIMIT_BYTES: Final = 32 << 20
CLOSE_TIMEOUT_S: Final = 1.0
_POLL_S: Final = 0.2
# Between two times that memory of frames is given back.
_GIVE_BACK_S: Final = 10.0


class Sink(Protocol):
    """Takes events, one after the other, from one thread.

    Args:
        name: For messages and counts.
        takes: The kinds of events it wants; others are not queued for it.
        wants_frames: Whether it wants the frame, too.
    """

    name: str
    takes: ClassVar[tuple[type, ...]] = EVENTS
    wants_frames: bool = False

    def handle(self, event: Event, frame: CapturedFrame | None = None) -> None:
        """Take one event.

        Args:
            event: One of `takes`.
            frame: Given with predictions and changes to a sink that wants frames.

        Raises:
            SinkError: It can take no more.
        """

    def close(self) -> None:
        """Finish what is begun; may be called twice."""

    def wants(self, event: Event, _frame: CapturedFrame | None = None) -> bool:
        """Whether to queue an event; asked in the loop's thread, so waking the sink is spared.

        Args:
            event: Any.
            _frame: That it is about, for a sink that only notes which one is the newest.
        """
        return isinstance(event, self.takes)

    @property
    def counts(self) -> Mapping[str, int]:
        """What there is to count, for the summary: `errors` and whatever the sink does."""
        return {}


class QueuedSink(Sink):
    """A sink behind a bounded queue and a thread of its own.

    Args:
        sink: The slow one.
        drops: Whether a full queue gives up its oldest event and counts it (a live loop), or the
            caller waits (a recording, of which nothing may be lost).
        limit: Events in the queue.
        frame_limit_bytes: Frames in the queue; a single larger one still passes.
        stop: Once it is set nothing waits for the sink, not even a recording.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        drops: bool,
        limit: int = QUEUE_LIMIT,
        frame_limit_bytes: int = FRAME_LIMIT_BYTES,
        stop: threading.Event | None = None,
    ) -> None:
        self.name = sink.name
        self.wants_frames = sink.wants_frames
        self.dropped = 0
        self.failure: SinkError | None = None
        self._sink = sink
        self._drops = drops
        self._stop = stop or threading.Event()
        self._limit = limit
        self._frame_limit_bytes = frame_limit_bytes
        self._waiting: deque[tuple[Event, CapturedFrame | None]] = deque()
        self._frame_bytes = 0
        self._has_piled_up = False
        self._next_give_back_s = 0.0
        self._is_busy = False
        self._is_closing = False
        self._changed = threading.Condition()
        # A daemon: a sink that blocks for ever must not keep the program from ending.
        self._thread = threading.Thread(target=self._work, name=f"sink {sink.name}", daemon=True)
        self._thread.start()

    def handle(self, event: Event, frame: CapturedFrame | None = None) -> None:
        """Queue an event; never raises, see `failure`."""
        if not self._sink.wants(event, frame):
            return
        kept = frame if self.wants_frames else None
        with self._changed:
            while self._thread.is_alive():
                if self._has_room(_bytes_of(kept)):
                    self._has_piled_up |= self._frame_bytes > 0
                    self._waiting.append((event, kept))
                    self._frame_bytes += _bytes_of(kept)
                    self._changed.notify_all()
                    return
                if self._hurries:
                    self._take()
                    self.dropped += 1
                else:
                    self._changed.wait(_POLL_S)

    @property
    def counts(self) -> Mapping[str, int]:
        """The sink's own, and how many events it missed because it was slow."""
        counts = {"dropped": self.dropped, **self._sink.counts}
        return {what: number for what, number in counts.items() if number}

    @property
    def _hurries(self) -> bool:
        return self._drops or self._stop.is_set()

    def _has_room(self, more_bytes: int) -> bool:
        if len(self._waiting) >= self._limit:
            return False
        return not self._frame_bytes or self._frame_bytes + more_bytes <= self._frame_limit_bytes

    def _take(self) -> tuple[Event, CapturedFrame | None]:
        event, frame = self._waiting.popleft()
        self._frame_bytes -= _bytes_of(frame)
        return event, frame

    def settle(self, timeout_s: float) -> None:
        """Wait until the sink has taken all that is queued, so that its counts are whole.

        Args:
            timeout_s: As in `close`.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            while (self._waiting or self._is_busy) and self._thread.is_alive():
                if self._hurries and time.monotonic() >= end:
                    return
                self._changed.wait(0.02)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Let the sink finish what is queued.

        Args:
            timeout_s: For at most so long, where a full queue drops events or `stop` is set; else
                for as long as it takes.
        """
        end = time.monotonic() + timeout_s
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        while self._thread.is_alive() and (not self._hurries or time.monotonic() < end):
            self._thread.join(0.05)

    @property
    def is_stuck(self) -> bool:
        """Whether, after `close`, the sink still hangs in an event."""
        return self._thread.is_alive()

    def _next(self) -> tuple[Event, CapturedFrame | None] | None:
        """The oldest event, once there is one; None when there will be none."""
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()
            while not self._waiting:
                if self._is_closing:
                    return None
                self._changed.wait()
            self._is_busy = True
            item = self._take()
            self._changed.notify_all()
            return item

    def _tidy_up(self) -> None:
        """Frames have waited, and are gone: their memory is wanted back, now and then."""
        if self._has_piled_up and not self._waiting and time.monotonic() > self._next_give_back_s:
            self._has_piled_up = False
            give_back()
            self._next_give_back_s = time.monotonic() + _GIVE_BACK_S

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                event, frame = item
                if frame is None:
                    self._sink.handle(event)
                else:
                    self._sink.handle(event, frame)
                # Not kept alive, with its frame, until the next event comes.
                del item, event, frame
                self._tidy_up()
            self._sink.close()
        except SinkError as wrong:
            self._give_up(wrong)
        except OSError as wrong:
            self._give_up(SinkError(f"sink {self.name} failed: {wrong.strerror or wrong}"))
        except Exception as wrong:  # a sink must not take the loop with it
            self._give_up(SinkError(f"sink {self.name} failed: {wrong!r}"))
            if is_strict():
                raise

    def _give_up(self, wrong: SinkError) -> None:
        self.failure = wrong
        with contextlib.suppress(OSError, ValueError):  # what failed may fail again
            self._sink.close()


def _bytes_of(frame: CapturedFrame | None) -> int:
    if frame is None:
        return 0
    return len(frame.jpeg) + (0 if frame.pixels is None else frame.pixels.nbytes)
