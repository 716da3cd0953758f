"""The camera loop: newest frame -> scores -> decision -> sinks, every stage timed and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.capture import Capture
from edgecls.classifier import Classifier
from edgecls.contract.events import (
    UNKNOWN,
    ChangeEvent,
    Event,
    PredictionEvent,
    SummaryEvent,
)
from edgecls.errors import InvalidValueError, SinkError
from edgecls.sinks import QueuedSink, Sink
from edgecls.smoothing import Scores, Smoother, Steadiness
from edgecls.sources import CapturedFrame, Source
from edgecls.timing import Latencies

_POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What the user can set of the loop.

    Args:
        top_k: Predictions in each event.
        threshold: Score below which the answer is `unknown`; None for the card's own.
        fps: Frames classified a second at most; 0 for as many as come.
        max_frames: Classified frames after which the loop ends; 0 for never.
        duration_s: Seconds after which it ends; 0 for never.
        steadiness: Of the steady label, where frames follow each other.
    """

    top_k: int = 3
    threshold: float | None = None
    fps: float = 0.0
    max_frames: int = 0
    duration_s: float = 0.0
    steadiness: Steadiness = field(default_factory=Steadiness)

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise InvalidValueError(f"top k is {self.top_k}, wanted at least 1")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InvalidValueError(f"the threshold is {self.threshold}, wanted a score in 0 to 1")
        for name in ("fps", "max_frames", "duration_s"):
            if not 0 <= getattr(self, name) < 1e9:
                raise InvalidValueError(f"{name} is {getattr(self, name)}, wanted 0 or more")


class Loop:
    """Runs a classifier over a source until it ends, or `stop` is called."""

    def __init__(
        self,
        open_source: Callable[[], Source],
        classifier: Classifier,
        sinks: Sequence[Sink],
        settings: LoopSettings | None = None,
    ) -> None:
        self._settings = settings or LoopSettings()
        self._classifier = classifier
        self._sinks = sinks
        self._stop = threading.Event()
        self._end = threading.Event()
        self._capture = Capture(open_source, self._end, self._emit)
        self._thresholds = _thresholds(classifier, self._settings.threshold)
        self._known_labels = frozenset(classifier.labels)
        self._latencies = Latencies()
        self._queues: list[QueuedSink] = []
        self._counts = _Counts()

    def stop(self) -> None:
        """End the loop after the frame in hand; safe from a signal handler."""
        self._stop.set()

    def run(self) -> SummaryEvent:
        """Run to the end.

        Raises:
            SourceError: The source could not be opened, or a recording broke off.
            EngineError: The engine failed.
        """
        source = self._capture.open()
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
            summary = self._summarize(time.monotonic() - started)
            self._emit(summary)
            for sink in self._queues:
                sink.close()
        if self._capture.failure is not None:
            raise self._capture.failure
        return summary

    def _loop(self, source: Source, started: float) -> None:
        settings = self._settings
        smoother = None
        if source.is_sequence:  # pictures of a folder have nothing to do with each other
            smoother = Smoother(self._classifier.labels, self._thresholds, settings.steadiness)
        end = started + settings.duration_s if settings.duration_s else float("inf")
        next_start = started
        while not self._stop.is_set() and time.monotonic() < end:
            if settings.fps and (wait := next_start - time.monotonic()) > 0:
                # No `Event.wait`: a signal handler that sets the event would lock itself out.
                time.sleep(min(wait, _POLL_S))
                continue
            frame = self._capture.take()
            if frame is None:
                if self._capture.is_over:
                    return
                continue
            if settings.fps:
                next_start = max(next_start + 1 / settings.fps, time.monotonic() - 1.0)
            # A recording has its own time, so that a replay gives the same changes.
            time_s = frame.captured_s if source.is_live else frame.media_s
            self._classify(frame, smoother, time_s)
            if self._counts.classified == settings.max_frames or self.sink_failures:
                return

    def _classify(self, frame: CapturedFrame, smoother: Smoother | None, time_s: float) -> None:
        result = self._classifier.classify(frame.pixels)
        classified_s = time.monotonic()
        age_ms = (classified_s - frame.captured_s) * 1e3
        now = time.time()
        best = self._classifier.top(result.scores, self._settings.top_k)
        label = self._decide(result.scores)
        # A model of other labels cannot be right or wrong about this source.
        truth = frame.truth if frame.truth in self._known_labels else ""
        self._counts.add(label, truth)
        self._emit(
            PredictionEvent(frame.index, now, label, best[0].score, best, age_ms, truth, frame.name)
        )
        change = smoother.update(result.scores, time_s) if smoother else None
        if change is not None:
            self._emit(ChangeEvent(frame.index, now, change.label, change.previous, change.score))
        decide_ms = (time.monotonic() - classified_s) * 1e3
        self._latencies.add(
            {"decode": frame.decode_ms, **result.latency_ms, "decide": decide_ms, "age": age_ms}
        )

    def _decide(self, scores: Scores) -> str:
        winner = int(scores.argmax())
        is_sure = scores[winner] >= self._thresholds[winner]
        return self._classifier.labels[winner] if is_sure else UNKNOWN

    def _emit(self, event: Event) -> None:
        for sink in self._queues:
            sink.handle(event)

    def _summarize(self, seconds: float) -> SummaryEvent:
        counts, capture = self._counts, self._capture
        return SummaryEvent(
            frames=capture.taken + capture.dropped + capture.unreadable,
            classified=counts.classified,
            dropped=capture.dropped + capture.taken - counts.classified,
            unreadable=capture.unreadable,
            seconds=seconds,
            fps=counts.classified / seconds if seconds > 0 else 0.0,
            latency_ms=self._latencies.to_percentiles(),
            labelled=counts.labelled,
            correct=counts.correct,
            sink_drops={sink.name: sink.dropped for sink in self._queues if sink.dropped},
        )

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
    labelled: int = 0
    correct: int = 0

    def add(self, label: str, truth: str) -> None:
        self.classified += 1
        if truth:
            self.labelled += 1
            self.correct += label == truth


def _thresholds(classifier: Classifier, given: float | None) -> npt.NDArray[np.float32]:
    """The score each class must reach, (classes,)."""
    output = classifier.model.card.output
    if given is not None:
        return np.full(len(classifier.labels), given, np.float32)
    return np.array(
        [
            output.class_thresholds.get(label, output.reject_threshold)
            for label in classifier.labels
        ],
        np.float32,
    )
