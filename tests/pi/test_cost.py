"""What a frame costs on a Raspberry Pi has not grown: instructions and memory."""

from __future__ import annotations

import copy

import pytest

from benchmarks.instructions import (
    PAGE,
    Figures,
    find_regressions,
    load_figures,
    measure,
    refresh,
    to_table,
)


def test_no_frame_takes_more_than_the_committed_figures_allow() -> None:
    found = measure()
    print(to_table(found))
    advice = "where it is worth it: python benchmarks/instructions.py --update"
    assert find_regressions(found, load_figures()) == [], advice


def test_the_page_shows_the_committed_figures() -> None:
    page = PAGE.read_text("utf-8")
    assert refresh(page, load_figures()) == page


@pytest.fixture
def figures() -> Figures:
    stages = {"decode": 1000, "invoke": 100_000}
    return {"instructions": {"cortex-a72": {"digits": stages}}, "memory_mb": {"digits": 80.0}}


def test_three_percent_more_instructions_are_tolerated_and_four_are_not(figures: Figures) -> None:
    now = copy.deepcopy(figures)
    stages = now["instructions"]["cortex-a72"]["digits"]
    stages.update(decode=1030, invoke=104_000)
    assert find_regressions(now, figures) == [
        "cortex-a72, digits, invoke: 104,000 instructions, +4.0% against 100,000"
    ]


def test_a_tenth_more_memory_is_tolerated_and_a_fifth_is_not(figures: Figures) -> None:
    now = copy.deepcopy(figures)
    now["memory_mb"]["digits"] = 88.0
    assert find_regressions(now, figures) == []
    now["memory_mb"]["digits"] = 96.0
    assert find_regressions(now, figures) == ["digits: 96.0 MB, +20.0% against 80.0 MB"]
