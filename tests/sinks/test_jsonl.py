"""JSON lines that people's scripts stand on: fields, rounding, one line an event."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from edgecls.contract.events import (
    ChangeEvent,
    Event,
    Prediction,
    PredictionEvent,
    SourceEvent,
    SummaryEvent,
)
from edgecls.errors import SinkError
from edgecls.sinks.jsonl import JsonlFileSink, JsonlSink, open_jsonl

CAT = Prediction(3, "cat", 0.87654)
SPREAD = {"invoke": {"p50": 1.0, "p95": 2.0, "p99": 3.0}}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(
            PredictionEvent(7, 1.23456, "cat", 0.87654, [CAT], 12.345),
            {
                "event": "prediction",
                "frame": 7,
                "time": 1.235,
                "label": "cat",
                "score": 0.8765,
                "predictions": [{"index": 3, "label": "cat", "score": 0.8765}],
                "age_ms": 12.35,
            },
            id="a prediction",
        ),
        pytest.param(
            PredictionEvent(0, 0.0, "unknown", 0.5, [], 1.0, "dog", "a.jpg"),
            {
                "event": "prediction",
                "frame": 0,
                "time": 0.0,
                "label": "unknown",
                "score": 0.5,
                "predictions": [],
                "age_ms": 1.0,
                "truth": "dog",
                "file": "a.jpg",
            },
            id="a prediction with truth and file",
        ),
        pytest.param(
            ChangeEvent(7, 2.0, "cat", "dog", 0.5),
            {
                "event": "change",
                "frame": 7,
                "time": 2.0,
                "label": "cat",
                "previous": "dog",
                "score": 0.5,
            },
            id="a change",
        ),
        pytest.param(
            SourceEvent("lost", 2.0, "/dev/video0", "it gives no frames"),
            {
                "event": "source",
                "state": "lost",
                "time": 2.0,
                "source": "/dev/video0",
                "reason": "it gives no frames",
            },
            id="a source that was lost",
        ),
        pytest.param(
            SourceEvent("back", 2.0, "/dev/video0"),
            {"event": "source", "state": "back", "time": 2.0, "source": "/dev/video0"},
            id="a source that is back",
        ),
        pytest.param(
            SummaryEvent(10, 7, 2, 1, 2.0, 3.5, SPREAD),
            {
                "event": "summary",
                "frames": 10,
                "classified": 7,
                "dropped": 2,
                "unreadable": 1,
                "seconds": 2.0,
                "fps": 3.5,
                "latency_ms": SPREAD,
            },
            id="a summary",
        ),
        pytest.param(
            SummaryEvent(1, 1, 0, 0, 1.0, 1.0, {}, 1, 0, {"stdout": 5}),
            {
                "event": "summary",
                "frames": 1,
                "classified": 1,
                "dropped": 0,
                "unreadable": 0,
                "seconds": 1.0,
                "fps": 1.0,
                "latency_ms": {},
                "labelled": 1,
                "correct": 0,
                "sink_drops": {"stdout": 5},
            },
            id="a summary with truth and drops",
        ),
    ],
)
def test_the_fields_of_an_event(event: Event, line: dict[str, Any]) -> None:
    out = io.StringIO()
    JsonlSink(out).handle(event)
    assert json.loads(out.getvalue()) == line
    assert out.getvalue().count("\n") == 1


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "name",
    [
        "two\nlines.jpg",
        "\x1b[2J.jpg",
        "[red].jpg",
        "🐢.jpg",
        "caf\udce9.jpg",
        'a"b\\c.jpg',
        "\u2028",
    ],
    ids=ascii,
)
def test_no_file_name_breaks_a_line(name: str) -> None:
    out = io.StringIO()
    JsonlSink(out).handle(PredictionEvent(0, 0.0, "cat", 1.0, [CAT], 1.0, "", name))
    (line,) = out.getvalue().splitlines()
    assert line.isascii()
    assert json.loads(line)["file"] == name


def test_a_line_can_be_read_at_once(tmp_path: Path) -> None:
    sink = open_jsonl(tmp_path / "events.jsonl")
    sink.handle(ChangeEvent(7, 2.0, "cat", "dog", 0.5))
    assert (tmp_path / "events.jsonl").read_text().endswith("}\n")
    sink.close()


def test_events_are_appended_to_a_file(tmp_path: Path) -> None:
    for _ in range(2):
        sink = open_jsonl(tmp_path / "events.jsonl")
        sink.handle(ChangeEvent(7, 2.0, "cat", "dog", 0.5))
        sink.close()
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        pytest.param("nowhere/events.jsonl", "No such file or directory", id="a missing folder"),
        pytest.param(".", "Is a directory", id="a folder"),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path: Path, place: str, reason: str) -> None:
    with pytest.raises(SinkError, match=f"cannot write events to .*{reason}") as refused:
        open_jsonl(tmp_path / place)
    assert refused.value.hint == "check that the folder exists and is writable"


class TestFile:
    @pytest.mark.fault(67)
    def test_a_torn_line_is_cut_off_and_told(self, tmp_path: Path) -> None:
        path = tmp_path / "events.jsonl"
        path.write_text('{"event": "change"}\n{"event": "chan')
        told: list[str] = []
        open_jsonl(path, told.append).close()
        assert path.read_text() == '{"event": "change"}\n'
        assert told == [f"{path}: its last line was torn and is cut off (15 bytes)"]

    def test_a_file_of_another_kind_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "model.tflite"
        path.write_bytes(b"\x1c\0\0\0TFL3")
        with pytest.raises(SinkError, match="holds something else"):
            open_jsonl(path)
        assert path.read_bytes() == b"\x1c\0\0\0TFL3"

    def test_it_is_rotated(self, tmp_path: Path) -> None:
        sink = open_jsonl(tmp_path / "events.jsonl", max_bytes=200, keep=1)
        for number in range(10):
            sink.handle(ChangeEvent(number, 2.0, "cat", "dog", 0.5))
        sink.close()
        files = sorted(path.name for path in tmp_path.iterdir())
        assert files == ["events.jsonl", "events.jsonl.1"]
        assert all(path.stat().st_size <= 200 for path in tmp_path.iterdir())

    @pytest.mark.fault(68)
    def test_a_disk_that_fails_is_told_once_and_counted(self, tmp_path: Path) -> None:
        folder = tmp_path / "disk"
        folder.mkdir()
        told: list[str] = []
        sink = open_jsonl(folder / "events.jsonl", told.append)
        (folder / "events.jsonl").unlink()
        folder.rmdir()
        assert isinstance(sink, JsonlFileSink)
        sink._journal._checked_s = 0.0  # a second later
        for number in range(5):
            sink.handle(ChangeEvent(number, 2.0, "cat", "dog", 0.5))
        assert sink.counts == {"errors": 5}
        assert len(told) == 1
        assert "No such file or directory; classifying goes on without it" in told[0]

    def test_a_device_is_written_to_as_it_is(self) -> None:
        sink = open_jsonl(Path("/dev/full"))
        with pytest.raises(SinkError, match="No space left on device"):
            sink.handle(ChangeEvent(0, 2.0, "cat", "dog", 0.5))
