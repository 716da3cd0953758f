"""What the console says of a recording's time, of flips, labels, candidates and models."""

from __future__ import annotations

import io

import pytest

from edgecls.contract.events import (
    ChangeEvent,
    Event,
    LabelEvent,
    ModelEvent,
    ShadowEvent,
    SummaryEvent,
)
from edgecls.sinks.console import ConsoleSink


def shown(event: Event) -> str:
    out = io.StringIO()
    ConsoleSink(out).handle(event)
    return out.getvalue()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(
            ChangeEvent(9, 3725.5, "cat", "dog", 0.75),
            "01:02:05  cat (75%)\n",
            id="a recording's time counts from its beginning, in every time zone",
        ),
        pytest.param(LabelEvent("entered", 9, 5.0, "cat"), "00:00:05  cat entered\n", id="entered"),
        pytest.param(
            LabelEvent("held", 9, 5.0, "cat", 2.5), "00:00:05  cat held for 2.5 s\n", id="held"
        ),
        pytest.param(
            ShadowEvent(9, 5.0, "cat", 0.75, "dog", 0.5),
            "00:00:05  cat (75%), the candidate says dog (50%)\n",
            id="a candidate that disagrees",
        ),
        pytest.param(
            ModelEvent("refused", 0.0, "m.tflite", "", (), "the file is empty"),
            "model m.tflite is refused: the file is empty\n",
            id="a new model that is refused",
        ),
    ],
)
def test_a_line_for_each_event(event: Event, line: str) -> None:
    assert shown(event) == line


def test_the_summary_tells_flips_and_agreement() -> None:
    shadow = {
        **{"model": "b.tflite", "compared": 120, "disagreed": 6, "agreement": 0.95},
        **{"skipped": 3, "failed": 0},
    }
    flips = {"label": 9640.2, "steady": 753.1}
    text = shown(SummaryEvent(1, 1, 0, 0, 1.0, 1.0, {}, flips_per_hour=flips, shadow=shadow))
    assert text.splitlines()[1:] == [
        "changes an hour: 9640 of single frames, 753 steady",
        "b.tflite agrees in 95.0% of 120 frames, 3 skipped, 0 failed",
    ]
