"""The camera loop: newest frame -> scores -> decision -> sinks, every stage timed and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edgecls.capture import Capture
from edgecls.capture.failing import FailingFrames
from edgecls.capture.health import DEFAULT_WARN_S, Health
from edgecls.classifier import Classifier
from edgecls.contract.events import Event, SummaryEvent
from edgecls.decision import DecisionSettings
from edgecls.errors import InvalidValueError, SinkError
from edgecls.imaging.captured import CapturedFrame, develop
from edgecls.imaging.view import WHOLE, View
from edgecls.judge import Judge, Moment, pixels_of
from edgecls.sinks import QueuedSink, Sink
from edgecls.sources import Source

if TYPE_CHECKING:  # none is imported where it is not asked for
    from edgecls.drift import DriftWatch
    from edgecls.gating import MotionGate, MotionSettings
    from edgecls.reload import Reloader
    from edgecls.shadow import Shadow

_POLL_S: Final = 0.1
# For the counts in the summary; a sink that hangs is given up on in any case.
_SETTLE_S: Final = 0.2
_NEWEST_FRAMES: Final = 300


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What the user can set of the loop.

    Args:
        top_k: Predictions in each event.
        decisions: How scores become labels.
        fps: Frames classified a second at most; 0 for as many as come.
        max_frames: Classified frames after which the loop ends; 0 for never.
        duration_s: Seconds after which it ends; 0 for never.
        view: Which way up the camera hangs, and what part of its frames counts.
        motion: When to classify where little moves; None for always.
        warn_s: After how many seconds of frozen, black or too few frames it is told; 0 for never.
        asked_fps: Frames a second that the camera was asked for; 0 for nothing.
    """

    top_k: int = 3
    decisions: DecisionSettings = field(default_factory=DecisionSettings)
    fps: float = 0.0
    max_frames: int = 0
    duration_s: float = 0.0
    view: View = WHOLE
    motion: MotionSettings | None = None
    warn_s: float = DEFAULT_WARN_S
    asked_fps: float = 0.0

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise InvalidValueError(f"top k is {self.top_k}, wanted at least 1")
        for name in ("fps", "max_frames", "duration_s", "warn_s", "asked_fps"):
            if not 0 <= getattr(self, name) < 1e9:
                raise InvalidValueError(f"{name} is {getattr(self, name)}, wanted 0 or more")


