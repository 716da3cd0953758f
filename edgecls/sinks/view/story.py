"""What has happened lately, as a page that comes wants to be told it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import (
    UNKNOWN,
    ChangeEvent,
    Event,
    ModelEvent,
    PredictionEvent,
    SourceEvent,
)

HISTORY_S: Final = 60.0
_SAMPLE_S: Final = 0.2
_KEPT_EVENTS: Final = 50


class Story:
    """The steady label and since when, the last minute's scores, the last events.

    Args:
        model: Its file.
        labels: Of the model.
        clock: Gives seconds that only grow.
    """

    def __init__(
        self, model: str, labels: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = _base(model)
        self._labels = list(labels)
        self._clock = clock
        self._steady = UNKNOWN
        self._steady_since_s = clock()
        self._source: dict[str, Any] = {"state": "back"}
        self._drifting: dict[str, dict[str, Any]] = {}
        self._last: PredictionEvent | None = None
        self._samples: deque[tuple[float, float, str]] = deque()
        self._events: deque[dict[str, Any]] = deque(maxlen=_KEPT_EVENTS)
        self._lock = threading.Lock()  # the sink's thread writes, the server's reads

    def predict(self, event: PredictionEvent) -> None:
        """Take a prediction."""
        now_s = self._clock()
        with self._lock:
            self._last = event
            if event.steady and event.steady != self._steady:
                self._steady, self._steady_since_s = event.steady, now_s
            if not self._samples or now_s - self._samples[-1][0] >= _SAMPLE_S:
                self._samples.append((now_s, event.score, event.label))
            while self._samples[0][0] < now_s - HISTORY_S:
                self._samples.popleft()

    def note(self, event: Event) -> dict[str, Any]:
        """Take anything else; returns it as JSON, as `--json` prints it."""
        told = event.to_json()
        with self._lock:
            self._events.append(told)
            if isinstance(event, ChangeEvent):
                self._steady, self._steady_since_s = event.label, self._clock()
            elif isinstance(event, SourceEvent):
                self._source = told
            elif isinstance(event, DriftEvent):
                self._drifting.pop(event.statistic, None)
                if event.state == "drifting":
                    self._drifting[event.statistic] = told
            elif isinstance(event, ModelEvent) and event.state == "loaded":
                self._model, self._labels = _base(event.model), list(event.labels)
                self._steady, self._steady_since_s = UNKNOWN, self._clock()
                self._drifting.clear()
        return told

    def now(self) -> dict[str, Any]:
        """The last prediction, and the steady label; empty before the first."""
        with self._lock:
            return self._now()

    def now_of(self, event: PredictionEvent) -> dict[str, Any]:
        """What belongs to one frame: its prediction, and the steady label from it on."""
        with self._lock:
            return self._tell(event)

    def to_json(self) -> dict[str, Any]:
        """All of it; times of the past are seconds ago, as clocks of phones and boards differ."""
        now_s = self._clock()
        with self._lock:
            return {
                "model": self._model,
                "labels": len(self._labels),
                "source": self._source,
                "drifting": list(self._drifting.values()),
                "now": self._now(),
                "minute": [
                    [round(now_s - at_s, 2), round(score, 4), label]
                    for at_s, score, label in self._samples
                ],
                "events": list(self._events),
            }

    def _now(self) -> dict[str, Any]:
        return {} if self._last is None else self._tell(self._last)

    def _tell(self, event: PredictionEvent) -> dict[str, Any]:
        told = event.to_json()
        steady = event.steady or event.label
        is_known = event.steady in ("", self._steady)
        told["steady"] = steady
        told["steady_s"] = round(self._clock() - self._steady_since_s, 1) if is_known else 0.0
        return told


def _base(path: str) -> str:
    return path.rpartition("/")[2]
