"""A candidate beside the live model: what is compared, counted, skipped, and never slowed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.card import Output
from edgecls.contract.events import UNKNOWN, PredictionEvent, ShadowEvent
from edgecls.decision import Decision, DecisionSettings
from edgecls.errors import EngineError, InvalidValueError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.opencv import cv2
from edgecls.pipeline import Loop, LoopSettings
from edgecls.runtimes import Fill, Tensor
from edgecls.shadow import Shadow
from edgecls.sinks.fake import FakeSink
from edgecls.sinks.record import RecordSettings, RecordSink
from edgecls.sources import open_source
from tests.support.patience import patience
from tests.support.tiny_model import frame_of, write_tiny_model

NAMES = tuple(f"level {level}" for level in range(10))
SWAPPED = (*NAMES[:3], NAMES[6], *NAMES[4:6], NAMES[3], *NAMES[7:])  # 3 and 6 change places


@pytest.fixture
def open_model(tmp_path: Path) -> Iterator[Callable[..., Classifier]]:
    opened: list[Classifier] = []

    def open_(*labels: str, size: tuple[int, int] = (28, 28), **more: Any) -> Classifier:
        path = tmp_path / f"model {len(opened)}.tflite"
        write_tiny_model(path, size, labels=labels, **more)
        opened.append(Classifier.open(path))
        return opened[-1]

    yield open_
    for classifier in opened:
        classifier.close()


def shadow_of(candidate: Classifier, live: Classifier, **more: Any) -> Shadow:
    return Shadow(candidate, DecisionSettings(), live.labels, **more)


def offer(shadow: Shadow, level: int, index: int = 0, truth: str = "", **more: Any) -> None:
    frame = CapturedFrame(frame_of(level), index, float(index), **more)
    shadow.offer(frame, Decision(f"level {level}", 0.9), 100.0, truth, waits=True)


def test_a_candidate_that_says_the_same_agrees(open_model: Callable[..., Classifier]) -> None:
    live, candidate = open_model(), open_model()
    shadow = shadow_of(candidate, live, every=1)
    for index in range(4):
        offer(shadow, index, index)
    shadow.close()
    found = shadow.to_json()
    assert (found["compared"], found["disagreed"], found["agreement"]) == (4, 0, 1.0)
    assert shadow.take() == []


def test_a_disagreement_is_an_event_with_its_frame(
    open_model: Callable[..., Classifier],
) -> None:
    shadow = shadow_of(open_model(*SWAPPED), open_model(), every=1)
    for index, level in enumerate((3, 5, 6, 3)):
        offer(shadow, level, index)
    shadow.close()
    events = shadow.take()
    assert [(e.frame, e.label, e.candidate) for e, _ in events] == [
        (0, "level 3", "level 6"),
        (2, "level 6", "level 3"),
        (3, "level 3", "level 6"),
    ]
    assert [frame.index for _, frame in events] == [0, 2, 3]
    assert events[0][0].candidate_score > 0.9
    found = shadow.to_json()
    assert (found["disagreed"], found["agreement"]) == (3, 0.25)
    assert found["pairs"] == [
        {"label": "level 3", "candidate": "level 6", "count": 2},
        {"label": "level 6", "candidate": "level 3", "count": 1},
    ]


def test_every_so_many_frames_are_compared(open_model: Callable[..., Classifier]) -> None:
    shadow = shadow_of(open_model(), open_model(), every=3)
    for index in range(7):
        offer(shadow, 2, index)
    shadow.close()
    assert shadow.to_json()["compared"] == 3  # frames 0, 3 and 6


def test_the_candidate_has_its_own_thresholds(open_model: Callable[..., Classifier]) -> None:
    strict = open_model(output=Output(reject_threshold=1.0))
    shadow = shadow_of(strict, open_model(), every=1)
    offer(shadow, 5)
    shadow.close()
    ((event, _),) = shadow.take()
    assert event.candidate == UNKNOWN


def test_the_candidate_may_want_another_size_and_decodes_a_jpeg_for_it(
    open_model: Callable[..., Classifier],
) -> None:
    shadow = shadow_of(open_model(size=(40, 56)), open_model(), every=1)
    jpeg = cv2.imencode(".jpg", frame_of(4, size=(480, 640)))[1].tobytes()
    small = np.zeros((28, 28, 3), np.uint8)  # what the live model needed of it: here another one
    shadow.offer(
        CapturedFrame(small, 0, 0.0, jpeg=jpeg), Decision("level 4", 0.9), 0.0, "", waits=True
    )
    shadow.close()
    assert shadow.to_json()["agreement"] == 1.0


def test_where_the_truth_is_known_both_are_counted_right(
    open_model: Callable[..., Classifier],
) -> None:
    shadow = shadow_of(open_model(*SWAPPED), open_model(), every=1)
    for level in (3, 5):
        offer(shadow, level, truth=f"level {level}")
    shadow.close()
    found = shadow.to_json()
    assert (found["labelled"], found["correct"], found["candidate_correct"]) == (2, 2, 1)


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        pytest.param((*NAMES[:9], "cat"), "the candidate lacks the label 'level 9'", id="another"),
        pytest.param((*NAMES, "cat"), "only the candidate has the label 'cat'", id="one more"),
    ],
)
def test_a_candidate_of_other_labels_is_refused(
    open_model: Callable[..., Classifier], labels: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        shadow_of(open_model(*labels), open_model())


def test_the_order_of_labels_may_be_another(open_model: Callable[..., Classifier]) -> None:
    shadow_of(open_model(*NAMES[::-1]), open_model()).close()


class HeldRuntime:
    """Runs only once it is let go."""

    name, version, threads = "held", "1", 1

    def __init__(self, inner: Any) -> None:
        self.gate = threading.Event()
        self._inner = inner

    def run(self, fill: Fill) -> Tensor:
        self.gate.wait(60)
        result: Tensor = self._inner.run(fill)
        return result

    def close(self) -> None:
        self._inner.close()


def held(classifier: Classifier) -> tuple[Classifier, HeldRuntime]:
    runtime = HeldRuntime(classifier.runtime)
    return Classifier(classifier.model, runtime), runtime


def test_frames_that_come_while_it_works_are_skipped_and_counted(
    open_model: Callable[..., Classifier],
) -> None:
    candidate, runtime = held(open_model())
    shadow = shadow_of(candidate, open_model(), every=1)
    start = time.monotonic()
    for index in range(10):
        frame = CapturedFrame(frame_of(2), index, 0.0)
        shadow.offer(frame, Decision("level 2", 0.9), 0.0, "", waits=False)
    assert time.monotonic() - start < patience(20.0)  # it would hang for 60 s
    runtime.gate.set()
    shadow.close()
    assert (shadow.counts["compared"], shadow.counts["skipped"]) == (1, 9)


def test_a_candidate_that_hangs_neither_slows_nor_holds_up_the_loop(
    open_model: Callable[..., Classifier],
) -> None:
    live = open_model()
    candidate, _ = held(open_model())
    loop = Loop(
        lambda: open_source("fake:colors?fps=200&frames=200&loop=1"),
        live,
        [FakeSink()],
        LoopSettings(duration_s=1.0),
        shadow=shadow_of(candidate, live, every=2),
    )
    start = time.monotonic()
    summary = loop.run()
    assert time.monotonic() - start < patience(20.0)  # the candidate would hang for 60 s
    # It hung in the first frame that it got; every second frame after it was passed by.
    assert summary.classified >= 10
    assert summary.shadow["compared"] == 0
    assert summary.shadow["skipped"] == (summary.classified + 1) // 2 - 1


def test_a_candidate_that_fails_is_counted_and_the_next_frame_is_tried(
    open_model: Callable[..., Classifier],
) -> None:
    candidate, runtime = held(open_model())
    runtime.gate.set()
    runtime.run = broken  # type: ignore[method-assign]
    shadow = shadow_of(candidate, open_model(), every=1)
    for index in range(3):
        offer(shadow, 2, index)
    shadow.close()
    assert shadow.to_json()["failed"] == 3
    assert shadow.to_json()["agreement"] is None


def broken(_fill: Fill) -> Tensor:
    raise EngineError("it fails, as it was told to")


def test_of_a_recording_nothing_is_skipped_and_events_stand_behind_their_prediction(
    open_model: Callable[..., Classifier],
) -> None:
    live, sink = open_model(), FakeSink()
    loop = Loop(
        lambda: open_source("fake:colors?fps=0&frames=60"),
        live,
        [sink],
        shadow=shadow_of(open_model(*NAMES[::-1]), live, every=4),
    )
    summary = loop.run()
    assert (summary.shadow["compared"], summary.shadow["skipped"]) == (15, 0)
    last = -1
    found = 0
    for event in sink.events:
        if isinstance(event, PredictionEvent):
            last = event.frame
        if isinstance(event, ShadowEvent):
            assert (event.frame, event.frame % 4) == (last, 0)
            found += 1
    assert found == summary.shadow["disagreed"] > 0


def test_pictures_of_disagreements_can_be_kept(
    open_model: Callable[..., Classifier], tmp_path: Path
) -> None:
    live = open_model("black", "dark", "gray", "light", "white")
    candidate = open_model("black", "dark", "gray", "white", "light")
    sink = RecordSink(tmp_path / "kept", RecordSettings(when="disagreed", min_free_bytes=0))
    loop = Loop(
        lambda: open_source("fake:colors?fps=0"),  # black, red, green, blue, white
        live,
        [sink],
        shadow=shadow_of(candidate, live, every=1),
    )
    loop.run()
    assert [path.parent.name for path in (tmp_path / "kept").rglob("*.jpg")] == ["white"]
    (line,) = (json.loads(text) for text in (tmp_path / "kept" / "records.jsonl").open())
    assert (line["label"], line["candidate"], line["when"]) == ("white", "light", "disagreed")


def test_at_least_every_frame(open_model: Callable[..., Classifier]) -> None:
    with pytest.raises(InvalidValueError, match="every 0 frames were asked for"):
        shadow_of(open_model(), open_model(), every=0)
