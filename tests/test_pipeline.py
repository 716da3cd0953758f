"""The camera loop: counts that add up, limits, predictions, and changes of the steady label."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.card import Output
from edgecls.contract.events import (
    UNKNOWN,
    ChangeEvent,
    PredictionEvent,
    SummaryEvent,
)
from edgecls.decision import DecisionSettings
from edgecls.errors import InvalidValueError
from edgecls.imaging.opencv import cv2
from edgecls.pipeline import Loop, LoopSettings
from edgecls.sinks import Sink
from edgecls.sinks.fake import FakeSink
from edgecls.sinks.jsonl import open_jsonl
from edgecls.smoothing import Steadiness
from edgecls.sources import open_source
from tests.support.patience import patience
from tests.support.tiny_model import brightness_of, frame_of, write_tiny_model

# Gray is 0.299 R + 0.587 G + 0.114 B: black 0, blue 29, red 76, green 150, white 255. With eleven
# classes of 256/11 = 23.3 levels each these fall well inside the classes 0, 1, 3, 6 and 10.
COLORS: Final = ("black", "blue", "2", "red", "4", "5", "green", "7", "8", "9", "white")
SWAPPED: Final = ("black", "blue", "2", "green", "4", "5", "red", "7", "8", "9", "white")


@pytest.fixture
def open_model(tmp_path: Path) -> Iterator[Callable[..., Classifier]]:
    opened: list[Classifier] = []

    def open_(*labels: str, output: Output | None = None) -> Classifier:
        path = tmp_path / f"model {len(opened)}.tflite"
        write_tiny_model(path, labels=labels, output=output)
        opened.append(Classifier.open(path))
        return opened[-1]

    yield open_
    for classifier in opened:
        classifier.close()


@pytest.fixture
def tiny(open_model: Callable[..., Classifier]) -> Classifier:
    """Ten classes, `level 0` (dark) to `level 9` (bright)."""
    return open_model()


def make_loop(source: str, classifier: Classifier, *sinks: Sink, **settings: Any) -> Loop:
    return Loop(lambda: open_source(source), classifier, sinks, LoopSettings(**settings))


def run(
    source: str, classifier: Classifier, **settings: Any
) -> tuple[SummaryEvent, list[PredictionEvent], list[ChangeEvent]]:
    sink = FakeSink()
    summary = make_loop(source, classifier, sink, **settings).run()
    predictions = [event for event in sink.events if isinstance(event, PredictionEvent)]
    changes = [event for event in sink.events if isinstance(event, ChangeEvent)]
    return summary, predictions, changes


def write_levels(path: Path, *levels: int) -> str:
    """A video of ten frames a second, each as bright as one of ten classes."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for level in levels:
        writer.write(frame_of(level))
    writer.release()
    return str(path)


class TestCounts:
    def test_every_frame_of_a_recording_is_classified(self, tiny: Classifier) -> None:
        summary, predictions, _ = run("fake:colors?fps=0&frames=40", tiny)
        assert (summary.frames, summary.classified, summary.dropped) == (40, 40, 0)
        assert [event.frame for event in predictions] == list(range(40))

    def test_frames_are_classified_dropped_or_unreadable(self, tiny: Classifier) -> None:
        source = "fake:colors?fps=200&frames=60&corrupt_every=10"
        summary, predictions, _ = run(source, tiny, fps=20.0)
        assert summary.frames == 60
        assert summary.unreadable == 6
        assert summary.classified == len(predictions)
        assert summary.dropped == 60 - 6 - summary.classified
        assert summary.dropped > 0

    def test_rate_and_time_fit_the_count(self, tiny: Classifier) -> None:
        summary, _, _ = run("fake:colors?fps=100&frames=21", tiny)
        assert (
            0.1 < summary.seconds < patience(2.0)
        )  # twenty steps of 10 ms, less what opening took
        assert summary.fps == pytest.approx(summary.classified / summary.seconds)

    def test_every_stage_is_timed(self, tiny: Classifier) -> None:
        summary, _, _ = run("fake:colors?fps=0&frames=5", tiny)
        assert list(summary.latency_ms) == ["decode", "prepare", "invoke", "decide", "age"]
        for spread in summary.latency_ms.values():
            assert 0 < spread["p50"] <= spread["p95"] <= spread["p99"]

    def test_the_summary_is_the_last_event(self, tiny: Classifier) -> None:
        sink = FakeSink()
        summary = make_loop("fake:colors?fps=0", tiny, sink).run()
        assert sink.events[-1] is summary
        assert sink.is_closed


