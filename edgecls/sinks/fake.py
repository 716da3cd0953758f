"""A stand-in sink that ships: it keeps what it is given, slowly or not at all if it is told so."""

from __future__ import annotations

import time

from edgecls.contract.events import Event
from edgecls.errors import SinkError
from edgecls.imaging.captured import CapturedFrame
from edgecls.sinks import Sink


class FakeSink(Sink):
    """Keeps events in a list.

    Args:
        delay_s: Taken for every event.
        fail_after: Events after which it takes no more; None for never.
        wants_frames: Whether it keeps frames, too.
    """

    name = "fake"

    def __init__(
        self, delay_s: float = 0.0, fail_after: int | None = None, *, wants_frames: bool = False
    ) -> None:
        self.events: list[Event] = []
        self.frames: list[CapturedFrame] = []
        self.wants_frames = wants_frames
        self.is_closed = False
        self._delay_s = delay_s
        self._fail_after = fail_after

    def handle(self, event: Event, frame: CapturedFrame | None = None) -> None:
        """Keep an event, and its frame where there is one."""
        time.sleep(self._delay_s)
        if self._fail_after is not None and len(self.events) >= self._fail_after:
            raise SinkError("the fake sink is full, as it was told to be")
        self.events.append(event)
        if frame is not None:
            self.frames.append(frame)

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True
