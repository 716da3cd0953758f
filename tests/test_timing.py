"""Latencies are kept in bounded memory and told as percentiles."""

from __future__ import annotations

import tracemalloc

import pytest

from edgecls.timing import Latencies, percentiles


@pytest.mark.parametrize(
    ("values", "p50", "p95", "p99"),
    [
        # Of n sorted values, percentile q stands at position (n - 1) * q, between neighbours.
        pytest.param([*range(1, 101)], 50.5, 95.05, 99.01, id="of 1 to 100"),
        pytest.param([3.0, 1.0, 2.0], 2.0, 2.9, 2.98, id="of three in any order"),
        pytest.param([7.25], 7.25, 7.25, 7.25, id="of one are that one"),
        pytest.param([0.0012345], 0.001, 0.001, 0.001, id="are told to the microsecond"),
    ],
)
def test_percentiles(values: list[float], p50: float, p95: float, p99: float) -> None:
    assert percentiles(values) == {"p50": p50, "p95": p95, "p99": p99}


def test_stages_are_kept_apart_in_the_order_they_were_seen() -> None:
    latencies = Latencies()
    latencies.add({"prepare": 1.0, "invoke": 5.0})
    latencies.add({"prepare": 3.0, "invoke": 5.0, "age": 9.0})
    found = latencies.to_percentiles()
    assert list(found) == ["prepare", "invoke", "age"]
    assert [found[stage]["p50"] for stage in found] == [2.0, 5.0, 9.0]


def test_nothing_measured_is_nothing_told() -> None:
    assert Latencies().to_percentiles() == {}


def test_only_the_newest_count() -> None:
    latencies = Latencies(kept=3)
    for value in (100.0, 100.0, 1.0, 2.0, 3.0):
        latencies.add({"invoke": value})
    assert latencies.to_percentiles()["invoke"]["p50"] == 2.0


@pytest.mark.parametrize("seen", [2, 3, 4, 5, 6, 7])
def test_so_many_of_the_newest_may_be_asked_for(seen: int) -> None:
    latencies = Latencies(kept=3)
    for value in range(seen):
        latencies.add({"invoke": float(value)})
    assert latencies.to_percentiles(newest=1)["invoke"]["p50"] == seen - 1


@pytest.mark.fault(167)
def test_a_loop_takes_all_its_memory_at_its_first_frame() -> None:
    latencies = Latencies(kept=18_000)
    latencies.add({"invoke": 0.0})
    tracemalloc.start()
    for value in range(20_000):
        latencies.add({"invoke": float(value)})
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 1_000  # bytes
