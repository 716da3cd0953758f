"""What systemd is told of the loop: ready once, alive after good frames only, and what is seen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from edgecls.contract.events import (
    Event,
    ModelEvent,
    Prediction,
    PredictionEvent,
    SourceEvent,
    SummaryEvent,
    UnreadableEvent,
)
from edgecls.contract.warning_event import WarningEvent
from edgecls.notify import Notifier, Starts
from edgecls.sinks import QueuedSink
from edgecls.sinks.service import ServiceSink
from tests.support.service_manager import Message, ServiceManager, listening

GOOD: Final = PredictionEvent(0, 1.5, "cat", 0.875, [Prediction(3, "cat", 0.875)], 12.0)
LOST: Final = SourceEvent("lost", 1.5, "/dev/video0", "the camera is lost")
BACK: Final = SourceEvent("back", 1.5, "/dev/video0")
UNREADABLE: Final = UnreadableEvent(1.5, "/dev/video0", "the JPEG is cut off")
SUMMARY: Final = SummaryEvent(1, 1, 0, 0, 1.0, 1.0, {})
WATCHDOG_S: Final = 30.0
USUAL, PATIENT = "30000000", "300000000"  # microseconds


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with listening(tmp_path) as listener:
        yield listener


@pytest.fixture
def sink(manager: ServiceManager) -> Iterator[ServiceSink]:
    opened = ServiceSink(Notifier(manager.address, WATCHDOG_S))
    yield opened
    opened.close()


def told(manager: ServiceManager, sink: ServiceSink, *events: Event) -> list[Message]:
    for event in events:
        sink.handle(event)
    return manager.hear_all()


class TestReady:
    def test_with_the_first_good_frame(self, manager: ServiceManager, sink: ServiceSink) -> None:
        first, second = told(manager, sink, GOOD, GOOD)
        assert (first["READY"], first["WATCHDOG"], first["WATCHDOG_USEC"]) == ("1", "1", USUAL)
        assert second.keys() == {"WATCHDOG", "STATUS"}

    def test_without_a_camera_too_and_says_why_there_is_no_picture(
        self, manager: ServiceManager, sink: ServiceSink
    ) -> None:
        (message,) = told(manager, sink, LOST)
        assert message == {
            "READY": "1",
            "WATCHDOG_USEC": PATIENT,
            "STATUS": "no picture: the camera is lost",
        }


class TestWatchdog:
    @pytest.mark.parametrize("event", [LOST, BACK, UNREADABLE, SUMMARY], ids=lambda e: repr(e)[:18])
    def test_nothing_but_a_good_frame_feeds_it(
        self, manager: ServiceManager, sink: ServiceSink, event: Event
    ) -> None:
        told(manager, sink, GOOD)
        assert not any("WATCHDOG" in message for message in told(manager, sink, event))

    def test_it_waits_longer_for_a_camera_that_is_away_but_not_for_ever(
        self, manager: ServiceManager, sink: ServiceSink
    ) -> None:
        told(manager, sink, GOOD)
        messages = told(manager, sink, LOST, BACK, LOST, BACK, LOST)
        waits = [m["WATCHDOG_USEC"] for m in messages if "WATCHDOG_USEC" in m]
        assert waits == [PATIENT]  # each message of this kind would begin the time anew

    def test_it_waits_as_usual_once_a_good_frame_came(
        self, manager: ServiceManager, sink: ServiceSink
    ) -> None:
        told(manager, sink, GOOD, LOST, BACK)
        (message,) = told(manager, sink, GOOD)
        assert (message["WATCHDOG_USEC"], message["WATCHDOG"]) == (USUAL, "1")

    @pytest.mark.parametrize(
        ("gap_s", "microseconds"),
        [
            pytest.param(0.1, USUAL, id="ten frames a second"),
            pytest.param(60.0, "180000000", id="a frame a minute may be missed twice"),
            pytest.param(math.inf, "0", id="nothing is expected where nothing moves"),
        ],
    )
    def test_it_knows_how_rarely_the_user_wants_frames(
        self, manager: ServiceManager, gap_s: float, microseconds: str
    ) -> None:
        sink = ServiceSink(Notifier(manager.address, WATCHDOG_S), gap_s=gap_s)
        assert told(manager, sink, GOOD)[0]["WATCHDOG_USEC"] == microseconds
        sink.close()

    def test_without_one_nothing_is_set(self, manager: ServiceManager) -> None:
        sink = ServiceSink(Notifier(manager.address))
        assert told(manager, sink, GOOD, LOST)[0].keys() == {"READY", "WATCHDOG", "STATUS"}
        sink.close()

    def test_a_queue_full_of_frames_feeds_it_once(self, manager: ServiceManager) -> None:
        """What a loop left behind that hangs now: nothing of it makes the service look alive."""
        queue = QueuedSink(ServiceSink(Notifier(manager.address, WATCHDOG_S)), drops=True)
        began = time.monotonic()
        for _ in range(200):
            queue.handle(GOOD)
        assert time.monotonic() - began < 1.0, "too slow a machine for this test"
        queue.settle(5.0)
        assert len(manager.hear_all()) == 1
        queue.close()


class TestStatus:
    def test_it_says_what_is_seen_and_how_fast(self, manager: ServiceManager) -> None:
        sink = ServiceSink(Notifier(manager.address, WATCHDOG_S))
        for _ in range(30):
            sink.wants(GOOD)
        time.sleep(0.5)
        status = told(manager, sink, GOOD)[0]["STATUS"]
        assert status.startswith("cat (88%), ")
        rate = float(status.removeprefix("cat (88%), ").removesuffix(" frames a second"))
        assert 0 < rate <= 60  # 30 in half a second or more
        sink.close()

    @pytest.mark.parametrize(
        ("event", "status"),
        [
            (UNREADABLE, "a frame cannot be read: the JPEG is cut off"),
            (
                ModelEvent("refused", 1.5, "model.tflite", "0" * 64, ["cat"], "it is damaged"),
                "the new model.tflite was refused: it is damaged",
            ),
            (SUMMARY, "stopping"),
        ],
        ids=["a damaged frame", "a refused model", "the end"],
    )
    def test_it_says_what_is_wrong(
        self, manager: ServiceManager, sink: ServiceSink, event: Event, status: str
    ) -> None:
        told(manager, sink, GOOD)
        (message,) = told(manager, sink, event)
        assert message["STATUS"] == status

    def test_it_doubts_pictures_that_cannot_be_right(
        self, manager: ServiceManager, sink: ServiceSink
    ) -> None:
        begin = WarningEvent("black", "begin", 1.5, "/dev/video0", 10.0, "all is black; is it on?")
        end = WarningEvent("black", "end", 1.5, "/dev/video0", 20.0)
        told(manager, sink, GOOD, begin)
        assert told(manager, sink, GOOD)[0]["STATUS"].endswith("; but all is black")
        told(manager, sink, end)
        assert told(manager, sink, GOOD)[0]["STATUS"].endswith(" frames a second")

    def test_the_end_is_told_once(self, manager: ServiceManager, sink: ServiceSink) -> None:
        told(manager, sink, GOOD)
        sink.handle(SUMMARY)
        sink.close()
        assert [message["STOPPING"] for message in manager.hear_all()] == ["1"]


def test_starts_are_forgotten_after_a_while_with_good_frames(
    manager: ServiceManager, tmp_path: Path
) -> None:
    starts = Starts(tmp_path)
    for _ in range(3):
        starts.count()
    sink = ServiceSink(Notifier(manager.address), starts, healthy_s=0.05)
    sink.handle(GOOD)
    assert starts.count() == (4, 4.0)
    time.sleep(0.1)
    sink.handle(GOOD)
    assert starts.count() == (1, 0.0)
    sink.close()
