"""How long each stage takes: recent latencies in bounded memory, and their percentiles."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np

# Ten minutes of a busy camera; older ones no longer count.
KEPT: Final = 18_000


class Latencies:
    """Latencies in ms by stage."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._stages: dict[str, deque[float]] = {}

    def add(self, latency_ms: Mapping[str, float]) -> None:
        """Note the stages of one frame."""
        for stage, value in latency_ms.items():
            if stage not in self._stages:
                self._stages[stage] = deque(maxlen=self._kept)
            self._stages[stage].append(value)

    def to_percentiles(self) -> dict[str, dict[str, float]]:
        """Stage -> p50, p95 and p99 in ms, in the order in which the stages were first seen."""
        return {stage: percentiles(values) for stage, values in self._stages.items()}


def percentiles(values_ms: deque[float] | list[float]) -> dict[str, float]:
    """p50, p95 and p99 of a list that is not empty, rounded to a microsecond."""
    found = np.percentile(np.fromiter(values_ms, np.float64), (50, 95, 99))
    return dict(zip(("p50", "p95", "p99"), (round(float(v), 3) for v in found), strict=True))
