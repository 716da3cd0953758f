"""What every sink promises, wherever events go."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TextIO

import pytest

from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import (
    ChangeEvent,
    Event,
    Prediction,
    PredictionEvent,
    SourceEvent,
    SummaryEvent,
    UnreadableEvent,
)
from edgecls.errors import SinkClosedError, SinkError
from edgecls.notify import Notifier
from edgecls.sinks import QueuedSink, Sink
from edgecls.sinks.command import CommandSink
from edgecls.sinks.console import ConsoleSink
from edgecls.sinks.csv import CsvSink
from edgecls.sinks.fake import FakeSink
from edgecls.sinks.jsonl import JsonlSink, open_jsonl
from edgecls.sinks.mqtt import MqttSink
from edgecls.sinks.mqtt.settings import Broker, MqttSettings
from edgecls.sinks.record import RecordSettings, RecordSink
from edgecls.sinks.service import ServiceSink
from edgecls.sinks.view import ViewSink
from edgecls.sinks.window import WindowSink
from tests.support.frames import frame

CAT: Final = Prediction(3, "cat", 0.875)
EVENTS: Final[dict[str, Event]] = {
    "prediction": PredictionEvent(0, 1.5, "cat", 0.875, [CAT], 12.0),
    "prediction of a file": PredictionEvent(0, 1.5, "cat", 0.875, [CAT], 12.0, "dog", "a.jpg"),
    "change": ChangeEvent(4, 1.5, "cat", "unknown", 0.875),
    "lost": SourceEvent("lost", 1.5, "/dev/video0", "it gives no frames"),
    "back": SourceEvent("back", 1.5, "/dev/video0"),
    "unreadable": UnreadableEvent(1.5, "photos", "'photos/b.png': the PNG is cut off"),
    "drift": DriftEvent("drifting", 1.5, "brightness", 12.0, 120.0, 60.0, 180.0),
    "drift is over": DriftEvent("back", 1.5, "brightness", 110.0, 120.0, 60.0, 180.0),
    "summary": SummaryEvent(10, 7, 2, 1, 2.0, 3.5, {"invoke": {"p50": 1, "p95": 2, "p99": 3}}),
    "summary of nothing": SummaryEvent(0, 0, 0, 0, 0.0, 0.0, {}),
}


def open_mqtt(_out: TextIO, _folder: Path) -> Sink:
    """Of a broker that is not there: port 9 of this machine takes no connections."""
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    return MqttSink(MqttSettings(Broker("127.0.0.1", 9, "edgecls/test")), ["cat", "dog"])


# Every sink, writing to a text stream or into a folder.
SINKS: Final[dict[str, Callable[[TextIO, Path], Sink]]] = {
    "console": lambda out, _: ConsoleSink(out),
    "jsonl": lambda out, _: JsonlSink(out),
    "jsonl file": lambda _, folder: open_jsonl(folder / "events.jsonl"),
    "csv": lambda _, folder: CsvSink(folder / "events.csv"),
    "record": lambda _, folder: RecordSink(folder / "records", RecordSettings("all")),
    "on-change": lambda *_: CommandSink("true"),
    "window": lambda *_: WindowSink(),
    "view": lambda *_: ViewSink("model.tflite", ["cat", "dog"]),
    "mqtt": open_mqtt,
    "service": lambda _, folder: ServiceSink(Notifier(str(folder / "nobody"), 30.0)),
    "fake": lambda *_: FakeSink(),
    "queued": lambda out, _: QueuedSink(JsonlSink(out), drops=False),
}
WRITERS: Final = {"console": ConsoleSink, "jsonl": JsonlSink}


@pytest.fixture(params=SINKS)
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    opened = SINKS[request.param](io.StringIO(), tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def pipe_without_reader() -> Iterator[TextIO]:
    reading, writing = os.pipe()
    os.close(reading)
    out = os.fdopen(writing, "w", encoding="utf-8")
    yield out
    with contextlib.suppress(BrokenPipeError):
        out.close()


@pytest.mark.parametrize("kind", EVENTS)
def test_a_sink_takes_every_kind_of_event(sink: Sink, kind: str) -> None:
    sink.handle(EVENTS[kind])
    sink.close()
    assert getattr(sink, "failure", None) is None
    assert sink.counts.get("errors", 0) == 0


@pytest.mark.parametrize("kind", ["prediction", "change"])
def test_a_sink_takes_the_frame_too(sink: Sink, kind: str) -> None:
    sink.handle(EVENTS[kind], frame(0))
    sink.handle(EVENTS[kind], frame(1, is_jpeg=True))
    sink.close()
    assert sink.counts.get("errors", 0) == 0


def test_a_sink_has_a_name_and_can_be_closed_twice(sink: Sink) -> None:
    sink.close()
    sink.close()
    assert sink.name


@pytest.mark.parametrize("kind", WRITERS)
def test_a_reader_that_went_away_is_told_from_a_failure(
    kind: str, pipe_without_reader: TextIO
) -> None:
    sink = WRITERS[kind](pipe_without_reader)
    with pytest.raises(SinkClosedError, match=r"nobody reads .* any more"):
        sink.handle(EVENTS["change"])


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_told_with_its_reason(kind: str) -> None:
    out = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", encoding="utf-8")
    with pytest.raises(SinkError, match=r"cannot write .*No space left on device"):
        WRITERS[kind](out).handle(EVENTS["change"])
    with contextlib.suppress(OSError):
        out.close()


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_that_was_closed_takes_no_more(kind: str) -> None:
    out = io.StringIO()
    sink = WRITERS[kind](out)
    out.close()
    with pytest.raises(SinkError, match=r"cannot write .*closed file"):
        sink.handle(EVENTS["change"])