class Loop:
    """Runs a classifier over a source until it ends, or `stop` is called.

    Args:
        open_source: Opens the source, and opens it again when it was lost.
        classifier: The live model; closed by whoever opened it, unless another took its place.
        sinks: Where events go.
        settings: What the user has set.
        shadow: A candidate to run beside the live model.
        reloader: Looks for another file under the model's name.
        watch: Tells when frames have left what the model learnt from.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        classifier: Classifier,
        sinks: Sequence[Sink],
        settings: LoopSettings | None = None,
        *,
        shadow: Shadow | None = None,
        reloader: Reloader | None = None,
        watch: DriftWatch | None = None,
    ) -> None:
        self._settings = settings = settings or LoopSettings()
        self._judge = Judge(
            classifier, settings.decisions, settings.top_k, shadow=shadow, reloader=reloader
        )
        self._watch = watch
        self._sinks = sinks
        self._stop = threading.Event()
        self._end = threading.Event()
        self._health = Health(self._emit, settings.warn_s, settings.asked_fps)
        self._capture = Capture(open_source, self._end, self._emit, self._develop, self._health)
        self._gate: MotionGate | None = None
        self._paused_s = 0.0
        self._queues: list[QueuedSink] = []
        self._counts = _Counts()
        self._failing = FailingFrames(self._emit)

    def stop(self) -> None:
        """End the loop after the frame in hand; safe from a signal handler."""
        self._stop.set()

    def run(self) -> SummaryEvent:
        """Run to the end.

        Raises:
            SourceError: The source could not be opened, or a recording broke off.
            EngineError: The engine failed, on more than some frames.
        """
        source = self._capture.open(self._stop)
        self._judge.start(is_live=source.is_live, is_sequence=source.is_sequence)
        if self._settings.motion is not None and source.is_sequence:
            from edgecls.gating import MotionGate

            self._gate = MotionGate(self._settings.motion)
        self._queues = [
            QueuedSink(sink, drops=source.is_live, stop=self._stop) for sink in self._sinks
        ]
        started = time.monotonic()
        try:
            self._capture.start()
            self._loop(source, started)
        finally:
            self._end.set()
            self._capture.close()
            self._health.end()
            seconds = time.monotonic() - started
            for event, frame in self._judge.finish():
                self._emit(event, frame)
            for sink in self._queues:
                sink.settle(_SETTLE_S)
            summary = self._summarize(seconds)
            self._emit(summary)
            for sink in self._queues:
                sink.close()
        if self._capture.failure is not None:
            raise self._capture.failure
        if not summary.classified:
            self._failing.check()  # a loop that gave no answer at all has not gone well
        return summary

    def _loop(self, source: Source, started: float) -> None:
        settings = self._settings
        end = started + settings.duration_s if settings.duration_s else float("inf")
        next_start = started
        while not self._stop.is_set() and time.monotonic() < end:
            if settings.fps and (wait := next_start - time.monotonic()) > 0:
                # No `Event.wait`: a signal handler that sets the event would lock itself out.
                time.sleep(min(wait, _POLL_S))
                self._paused_s += min(wait, _POLL_S)
                continue
            frame = self._capture.take()
            if frame is None:
                if self._capture.is_over:
                    return
                continue
            if settings.fps:
                next_start = max(next_start + 1 / settings.fps, time.monotonic() - 1.0)
            moment = Moment.of(frame, is_live=source.is_live)
            if self._is_gated(frame, moment):
                continue
            judgement = self._judge.judge(frame, moment)
            if judgement.failure is None:
                self._failing.see_well(source.name)
                self._counts.add(judgement.label, judgement.truth)
            for event, shown in judgement.events:
                self._emit(event, shown)
            if judgement.failure is not None:
                name = self._judge.classifier.model.name
                self._failing.see_failed(judgement.failure, name, source.name)
            elif self._watch is not None:
                for drift in self._watch.look(self._judge.classifier, frame, judgement, moment):
                    self._emit(drift)
            if 0 < settings.max_frames == self._counts.classified or self.sink_failures:
                return

    def _develop(self, frame: CapturedFrame) -> CapturedFrame:
        preprocessing = self._judge.classifier.model.card.preprocessing
        return develop(frame, preprocessing, self._settings.view)

    def _is_gated(self, frame: CapturedFrame, moment: Moment) -> bool:
        if self._gate is None:
            return False
        started = time.monotonic()
        is_gated = not self._gate.passes(pixels_of(frame), moment.flow_s)
        self._counts.gated += is_gated
        self._judge.latencies.add({"gate": (time.monotonic() - started) * 1e3})
        return is_gated

    def _emit(self, event: Event, frame: CapturedFrame | None = None) -> None:
        for sink in self._queues:
            sink.handle(event, frame)

    def figures(self) -> dict[str, Any]:
        """Counts so far, and latencies of the newest frames, named as in the summary.

        Safe in any thread; a frame on its way may be counted in one place and not yet in another.
        """
        latency_ms = self._judge.latencies.to_percentiles(_NEWEST_FRAMES)
        return {**self._count_frames(), "latency_ms": latency_ms}

    def _count_frames(self) -> dict[str, int]:
        counts, capture = self._counts, self._capture
        taken = counts.classified + counts.gated + self._failing.count
        return {
            "frames": capture.taken + capture.dropped + capture.unreadable,
            "classified": counts.classified,
            "dropped": capture.dropped + capture.taken - taken,
            "unreadable": capture.unreadable,
            "gated": counts.gated,
            "failed": self._failing.count,
        }

    def _summarize(self, seconds: float) -> SummaryEvent:
        counts = self._counts
        return SummaryEvent(
            **self._count_frames(),
            seconds=seconds,
            fps=counts.classified / seconds if seconds > 0 else 0.0,
            latency_ms=self._judge.latencies.to_percentiles(),
            labelled=counts.labelled,
            correct=counts.correct,
            time_shares=self._share_out(seconds),
            sink_drops={sink.name: sink.dropped for sink in self._queues if sink.dropped},
            sinks={sink.name: sink.counts for sink in self._queues if sink.counts},
            flips_per_hour=self._judge.flips_per_hour,
            shadow=self._judge.shadow_summary,
            drifting=self._watch.drifting if self._watch is not None else (),
            source=self._sum_up_source(),
        )

    def _sum_up_source(self) -> dict[str, float]:
        losses = self._capture.losses
        counted = {"lost": losses.count, "away_s": losses.away_s, **self._health.seconds}
        return {what: round(number, 1) for what, number in counted.items() if number}

    def _share_out(self, seconds: float) -> dict[str, float]:
        """What the loop spent its time on or waiting for, as shares that add up to 1."""
        if seconds <= 0:
            return {}
        waits = self._capture.waits
        spent_s = {"source": waits.source_s, "decode": waits.decode_s, "fps": self._paused_s}
        spent_s["model"] = max(0.0, seconds - sum(spent_s.values()))
        whole_s = sum(spent_s.values())
        return {what: round(spent / whole_s, 3) for what, spent in spent_s.items() if spent}

    @property
    def sink_failures(self) -> list[SinkError]:
        """What sinks said when they gave up."""
        return [sink.failure for sink in self._queues if sink.failure is not None]

    @property
    def has_stuck_sink(self) -> bool:
        """Whether, after `run`, a sink still hangs in an event."""
        return any(sink.is_stuck for sink in self._queues)


@dataclass(slots=True)
class _Counts:
    classified: int = 0
    gated: int = 0
    labelled: int = 0
    correct: int = 0

    def add(self, label: str, truth: str) -> None:
        self.classified += 1
        if truth:
            self.labelled += 1
            self.correct += label == truth
