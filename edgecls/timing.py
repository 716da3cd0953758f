"""How long each stage takes: recent latencies in bounded memory, and their percentiles."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

# Ten minutes of a busy camera; older ones no longer count.
KEPT: Final = 18_000


class Latencies:
    """Latencies in ms by stage."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._stages: dict[str, _Recent] = {}

    def add(self, latency_ms: Mapping[str, float]) -> None:
        """Note the stages of one frame."""
        for stage, value in latency_ms.items():
            if stage not in self._stages:
                self._stages[stage] = _Recent(self._kept)
            self._stages[stage].add(value)

    def to_percentiles(self, newest: int = KEPT) -> dict[str, dict[str, float]]:
        """Stage -> p50, p95 and p99 in ms, in the order in which the stages were first seen.

        Args:
            newest: Of so many frames at most. Safe beside `add` in another thread.
        """
        stages = list(self._stages.items())
        return {stage: percentiles(values.newest(newest)) for stage, values in stages}


class _Recent:
    """The newest so many values.

    All of their memory is taken, and written to, at the start: a loop that has begun grows no more.
    Four bytes each tell a second to a tenth of a microsecond.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values = array("f", bytes(4 * kept))
        self._seen = 0

    def add(self, value: float) -> None:
        self._values[self._seen % self._kept] = value
        self._seen += 1

    def newest(self, count: int) -> array[float]:
        """The oldest of them first."""
        if self._seen < self._kept:
            return self._values[: self._seen][-count:]
        begin = self._seen % self._kept
        return (self._values[begin:] + self._values[:begin])[-count:]


def percentiles(values_ms: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of a list that is not empty, rounded to a microsecond."""
    found = np.percentile(np.fromiter(values_ms, np.float64), (50, 95, 99))
    return dict(zip(("p50", "p95", "p99"), (round(float(v), 3) for v in found), strict=True))
