"""Events for people: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator
from typing import TextIO

import pytest

from edgecls.contract.events import (
    ChangeEvent,
    Event,
    Prediction,
    PredictionEvent,
    SourceEvent,
    SummaryEvent,
)
from edgecls.sinks.console import ConsoleSink

PREDICTIONS = [Prediction(3, "cat", 0.75), Prediction(1, "dog", 0.25)]
CLEAR = "\r\x1b[K"


def prediction(label: str = "cat", name: str = "") -> PredictionEvent:
    return PredictionEvent(0, 0.0, label, 0.75, PREDICTIONS, 12.4, "", name)


def shown(*events: Event) -> str:
    out = io.StringIO()
    sink = ConsoleSink(out)
    for event in events:
        sink.handle(event)
    sink.close()
    return out.getvalue()


class Terminal:
    """A pseudo-terminal: what is written to `out` comes back from `read`."""

    def __init__(self) -> None:
        self._ours, theirs = os.openpty()
        self.out: TextIO = os.fdopen(theirs, "w", encoding="utf-8")

    def read(self) -> str:
        return os.read(self._ours, 10_000).decode().replace("\r\n", "\n")

    def close(self) -> None:
        self.out.close()
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


def test_a_change_is_a_line_with_the_time_of_day() -> None:
    noon = time.mktime((2026, 11, 5, 12, 0, 1, 0, 0, -1))
    assert shown(ChangeEvent(7, noon, "cat", "dog", 0.75)) == "12:00:01  cat (75%)\n"


def test_frames_of_a_camera_are_no_lines_in_a_log() -> None:
    assert shown(*[prediction()] * 10) == ""


def test_each_picture_is_a_line() -> None:
    assert shown(prediction(name="a.jpg")) == "a.jpg: cat 75.0%\n"


def test_a_lost_source_is_told_with_its_reason() -> None:
    assert shown(
        SourceEvent("lost", 0.0, "/dev/video0", "it gives no frames"),
        SourceEvent("back", 0.0, "/dev/video0"),
    ) == (
        "source /dev/video0 is lost: it gives no frames\n"
        "source /dev/video0 is back\n"
    )  # fmt: skip


def test_the_summary_counts_and_times() -> None:
    spread = {"invoke": {"p50": 1.25, "p95": 2.0, "p99": 3.0}}
    text = shown(SummaryEvent(23, 20, 2, 1, 8.0, 2.5, spread, 20, 15, {"stdout": 4}))
    assert text.splitlines() == [
        "20 frames classified in 8.0 s (2.5 a second), 2 dropped, 1 unreadable",
        "right: 15 of 20 (75.0%)",
        "latency in ms        p50       p95       p99",
        "  invoke           1.250     2.000     3.000",
        "sink stdout missed 4 events",
    ]


def test_a_summary_of_nothing_is_one_line() -> None:
    assert shown(SummaryEvent(0, 0, 0, 0, 0.0, 0.0, {})) == (
        "0 frames classified in 0.0 s (0.0 a second), 0 dropped, 0 unreadable\n"
    )


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    "event",
    [
        pytest.param(prediction(name="\x1b[2J\n.jpg"), id="in a file name"),
        pytest.param(ChangeEvent(0, 0.0, "\x1b[2J\n", "", 1.0), id="in a label"),
        pytest.param(SourceEvent("lost", 0.0, "x", "\x1b[2J\n"), id="in a reason"),
    ],
)
def test_escapes_are_shown_and_not_obeyed(event: Event) -> None:
    text = shown(event)
    assert r"\x1b[2J\n" in text
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_a_terminal_shows_the_label_now_on_one_line(terminal: Terminal) -> None:
    ConsoleSink(terminal.out).handle(prediction())
    text = terminal.read()
    assert text.startswith(f"{CLEAR}cat ")
    # Three quarters of a bar of 20, the age of the frame, and what else it could be.
    assert re.search(r"cat +75\.0% #{15} +12 ms  dog 25%$", text)


def test_a_terminal_is_not_written_to_at_every_frame(terminal: Terminal) -> None:
    sink = ConsoleSink(terminal.out)
    for _ in range(5):
        sink.handle(prediction())
    assert terminal.read().count(CLEAR) == 1


def test_a_line_that_stays_takes_the_place_of_the_live_one(terminal: Terminal) -> None:
    sink = ConsoleSink(terminal.out)
    sink.handle(prediction())
    terminal.read()
    sink.handle(SourceEvent("back", 0.0, "/dev/video0"))
    assert terminal.read() == f"{CLEAR}source /dev/video0 is back\n"


def test_the_live_line_is_gone_at_the_end(terminal: Terminal) -> None:
    sink = ConsoleSink(terminal.out)
    sink.handle(prediction())
    terminal.read()
    sink.close()
    assert terminal.read() == CLEAR


@pytest.mark.fault(20)
def test_a_label_cannot_write_to_the_terminal(terminal: Terminal) -> None:
    ConsoleSink(terminal.out).handle(prediction(label="\x1b]0;title\x07"))
    assert terminal.read().removeprefix(CLEAR).startswith(r"\x1b]0;title\x07")
