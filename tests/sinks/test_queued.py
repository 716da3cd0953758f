"""A bounded queue: a live loop never waits for a sink, a recording loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

import pytest

from edgecls.contract.events import ChangeEvent, Event, SourceEvent
from edgecls.errors import SinkError
from edgecls.imaging.captured import CapturedFrame
from edgecls.sinks import QueuedSink
from edgecls.sinks.fake import FakeSink

PROMPT_S: Final = 0.5


def event(number: int) -> ChangeEvent:
    return ChangeEvent(number, 0.0, "cat", "dog", 1.0)


def numbers(events: list[Event]) -> list[int]:
    return [found.frame for found in events if isinstance(found, ChangeEvent)]


class GatedSink(FakeSink):
    """Hangs in its first event until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun = threading.Event()
        self.gate = threading.Event()

    def handle(self, event: Event, frame: CapturedFrame | None = None) -> None:
        self.has_begun.set()
        self.gate.wait()
        super().handle(event, frame)


@pytest.fixture
def gated() -> Iterator[GatedSink]:
    sink = GatedSink()
    yield sink
    sink.gate.set()


def test_events_arrive_in_order_and_the_sink_is_closed() -> None:
    sink = FakeSink()
    queued = QueuedSink(sink, drops=True)
    for number in range(100):
        queued.handle(event(number))
    queued.close()
    assert numbers(sink.events) == list(range(100))
    assert (sink.is_closed, queued.is_stuck, queued.dropped) == (True, False, 0)


@pytest.mark.fault(76)
def test_a_full_queue_of_a_live_loop_gives_up_its_oldest_and_counts_them(gated: GatedSink) -> None:
    queued = QueuedSink(gated, drops=True, limit=3)
    queued.handle(event(0))
    gated.has_begun.wait()  # in the hands of the sink, so the queue is empty
    for number in range(1, 6):
        queued.handle(event(number))
    assert queued.dropped == 2
    gated.gate.set()
    queued.close()
    assert numbers(gated.events) == [0, 3, 4, 5]


def test_a_live_loop_never_waits_for_a_sink_that_hangs(gated: GatedSink) -> None:
    queued = QueuedSink(gated, drops=True, limit=3)
    start = time.monotonic()
    for number in range(1000):
        queued.handle(event(number))
    assert time.monotonic() - start < PROMPT_S


def test_a_sink_that_hangs_is_left_behind_at_the_end(gated: GatedSink) -> None:
    queued = QueuedSink(gated, drops=True)
    queued.handle(event(0))
    start = time.monotonic()
    queued.close(timeout_s=0.1)
    assert 0.1 <= time.monotonic() - start < PROMPT_S
    assert queued.is_stuck


def test_a_recording_waits_for_a_slow_sink_and_loses_nothing() -> None:
    sink = FakeSink(delay_s=0.01)
    queued = QueuedSink(sink, drops=False, limit=2)
    for number in range(20):
        queued.handle(event(number))
    queued.close(timeout_s=0.0)
    assert numbers(sink.events) == list(range(20))
    assert queued.dropped == 0


def test_a_recording_that_was_stopped_waits_no_more(gated: GatedSink) -> None:
    stop = threading.Event()
    queued = QueuedSink(gated, drops=False, limit=2, stop=stop)
    threading.Timer(0.05, stop.set).start()
    start = time.monotonic()
    for number in range(10):
        queued.handle(event(number))
    queued.close(timeout_s=0.1)
    assert time.monotonic() - start < 0.2 + 0.1 + PROMPT_S  # one wait, the time to close
    assert queued.dropped == 7  # of ten, one is in the sink's hands and two are in the queue


@pytest.mark.parametrize("drops", [True, False], ids=["live", "recording"])
def test_a_failure_is_kept_and_the_sink_takes_no_more(drops: bool) -> None:
    sink = FakeSink(fail_after=2)
    queued = QueuedSink(sink, drops=drops, limit=1000)
    for number in range(10):
        queued.handle(event(number))
    queued.close()
    assert str(queued.failure) == "the fake sink is full, as it was told to be"
    assert numbers(sink.events) == [0, 1]
    assert sink.is_closed


def test_a_sink_with_a_bug_does_not_take_the_loop_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGECLS_STRICT")

    class BuggySink(FakeSink):
        def handle(self, _event: Event) -> None:
            raise ZeroDivisionError("a bug")

    queued = QueuedSink(BuggySink(), drops=True)
    queued.handle(event(0))
    queued.close()
    assert isinstance(queued.failure, SinkError)
    assert "sink fake failed: ZeroDivisionError('a bug')" in str(queued.failure)


class TestFrames:
    def captured(self, number: int, size: int = 100) -> CapturedFrame:
        return CapturedFrame(None, number, 0.0, jpeg=b"x" * size)

    def test_a_sink_that_wants_frames_gets_them(self) -> None:
        sink = FakeSink(wants_frames=True)
        queued = QueuedSink(sink, drops=True)
        queued.handle(event(0), self.captured(0))
        queued.close()
        assert [frame.index for frame in sink.frames] == [0]

    def test_another_one_gets_none_and_its_queue_holds_none(self) -> None:
        sink = FakeSink()
        queued = QueuedSink(sink, drops=True)
        queued.handle(event(0), self.captured(0))
        queued.close()
        assert (len(sink.events), sink.frames) == (1, [])

    @pytest.mark.fault(76)
    def test_frames_are_limited_in_bytes(self, gated: GatedSink) -> None:
        gated.wants_frames = True
        queued = QueuedSink(gated, drops=True, frame_limit_bytes=1000)
        queued.handle(event(0))
        gated.has_begun.wait()
        for number in range(1, 21):
            queued.handle(event(number), self.captured(number))
        assert queued.dropped == 10
        gated.gate.set()
        queued.close()
        assert numbers(gated.events) == [0, *range(11, 21)]

    def test_a_frame_larger_than_the_limit_passes_alone(self) -> None:
        sink = FakeSink(wants_frames=True)
        queued = QueuedSink(sink, drops=True, frame_limit_bytes=10)
        queued.handle(event(0), self.captured(0))
        queued.close()
        assert len(sink.frames) == 1

    def test_a_recording_waits_for_room(self) -> None:
        sink = FakeSink(delay_s=0.005, wants_frames=True)
        queued = QueuedSink(sink, drops=False, frame_limit_bytes=250)
        for number in range(20):
            queued.handle(event(number), self.captured(number))
        queued.close()
        assert (len(sink.frames), queued.dropped) == (20, 0)


def test_only_what_a_sink_takes_is_queued_for_it() -> None:
    class ChangesOnly(FakeSink):
        takes = (ChangeEvent,)

    sink = ChangesOnly()
    queued = QueuedSink(sink, drops=True)
    queued.handle(SourceEvent("lost", 0.0, "camera"))
    queued.handle(event(1))
    queued.close()
    assert numbers(sink.events) == [1]
    assert len(sink.events) == 1


def test_counts_are_whole_once_it_has_settled() -> None:
    sink = FakeSink(delay_s=0.01)
    queued = QueuedSink(sink, drops=False)
    for number in range(10):
        queued.handle(event(number))
    queued.settle(0.0)
    assert len(sink.events) == 10
    queued.close()
