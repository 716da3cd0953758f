"""The camera loop goes on, or ends in order, when its sinks and sources fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecls.classifier import Classifier
from edgecls.contract.events import PredictionEvent, SourceEvent, SummaryEvent
from edgecls.errors import EngineError, SourceError
from edgecls.pipeline import Loop, LoopSettings
from edgecls.sinks import QUEUE_LIMIT, Sink
from edgecls.sinks.fake import FakeSink
from edgecls.sources import CapturedFrame, Closing, open_source
from tests.support.patience import patience
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Classifier]:
    """Ten classes, `level 0` (dark) to `level 9` (bright)."""
    write_tiny_model(tmp_path / "tiny.tflite")
    classifier = Classifier.open(tmp_path / "tiny.tflite")
    yield classifier
    classifier.close()


def make_loop(source: str, classifier: Classifier, *sinks: Sink, **settings: Any) -> Loop:
    return Loop(lambda: open_source(source), classifier, sinks, LoopSettings(**settings))


class HangingSink(FakeSink):
    """Never comes back from an event."""

    def handle(self, event: object) -> None:  # noqa: ARG002
        threading.Event().wait()


class TestSinks:
    @pytest.mark.fault(76)
    def test_a_sink_that_hangs_neither_slows_nor_holds_up_a_live_loop(
        self, tiny: Classifier
    ) -> None:
        quick = FakeSink()
        loop = make_loop("fake:colors?fps=500&frames=400", tiny, HangingSink(), quick)
        start = time.monotonic()
        summary = loop.run()
        # The frames take 0.8 s, the sinks' time to settle and to close another 1.2.
        assert time.monotonic() - start < patience(6.0)
        assert summary.frames == 400
        assert loop.has_stuck_sink
        # Of all events before the summary one is in its hands and the newest are in its queue.
        assert summary.sink_drops == {"fake": len(quick.events) - 1 - 1 - QUEUE_LIMIT}

    @pytest.mark.fault(76)
    def test_a_sink_that_hangs_changes_nothing_in_the_frame_rate(self, tiny: Classifier) -> None:
        source = "fake:colors?fps=20&frames=24"
        freely = make_loop(source, tiny).run()
        hanging = make_loop(source, tiny, HangingSink()).run()
        assert hanging.classified >= freely.classified - 2  # noise of a busy machine
        assert hanging.frames == freely.frames == 24

    def test_a_slow_sink_gets_every_event_of_a_recording(self, tiny: Classifier) -> None:
        slow = FakeSink(delay_s=0.004)
        summary = make_loop("fake:colors?fps=0&frames=300", tiny, slow).run()
        assert sum(isinstance(event, PredictionEvent) for event in slow.events) == 300
        assert slow.events[-1] is summary
        assert summary.sink_drops == {}

    @pytest.mark.parametrize("source", ["fake:colors?fps=0&loop=1", "fake:colors?fps=200&loop=1"])
    def test_a_sink_that_fails_ends_the_loop_and_is_told(
        self, tiny: Classifier, source: str
    ) -> None:
        other = FakeSink()
        loop = make_loop(source, tiny, FakeSink(fail_after=3), other)
        summary = loop.run()
        assert [str(failure) for failure in loop.sink_failures] == [
            "the fake sink is full, as it was told to be"
        ]
        assert other.events[-1] is summary

    def test_a_recording_can_be_stopped_while_it_waits_for_a_sink(self, tiny: Classifier) -> None:
        loop = make_loop("fake:colors?fps=0&loop=1", tiny, HangingSink())
        threading.Timer(1.0, loop.stop).start()
        start = time.monotonic()
        summary = loop.run()
        assert time.monotonic() - start < patience(1.0 + 2.0)
        assert loop.has_stuck_sink
        # It took what its queue holds, or had no time for more; then it waited.
        assert 0 < summary.classified <= QUEUE_LIMIT + 2


class TestSources:
    def test_a_source_that_cannot_be_opened(self, tiny: Classifier) -> None:
        sink = FakeSink()
        with pytest.raises(SourceError, match="there is no source"):
            make_loop("nowhere.mp4", tiny, sink).run()
        assert sink.events == []

    def test_a_recording_that_breaks_off_is_an_error_after_the_summary(
        self, tiny: Classifier
    ) -> None:
        sink = FakeSink()
        with pytest.raises(SourceError, match="it was unplugged"):
            make_loop("fake:colors?fps=0&fail_after=3", tiny, sink).run()
        summary = sink.events[-1]
        assert isinstance(summary, SummaryEvent)
        assert summary.classified == 3

    @pytest.mark.fault(43)
    def test_a_camera_that_is_lost_is_back_and_its_numbers_go_on(self, tiny: Classifier) -> None:
        sink = FakeSink()
        loop = make_loop("fake:colors?fps=100&fail_after=5", tiny, sink, max_frames=8)
        loop.run()
        states = [event.state for event in sink.events if isinstance(event, SourceEvent)]
        frames = [event.frame for event in sink.events if isinstance(event, PredictionEvent)]
        assert states[:2] == ["lost", "back"]
        assert frames == sorted(set(frames))
        assert len(frames) == 8

    def test_a_bug_in_a_source_reaches_the_caller(self, tiny: Classifier) -> None:
        class BuggySource(Closing):
            name, is_live, is_sequence = "buggy", True, True

            def read(self) -> CapturedFrame | None:
                raise ZeroDivisionError("a bug")

        sink = FakeSink()
        with pytest.raises(ZeroDivisionError, match="a bug"):
            Loop(BuggySource, tiny, [sink]).run()
        assert isinstance(sink.events[-1], SummaryEvent)

    @pytest.mark.fault(45)
    def test_a_source_that_hangs_can_be_stopped(self, tiny: Classifier) -> None:
        gate = threading.Event()

        class HangingSource(Closing):
            name, is_live, is_sequence = "hanging", True, True

            def read(self) -> CapturedFrame | None:
                gate.wait()
                return None

        loop = Loop(HangingSource, tiny, [FakeSink()])
        threading.Timer(0.1, loop.stop).start()
        start = time.monotonic()
        assert loop.run().frames == 0
        assert time.monotonic() - start < 0.1 + 1.5
        gate.set()

    def test_an_engine_that_fails_is_an_error_after_the_summary(self, tiny: Classifier) -> None:
        sink = FakeSink()
        tiny.close()
        with pytest.raises(EngineError, match="the model was closed"):
            make_loop("fake:colors?fps=0", tiny, sink).run()
        assert isinstance(sink.events[-1], SummaryEvent)
