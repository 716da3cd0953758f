"""A candidate beside the live model: on every n-th frame, in its own thread, never in the way."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from edgecls.classifier import Classifier
from edgecls.contract.events import ShadowEvent
from edgecls.contract.labels import Labels
from edgecls.decision import Decider, Decision, DecisionSettings
from edgecls.errors import EdgeclsError, EngineError, InvalidValueError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.imaging.scaled import decode_scaled
from edgecls.timing import Latencies

# Of the kernel's -20 to 19: on a board whose cores are all busy the live model goes first.
_NICENESS: Final = 10
_CLOSE_S: Final = 1.0
_PAIRS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    frame: CapturedFrame
    decision: Decision
    time: float
    truth: str


class Shadow:
    """Compares what a candidate says of a frame with what the live model said.

    Args:
        candidate: Of any input size; it is closed by `close`.
        settings: The live model's, so that both decide alike; each has its own card's thresholds.
        labels: The live model's.
        every: Compare every so many-th frame.

    Raises:
        InvalidValueError: Nonsense for `every`, or the candidate's labels are others.
    """

    def __init__(
        self, candidate: Classifier, settings: DecisionSettings, labels: Labels, *, every: int = 10
    ) -> None:
        if every < 1:
            raise InvalidValueError(f"every {every} frames were asked for, wanted at least 1")
        self.candidate = candidate
        self.check_labels(labels)
        self.counts: Counter[str] = Counter()
        self._every = every
        self._decider = Decider(
            candidate.labels, candidate.model.card.output, settings, is_sequence=False
        )
        self._seen = 0
        self._is_stopped = False
        self._is_closed = False
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._latencies = Latencies()
        self._task: _Task | None = None
        self._found: list[tuple[ShadowEvent, CapturedFrame]] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def check_labels(self, labels: Labels) -> None:
        """Refuse a live model of other labels; their order may differ.

        Raises:
            InvalidValueError: A name that only one of the two has.
        """
        for name, where in [
            *((name, "the candidate lacks") for name in labels if name not in set(self.labels)),
            *((name, "only the candidate has") for name in self.labels if name not in set(labels)),
        ]:
            raise InvalidValueError(
                f"{self.candidate.model.name!r} cannot be compared: {where} the label {name!r}",
                hint="a candidate has the labels of the live model, in any order",
            )

    @property
    def labels(self) -> Labels:
        """The candidate's."""
        return self.candidate.labels

    def stop(self) -> None:
        """Compare no more: the live model is another one now."""
        self._is_stopped = True

    def offer(
        self, frame: CapturedFrame, decision: Decision, now: float, truth: str, *, waits: bool
    ) -> None:
        """Take every n-th frame, as the live model has decided about it.

        Args:
            frame: With pixels; not to be changed.
            decision: Of the live model.
            now: The event's time.
            truth: The right label, where it is known.
            waits: For a recording, of which nothing is left out: return once it is compared.
                Otherwise a frame that comes while the candidate still works is skipped.
        """
        self._seen += 1
        if self._is_stopped or (self._seen - 1) % self._every:
            return
        with self._changed:
            if self._task is not None:
                self.counts["skipped"] += 1
                return
            self._task = _Task(frame, decision, now, truth)
            self._changed.notify_all()
            while waits and self._task is not None and self._thread.is_alive():
                self._changed.wait(0.1)

    def take(self) -> list[tuple[ShadowEvent, CapturedFrame]]:
        """The disagreements found since the last time, oldest first."""
        if not self._found:
            return []
        with self._changed:
            found, self._found = self._found, []
        return found

    def close(self) -> None:
        """Wait a moment for the comparison at work, and give the candidate's memory back."""
        end = time.monotonic() + _CLOSE_S
        with self._changed:
            while self._task is not None and time.monotonic() < end:
                self._changed.wait(0.1)
            is_idle = self._task is None
            self._is_stopped = self._is_closed = True
            self._changed.notify_all()
        if is_idle:
            self._thread.join(_CLOSE_S)
            self.candidate.close()

    def to_json(self) -> dict[str, Any]:
        """What it came to, for the summary."""
        counts = self.counts
        compared, disagreed = counts["compared"], counts["disagreed"]
        found: dict[str, Any] = {
            "model": self.candidate.model.name,
            "compared": compared,
            "disagreed": disagreed,
            "agreement": round(1 - disagreed / compared, 4) if compared else None,
            "skipped": counts["skipped"],
            "failed": counts["failed"],
            "latency_ms": self._latencies.to_percentiles(),
            "pairs": [
                {"label": label, "candidate": candidate, "count": count}
                for (label, candidate), count in self._pairs.most_common(_PAIRS)
            ],
        }
        if counts["labelled"]:
            found |= {name: counts[name] for name in ("labelled", "correct", "candidate_correct")}
        return found

    def _work(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            # On Linux a thread has a niceness of its own.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            with self._changed:
                while self._task is None and not self._is_closed:
                    self._changed.wait()
                task = self._task
            if task is None:
                return
            event = self._compare(task)
            with self._changed:
                if event is not None:
                    self._found.append((event, task.frame))
                self._task = None
                self._changed.notify_all()

    def _pixels_of(self, frame: CapturedFrame) -> Frame:
        """What the candidate would see as the live model: a JPEG is decoded for its own size."""
        if frame.jpeg:
            return decode_scaled(frame.jpeg, self.candidate.model.card.preprocessing, frame.view)
        if frame.pixels is None:
            raise EngineError(f"frame {frame.index} has neither pixels nor a JPEG")
        return frame.pixels

    def _compare(self, task: _Task) -> ShadowEvent | None:
        try:
            result = self.candidate.classify(self._pixels_of(task.frame))
        except EdgeclsError:
            self.counts["failed"] += 1
            return None
        found = self._decider.decide(result.scores, 0.0)
        live = task.decision
        self.counts["compared"] += 1
        self._latencies.add(result.latency_ms)
        if task.truth:
            self.counts["labelled"] += 1
            self.counts["correct"] += live.label == task.truth
            self.counts["candidate_correct"] += found.label == task.truth
        if found.label == live.label:
            return None
        self.counts["disagreed"] += 1
        self._pairs[live.label, found.label] += 1
        return ShadowEvent(
            task.frame.index, task.time, live.label, live.score, found.label, found.score
        )