class TestLimits:
    @pytest.mark.parametrize("source", ["fake:colors?fps=0&loop=1", "fake:colors?fps=500&loop=1"])
    def test_so_many_frames_and_no_more(self, tiny: Classifier, source: str) -> None:
        summary, predictions, _ = run(source, tiny, max_frames=7)
        assert (summary.classified, len(predictions)) == (7, 7)

    def test_a_recording_that_is_cut_short_drops_nothing(self, tiny: Classifier) -> None:
        summary, _, _ = run("fake:colors?fps=0&loop=1", tiny, max_frames=7)
        assert (summary.frames, summary.dropped) == (7, 0)

    def test_so_many_seconds_and_no_more(self, tiny: Classifier) -> None:
        summary, _, _ = run("fake:colors?fps=0&loop=1", tiny, duration_s=0.3)
        assert 0.3 <= summary.seconds < patience(1.0)

    def test_so_many_frames_a_second_and_no_more(self, tiny: Classifier) -> None:
        summary, _, _ = run("fake:colors?fps=0&loop=1", tiny, duration_s=0.5, fps=20.0)
        assert 3 <= summary.classified <= 11  # ten in half a second, and the first at its start

    def test_a_loop_that_is_stopped_ends_with_its_summary(self, tiny: Classifier) -> None:
        sink = FakeSink()
        loop = make_loop("fake:colors?fps=100&loop=1", tiny, sink)
        start = time.monotonic()
        threading.Timer(0.2, loop.stop).start()
        summary = loop.run()
        assert 0.2 <= time.monotonic() - start < patience(1.2)
        assert sink.events[-1] is summary

    @pytest.mark.parametrize(
        ("settings", "problem"),
        [
            ({"top_k": 0}, "top k is 0, wanted at least 1"),
            ({"fps": -1.0}, "fps is -1.0, wanted 0 or more"),
            ({"max_frames": -1}, "max_frames is -1, wanted 0 or more"),
            ({"duration_s": float("nan")}, "duration_s is nan, wanted 0 or more"),
        ],
        ids=str,
    )
    def test_settings_refuse_nonsense(self, settings: dict[str, Any], problem: str) -> None:
        with pytest.raises(InvalidValueError, match=f"^{problem}$"):
            LoopSettings(**settings)


class TestPredictions:
    def test_frames_of_known_truth_are_counted_right(
        self, open_model: Callable[..., Classifier]
    ) -> None:
        summary, predictions, _ = run("fake:colors?fps=0&frames=10", open_model(*COLORS))
        assert (summary.labelled, summary.correct) == (10, 10)
        assert [event.truth for event in predictions[:5]] == [
            "black",
            "red",
            "green",
            "blue",
            "white",
        ]

    def test_frames_of_known_truth_are_counted_wrong(
        self, open_model: Callable[..., Classifier]
    ) -> None:
        summary, predictions, _ = run("fake:colors?fps=0&frames=10", open_model(*SWAPPED))
        assert (summary.labelled, summary.correct) == (10, 6)  # red and green, twice each
        assert [event.label for event in predictions[:3]] == ["black", "green", "red"]

    def test_a_model_of_other_labels_is_neither_right_nor_wrong(self, tiny: Classifier) -> None:
        summary, predictions, _ = run("fake:colors?fps=0", tiny)
        assert (summary.labelled, summary.correct) == (0, 0)
        assert {event.truth for event in predictions} == {""}

    def test_the_best_come_first_and_no_more_than_were_asked_for(self, tiny: Classifier) -> None:
        _, predictions, _ = run("fake:colors?fps=0", tiny, top_k=4)
        for event in predictions:
            scores = [prediction.score for prediction in event.predictions]
            assert len(scores) == 4
            assert scores == sorted(scores, reverse=True)
            assert event.score == scores[0]

    def test_a_picture_has_its_name_and_changes_no_steady_label(
        self, tiny: Classifier, tmp_path: Path
    ) -> None:
        for level in (2, 7):
            cv2.imwrite(str(tmp_path / f"{level}.png"), frame_of(level))
        (tmp_path / "8.png").write_bytes(b"broken")
        summary, predictions, changes = run(str(tmp_path), tiny)
        assert [(Path(event.name).name, event.label) for event in predictions] == [
            ("2.png", "level 2"),
            ("7.png", "level 7"),
        ]
        assert (summary.frames, summary.unreadable, changes) == (3, 1, [])


