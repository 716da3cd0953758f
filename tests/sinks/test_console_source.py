"""What the console says of a camera that gives frames that are no good."""

from __future__ import annotations

import io
from typing import Any

import pytest

from edgecls.contract.events import Event, SummaryEvent
from edgecls.contract.warning_event import WarningEvent
from edgecls.sinks.console import ConsoleSink


def shown(event: Event) -> str:
    out = io.StringIO()
    ConsoleSink(out).handle(event)
    return out.getvalue()


def summary(**source: float) -> SummaryEvent:
    return SummaryEvent(0, 0, 0, 0, 1.0, 0.0, {}, source=source)


@pytest.mark.fault(56)
def test_a_warning_is_told_with_its_reason_and_its_end_with_how_long_it_took() -> None:
    begin = WarningEvent("frozen", "begin", 0.0, "0", 10.0, "it has not changed; start it again")
    assert shown(begin) == "source 0: it has not changed; start it again\n"
    end = WarningEvent("frozen", "end", 0.0, "0", 34.2)
    assert shown(end) == "source 0: no longer frozen, after 34 s\n"


def test_a_warning_as_json() -> None:
    assert WarningEvent("slow", "begin", 12.3456, "0", 10.04, "why").to_json() == {
        "event": "warning",
        "trouble": "slow",
        "state": "begin",
        "time": 12.346,
        "source": "0",
        "seconds": 10.0,
        "reason": "why",
    }


@pytest.mark.parametrize(
    ("source", "line"),
    [
        pytest.param({"lost": 1, "away_s": 0.3}, "source: lost once, away for 0.3 s", id="once"),
        pytest.param(
            {"lost": 2, "away_s": 8.1}, "source: lost 2 times, away for 8.1 s", id="twice"
        ),
        pytest.param(
            {"frozen_s": 12.0, "slow_s": 60.0}, "source: frozen for 12 s, slow for 60 s", id="bad"
        ),
    ],
)
def test_the_summary_tells_what_was_wrong(source: dict[str, Any], line: str) -> None:
    assert line in shown(summary(**source)).splitlines()


def test_nothing_is_said_of_a_camera_that_was_well() -> None:
    assert "source" not in shown(summary())
    assert "source" not in summary().to_json()
