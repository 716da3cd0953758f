"""The sink behind the live view: what it tells pages, and what it spares while nobody looks."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from typing import Any, Final

import numpy as np
import pytest

from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import ModelEvent, SourceEvent
from edgecls.errors import EdgeclsError, InvalidValueError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import decode
from edgecls.sinks.view import ViewSink
from edgecls.sinks.view.pace import Pace
from edgecls.sinks.view.story import Story
from edgecls.web import Reply, Request
from edgecls.web.app import WebApp
from tests.support.broker import wait_until
from tests.support.frames import NOON, change, frame, prediction

BROKEN: Final = CapturedFrame(None, 0, 0.0, jpeg=b"\xff\xd8\xff no picture")


class Looker:
    """A viewer that keeps what it is given."""

    def __init__(self) -> None:
        self.waiting_bytes = 0
        self.later = b""
        self.got: list[bytes] = []

    def write(self, content: bytes) -> None:
        """Keep it."""
        self.got.append(content)

    def drop(self) -> None:
        """Never."""


def look(sink: ViewSink, path: str) -> Looker:
    """One who looks at a feed of the sink's page."""
    feed = sink.app.find("GET", path)
    assert not isinstance(feed, Reply)
    looker = Looker()
    feed.join(looker)  # type: ignore[union-attr]
    return looker


def ask(app: WebApp, method: str, path: str, body: Any = None) -> Reply:
    """Ask the page's handler itself."""
    handler = app.find(method, path)
    assert callable(handler)
    kind = {"content-type": "application/json"}
    return handler(Request(method, path, kind, body=json.dumps(body).encode()))


def flush(sink: ViewSink) -> None:
    """As the server does when it is woken."""
    for feed in sink.app.feeds:
        feed.flush()


def sink_of(**more: Any) -> ViewSink:
    return ViewSink("models/model.tflite", ["cat", "dog"], **more)


class TestWhatItSpares:
    def test_no_picture_is_made_while_nobody_looks(self) -> None:
        sink = sink_of()
        sink.wants(prediction(0), BROKEN)
        time.sleep(0.1)
        assert sink.counts == {"unreadable": 0}  # nobody has even tried
        look(sink, "/picture")
        wait_until(lambda: sink.counts == {"unreadable": 1}, "it is tried")

    def test_nor_while_somebody_reads_the_label_only(self) -> None:
        sink = sink_of()
        look(sink, "/events")
        sink.wants(prediction(0), BROKEN)
        time.sleep(0.1)
        assert sink.counts == {"unreadable": 0}

    def test_ten_viewers_are_given_the_very_same_bytes(self) -> None:
        sink = sink_of()
        lookers = [look(sink, "/picture") for _ in range(10)]
        sink.wants(prediction(0), frame(0))
        sink.close()  # waits until it is made
        flush(sink)
        pictures = {id(looker.got[-1]) for looker in lookers}
        assert len(pictures) == 1
        assert b"\xff\xd8\xff" in lookers[0].got[-1]

    def test_a_cameras_own_jpeg_is_passed_on_untouched(self) -> None:
        sink = sink_of()
        looker = look(sink, "/picture")
        shot = frame(0, is_jpeg=True)
        sink.wants(prediction(0), shot)
        sink.close()
        flush(sink)
        assert shot.jpeg in looker.got[-1]

    def test_most_predictions_of_a_fast_loop_are_not_even_queued(self) -> None:
        sink = sink_of()
        end = time.monotonic() + 1.0
        asked = taken = 0
        while time.monotonic() < end:
            asked += 1
            taken += sink.wants(prediction(asked))
            time.sleep(0.002)
        assert taken <= 6  # 4 a second, and the first
        assert asked > 3 * taken

    def test_what_is_no_prediction_is_always_wanted(self) -> None:
        sink = sink_of()
        assert all(sink.wants(change(number, "cat")) for number in range(100))


class TestPace:
    @pytest.mark.parametrize(
        ("fps", "a_second", "expected"),
        [
            pytest.param(30, 15, 15, id="every second frame of 30 a second"),
            pytest.param(15, 15, 15, id="every frame of 15 a second"),
            pytest.param(5, 15, 5, id="every frame of fewer"),
            pytest.param(25, 10, 10, id="10 of 25"),
        ],
    )
    def test_so_many_a_second_are_due(self, fps: int, a_second: int, expected: int) -> None:
        now_s = [100.0]
        pace = Pace(lambda: now_s[0])
        taken = 0
        for number in range(10 * fps):
            now_s[0] = 100.0 + number / fps + 0.002 * (number % 3)  # as unpunctual as cameras are
            taken += pace.is_due(a_second)
        assert taken == pytest.approx(10 * expected, abs=2)

    def test_all_frames_are_counted_for_the_rate(self) -> None:
        now_s = [100.0]
        pace = Pace(lambda: now_s[0])
        for number in range(100):
            now_s[0] = 100.0 + number / 20
            pace.is_due(4)
        assert pace.fps == pytest.approx(20, rel=0.05)

    def test_it_does_not_catch_up_after_a_silence(self) -> None:
        now_s = [100.0]
        pace = Pace(lambda: now_s[0])
        pace.is_due(10)
        now_s[0] = 110.0
        assert [pace.is_due(10) for _ in range(5)] == [True, False, False, False, False]

    def test_who_comes_to_look_does_not_wait_for_the_slower_pace(self) -> None:
        now_s = [100.0]
        pace = Pace(lambda: now_s[0])
        pace.is_due(4)  # the next is due 250 ms later
        now_s[0] = 100.07
        assert pace.is_due(15)