class TestThresholds:
    """At the centre of a class its score is 95%; between two classes each has at most half."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        pictures = tmp_path / "pictures"
        pictures.mkdir()
        for name, level in (("3", brightness_of(3)), ("5", 128), ("7", brightness_of(7))):
            cv2.imwrite(str(pictures / f"{name}.png"), np.full((48, 64, 3), level, np.uint8))
        return str(pictures)

    @pytest.mark.parametrize(
        ("output", "threshold", "labels"),
        [
            pytest.param(
                Output(reject_threshold=0.6),
                None,
                ["level 3", UNKNOWN, "level 7"],
                id="the card's own rejects what is uncertain",
            ),
            pytest.param(
                Output(class_thresholds={"level 3": 1.0}, reject_threshold=0.6),
                None,
                [UNKNOWN, UNKNOWN, "level 7"],
                id="a class may have its own",
            ),
            pytest.param(
                Output(class_thresholds={"level 3": 1.0}),
                0.6,
                ["level 3", UNKNOWN, "level 7"],
                id="the user's takes the place of all",
            ),
            pytest.param(Output(), 1.0, [UNKNOWN] * 3, id="nothing is quite certain"),
        ],
    )
    def test_below_the_threshold_the_answer_is_unknown(
        self,
        open_model: Callable[..., Classifier],
        folder: str,
        output: Output,
        threshold: float | None,
        labels: list[str],
    ) -> None:
        decisions = DecisionSettings(threshold=threshold)
        _, predictions, _ = run(folder, open_model(output=output), decisions=decisions)
        assert [event.label for event in predictions] == labels

    def test_unknown_is_not_right(self, open_model: Callable[..., Classifier]) -> None:
        strict = Output(class_thresholds={"red": 1.0, "green": 1.0, "blue": 1.0})
        summary, _, _ = run("fake:colors?fps=0", open_model(*COLORS, output=strict))
        assert (summary.labelled, summary.correct) == (5, 2)


class TestChanges:
    def test_the_steady_label_of_a_recording_follows_its_own_time(
        self, tiny: Classifier, tmp_path: Path
    ) -> None:
        # Frames are 0.1 s apart, so the old label keeps exp(-0.25) = 78% of its average with each.
        # After 3 frames 0.47 is left against 0.53, after 4 it is 0.37 against 0.63: a lead of 0.1.
        video = write_levels(tmp_path / "clip.avi", *[2] * 10, *[8] * 10)
        steadiness = Steadiness(time_constant_s=0.4, margin=0.1, min_hold_s=0.5)
        _, _, changes = run(video, tiny, decisions=DecisionSettings(steadiness=steadiness))
        assert [(event.frame, event.previous, event.label) for event in changes] == [
            (0, UNKNOWN, "level 2"),
            (13, "level 2", "level 8"),
        ]

    def test_a_replay_gives_the_same_lines(self, tiny: Classifier, tmp_path: Path) -> None:
        video = write_levels(tmp_path / "clip.avi", *[1, 1, 1, 8, 1, 8, 8, 8, 8, 4] * 6)

        def replay(path: Path) -> list[str]:
            make_loop(video, tiny, open_jsonl(path)).run()
            # The last line is the summary of this run: what a stopwatch says differs.
            return path.read_text().splitlines()[:-1]

        first = replay(tmp_path / "first.jsonl")
        assert sum('"change"' in line for line in first) >= 2
        assert replay(tmp_path / "second.jsonl") == first
