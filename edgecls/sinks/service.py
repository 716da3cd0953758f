"""Tells systemd that the loop is ready, that frames are classified, and what is to be seen."""

from __future__ import annotations

import math
import time
from typing import ClassVar, Final

from edgecls.contract.events import (
    Event,
    ModelEvent,
    PredictionEvent,
    SourceEvent,
    SummaryEvent,
    UnreadableEvent,
)
from edgecls.contract.warning_event import WarningEvent
from edgecls.imaging.captured import CapturedFrame
from edgecls.notify import Notifier, Starts
from edgecls.sinks import Sink

# A camera that is away is no fault of this process, and the loop looks for it by itself: a clean
# start is tried, too, but ten times more rarely than the watchdog would.
LOST_FACTOR: Final = 10
# A loop that pauses between frames (`--fps`, `--idle-fps`) may miss two of them.
_GAPS: Final = 3
_LONGEST_INTERVAL_S: Final = 1.0


class ServiceSink(Sink):
    """Says `READY=1` at the loop's first event, and `WATCHDOG=1` after good frames only.

    The first event is a prediction, or `lost` where no camera is there at the start: the model is
    loaded and proven in both cases. From `lost` on until the next prediction the watchdog waits
    ten times as long, counted once: it is not fed by a camera that only comes and goes.

    The queue before a sink cannot keep a hung loop alive: predictions are let into it a second
    apart (or a quarter of the watchdog's time), by the loop's own thread, and are taken at once.

    Args:
        notifier: Where to.
        starts: To be forgotten once the loop runs well; None where nobody counts.
        gap_s: Longest time between two predictions that the user has asked for; infinite where
            there may be none for ever, which ends the watch.
        healthy_s: After so long with good frames a start has succeeded.
    """

    name = "service"
    takes: ClassVar = (
        *(PredictionEvent, SourceEvent, UnreadableEvent),
        *(WarningEvent, ModelEvent, SummaryEvent),
    )

    def __init__(
        self,
        notifier: Notifier,
        starts: Starts | None = None,
        gap_s: float = 0.0,
        healthy_s: float = 30.0,
    ) -> None:
        self._notifier = notifier
        self._starts = starts
        watchdog_s = notifier.watchdog_s
        self._watchdog_s = None if watchdog_s is None else max(watchdog_s, _GAPS * gap_s)
        self._interval_s = min(_LONGEST_INTERVAL_S, (watchdog_s or math.inf) / 4)
        self._is_ready = self._is_patient = self._is_closed = False
        self._healthy_s = healthy_s
        self._first_s = math.inf
        self._troubles: dict[str, WarningEvent] = {}
        self._frames = 0
        self._taken_s = -math.inf
        self._told_s = time.monotonic()

    def wants(self, event: Event, _frame: CapturedFrame | None = None) -> bool:
        """Predictions now and then, all else that it takes; the loop's thread counts frames."""
        if not isinstance(event, PredictionEvent):
            return isinstance(event, self.takes)
        self._frames += 1
        now = time.monotonic()
        if now - self._taken_s < self._interval_s:
            return False
        self._taken_s = now
        return True

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
        """Pass on what an event means for the service."""
        if isinstance(event, SummaryEvent):
            self._stop()
            return
        fields = self._fields(event)
        if not self._is_ready:
            self._is_ready = True
            fields = {"READY": "1", **fields}
        if fields:
            self._notifier.tell(**fields)

    def close(self) -> None:
        """Say that the service ends, if nothing has said so."""
        self._stop()
        self._notifier.close()

    def _fields(self, event: Event) -> dict[str, str]:
        if isinstance(event, PredictionEvent):
            return {"WATCHDOG": "1", **self._watch(is_lost=False), "STATUS": self._see(event)}
        if isinstance(event, SourceEvent) and event.state == "lost":
            reason = event.reason or f"{event.source} is lost"
            return {**self._watch(is_lost=True), "STATUS": f"no picture: {reason}"}
        if isinstance(event, SourceEvent):
            self._frames, self._told_s = 0, time.monotonic()  # the rate is that of now
        elif isinstance(event, WarningEvent):
            self._troubles[event.trouble] = event
        elif isinstance(event, UnreadableEvent):
            return {"STATUS": f"a frame cannot be read: {event.reason}"}
        elif isinstance(event, ModelEvent) and event.state == "refused":
            return {"STATUS": f"the new {event.model} was refused: {event.reason}"}
        return {}

    def _see(self, event: PredictionEvent) -> str:
        now = time.monotonic()
        rate = self._frames / max(now - self._told_s, self._interval_s)
        self._frames, self._told_s = 0, now
        self._first_s = min(self._first_s, now)
        if self._starts is not None and now >= self._first_s + self._healthy_s:
            self._starts.forget()
            self._starts = None
        seen = f"{event.steady or event.label} ({event.score:.0%}), {rate:.1f} frames a second"
        troubles = [each for each in self._troubles.values() if each.state == "begin"]
        # What to do about it stands in the journal.
        return "; but ".join((seen, *(each.reason.partition(";")[0] for each in troubles)))

    def _watch(self, *, is_lost: bool) -> dict[str, str]:
        """Set how long the watchdog waits, where it should wait longer or shorter than it does."""
        if self._watchdog_s is None or (self._is_ready and is_lost == self._is_patient):
            return {}
        self._is_patient = is_lost
        if math.isinf(self._watchdog_s):
            return {"WATCHDOG_USEC": "0"}
        return {"WATCHDOG_USEC": str(round(self._watchdog_s * (LOST_FACTOR**is_lost) * 1e6))}

    def _stop(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._notifier.tell(STOPPING="1", STATUS="stopping")