class TestStory:
    def test_a_page_is_told_the_label_the_minute_and_the_events(self) -> None:
        story = Story("models/model.tflite", ["cat", "dog"])
        story.note(change(0, "cat"))
        story.predict(prediction(0, "cat", 0.9, steady="cat"))
        told = story.to_json()
        assert (told["model"], told["labels"]) == ("model.tflite", 2)
        assert (told["now"]["label"], told["now"]["steady"]) == ("cat", "cat")
        assert [sample[1:] for sample in told["minute"]] == [[0.9, "cat"]]
        assert told["events"] == [change(0, "cat").to_json()]

    def test_without_a_steady_label_that_of_the_frame_counts(self) -> None:
        story = Story("m", ["cat"])
        story.predict(prediction(0, "cat"))
        assert story.now()["steady"] == "cat"

    def test_the_source_and_drift_are_as_last_told(self) -> None:
        story = Story("m", ["cat"])
        story.note(SourceEvent("lost", NOON, "camera", "unplugged"))
        story.note(DriftEvent("drifting", NOON, "contrast", 1.0, 5.0, 4.0, 6.0))
        story.note(DriftEvent("drifting", NOON, "sharpness", 1.0, 5.0, 4.0, 6.0))
        story.note(DriftEvent("back", NOON, "contrast", 5.0, 5.0, 4.0, 6.0))
        told = story.to_json()
        assert told["source"]["state"] == "lost"
        assert [found["statistic"] for found in told["drifting"]] == ["sharpness"]

    def test_another_model_begins_anew(self) -> None:
        story = Story("m", ["cat"])
        story.predict(prediction(0, "cat", steady="cat"))
        story.note(DriftEvent("drifting", NOON, "contrast", 1.0, 5.0, 4.0, 6.0))
        story.note(ModelEvent("loaded", NOON, "/models/new.tflite", "0" * 64, ["a", "b", "c"]))
        told = story.to_json()
        assert (told["model"], told["labels"], told["drifting"]) == ("new.tflite", 3, [])

    def test_at_most_fifty_events_are_kept(self) -> None:
        story = Story("m", ["cat"])
        for number in range(200):
            story.note(change(number, "cat"))
        kept = story.to_json()["events"]
        assert [event["frame"] for event in kept] == list(range(150, 200))


@dataclasses.dataclass
class Recorder:
    """A recording that is only switched."""

    is_on: bool = True
    counts: Any = dataclasses.field(default_factory=lambda: {"recorded": 3})


class TestWhatThePageMayDo:
    def test_recording_is_switched(self) -> None:
        recorder = Recorder()
        sink = sink_of(recorder=recorder)
        reply = ask(sink.app, "POST", "/recording", {"on": False})
        assert json.loads(reply.body) == {"recording": {"on": False, "recorded": 3}}
        assert not recorder.is_on

    @pytest.mark.parametrize("body", [{}, {"on": 1}, {"on": "yes"}, {"folder": "/etc"}])
    def test_anything_else_is_refused(self, body: Any) -> None:
        with pytest.raises(InvalidValueError, match="wanted"):
            ask(sink_of(recorder=Recorder()).app, "POST", "/recording", body)

    def test_without_a_recording_there_is_nothing_to_switch(self) -> None:
        with pytest.raises(EdgeclsError, match="no pictures are kept here"):
            ask(sink_of().app, "POST", "/recording", {"on": True})

    def test_a_snapshot_is_the_next_frame_at_the_cameras_size(self) -> None:
        sink = sink_of()
        replies: list[Reply] = []
        thread = threading.Thread(target=lambda: replies.append(ask(sink.app, "GET", "/snapshot")))
        thread.start()
        # However slow the pace: who names no frame gets the very next one.
        wait_until(lambda: len(sink._shots) == 1, "it is asked for")
        sink.wants(prediction(0), frame(0))
        thread.join()
        assert decode(replies[0].body).shape == (48, 64, 3)
        assert np.abs(decode(replies[0].body).astype(int) - frame(0).pixels).mean() < 8

    def test_it_has_no_way_to_change_a_source_a_model_or_a_setting(self) -> None:
        table = sink_of().app._table
        posts = {path for path, methods in table.items() if "POST" in methods}
        assert posts == {"/recording"}
