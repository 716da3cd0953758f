"""Scores that flicker -> one steady label: averaging in time, hysteresis and a minimum hold."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecls.contract.events import UNKNOWN
from edgecls.contract.labels import Labels
from edgecls.errors import InvalidValueError

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How hard it is to change the steady label.

    Args:
        time_constant_s: Of the exponential average of the scores; 0 looks at each frame alone.
        margin: By how much (score, 0-1) a new label must beat the old one.
        min_hold_s: How long a label stays at least.
    """

    time_constant_s: float = 0.4
    margin: float = 0.1
    min_hold_s: float = 0.5

    def __post_init__(self) -> None:
        for name in ("time_constant_s", "margin", "min_hold_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidValueError(f"{name} is {getattr(self, name)!r}, wanted 0 or more")


@dataclass(frozen=True, slots=True)
class Change:
    """The steady label became another one; `score` is the average of the new one."""

    label: str
    previous: str
    score: float


class Smoother:
    """Follows scores in time; time is the frames' own, so a replay gives the same changes."""

    def __init__(
        self, labels: Labels, thresholds: npt.NDArray[np.float32], steadiness: Steadiness
    ) -> None:
        self.label = UNKNOWN
        self._labels = labels
        self._thresholds = thresholds
        self._steadiness = steadiness
        self._average: Scores | None = None
        self._time_s = 0.0
        self._held_since_s = -math.inf

    def update(self, scores: Scores, time_s: float) -> Change | None:
        """Take the scores of a frame.

        Args:
            scores: (classes,), 0-1.
            time_s: When the frame was captured, never earlier than the one before.

        Returns:
            The change, if the steady label became another one.
        """
        average = self._follow(scores, time_s)
        winner = int(average.argmax())
        wanted = self._labels[winner] if average[winner] >= self._thresholds[winner] else UNKNOWN
        if wanted == self.label or not self._may_change(time_s):
            return None
        if not self._beats_current(average, winner, wanted):
            return None
        change = Change(wanted, self.label, float(average[winner]))
        self.label, self._held_since_s = wanted, time_s
        return change

    def _may_change(self, time_s: float) -> bool:
        # A microsecond: 0.3 - 0.2 s, as times of a recording are, is a hair less than 0.1 s.
        return time_s - self._held_since_s >= self._steadiness.min_hold_s - 1e-6

    def _follow(self, scores: Scores, time_s: float) -> Scores:
        constant_s = self._steadiness.time_constant_s
        if self._average is None or constant_s == 0:
            self._average = scores.astype(np.float32)
        else:
            weight = 1.0 - math.exp(-max(time_s - self._time_s, 0.0) / constant_s)
            self._average = self._average + np.float32(weight) * (scores - self._average)
        self._time_s = time_s
        return self._average

    def _beats_current(self, average: Scores, winner: int, wanted: str) -> bool:
        if self.label == UNKNOWN:
            return True
        current = self._labels.names.index(self.label)
        if wanted == UNKNOWN:  # the old label must fall clearly below its own threshold
            return bool(average[current] < self._thresholds[current] - self._steadiness.margin)
        return bool(average[winner] - average[current] >= self._steadiness.margin)
