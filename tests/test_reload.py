"""A new file under the model's name: taken up when it is sound, refused with a reason otherwise."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecls.classifier import Classifier
from edgecls.contract.events import UNKNOWN, ChangeEvent, Event, LabelEvent, ModelEvent
from edgecls.contract.golden import GoldenVectors
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import ModelFile, load_model_file, write_model_file
from edgecls.decision import DecisionSettings
from edgecls.errors import EdgeclsError
from edgecls.pipeline import Loop, LoopSettings
from edgecls.reload import Reloader
from edgecls.runtimes import open_runtime
from edgecls.shadow import Shadow
from edgecls.sinks.fake import FakeSink
from edgecls.sources import CapturedFrame, Closing
from tests.support.patience import patience
from tests.support.tiny_model import frame_of, write_tiny_model

OTHERS = tuple(f"shade {level}" for level in range(10))


def open_engine(model: ModelFile) -> Classifier:
    return Classifier(model, open_runtime(model))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model of ten classes, `level 0` (dark) to `level 9` (bright)."""
    write_tiny_model(tmp_path / "model.tflite")
    return tmp_path / "model.tflite"


@pytest.fixture
def watch(path: Path) -> Iterator[Callable[..., Reloader]]:
    made: list[Reloader] = []

    def watch_(**more: Any) -> Reloader:
        made.append(Reloader(path, load_model_file, open_engine, poll_s=0.02, **more))
        return made[-1]

    yield watch_
    for reloader in made:
        reloader.close()


def wait_for(reloader: Reloader, seconds: float = 20.0) -> Classifier | EdgeclsError | None:
    end = time.monotonic() + patience(seconds)
    while (found := reloader.take()) is None and time.monotonic() < end:
        time.sleep(0.01)
    return found


def put(path: Path, *labels: str) -> None:
    """Rename a new model over the old one."""
    new = path.with_suffix(".new")
    write_tiny_model(new, labels=labels)
    os.replace(new, path)


def put_bytes(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)


class TestGates:
    @pytest.mark.fault(16)
    def test_a_sound_file_that_is_renamed_over_it_is_opened(
        self, path: Path, watch: Callable[..., Reloader]
    ) -> None:
        reloader = watch()
        reloader.start()
        put(path, *OTHERS)
        found = wait_for(reloader)
        assert isinstance(found, Classifier)
        assert found.labels.names == OTHERS
        found.close()

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            pytest.param(b"", "the file is empty", id="empty"),
            pytest.param(b"\x89PNG\r\n\x1a\n", "it is a PNG picture", id="a picture"),
        ],
    )
    def test_what_is_no_model_is_refused(
        self, path: Path, watch: Callable[..., Reloader], content: bytes, problem: str
    ) -> None:
        reloader = watch()
        reloader.start()
        put_bytes(path, content)
        found = wait_for(reloader)
        assert isinstance(found, EdgeclsError)
        assert problem in found.problem

    @pytest.mark.fault(6)
    @pytest.mark.fault(16)
    def test_a_weight_that_flipped_is_refused_by_its_sum(
        self, path: Path, watch: Callable[..., Reloader]
    ) -> None:
        reloader = watch()
        reloader.start()
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 1
        put_bytes(path, bytes(content))
        assert isinstance(wait_for(reloader), EdgeclsError)

    @pytest.mark.fault(16)
    def test_golden_vectors_that_come_out_otherwise_refuse_it(
        self, path: Path, watch: Callable[..., Reloader]
    ) -> None:
        honest = load_model_file(path)
        assert honest.golden is not None
        liar = GoldenVectors(honest.golden.images, honest.golden.outputs[::-1])
        reloader = watch()
        reloader.start()
        write_model_file(path, honest.flatbuffer, honest.card, liar)
        found = wait_for(reloader)
        assert isinstance(found, EdgeclsError)
        assert "golden vector" in found.problem

    @pytest.mark.fault(7)
    @pytest.mark.fault(16)
    def test_a_file_that_crashes_the_engine_crashes_only_its_probe(
        self, path: Path, watch: Callable[..., Reloader], data_folder: Path
    ) -> None:
        reloader = watch()
        reloader.start()
        crasher = next((data_folder / "bad-models").glob("*.tflite"))
        put_bytes(path, crasher.read_bytes())
        assert isinstance(wait_for(reloader, 60.0), EdgeclsError)


class TestWatching:
    @pytest.mark.fault(15)
    def test_a_file_that_is_written_over_in_place_is_the_same_file(
        self, path: Path, watch: Callable[..., Reloader]
    ) -> None:
        reloader = watch()
        reloader.start()
        path.write_bytes(path.read_bytes() + b"more")
        time.sleep(0.2)  # ten looks
        assert reloader.take() is None

    def test_a_file_that_is_taken_away_is_no_news_until_another_comes(
        self, path: Path, watch: Callable[..., Reloader]
    ) -> None:
        content = path.read_bytes()
        reloader = watch()
        reloader.start()
        path.unlink()
        time.sleep(0.1)
        assert reloader.take() is None
        path.write_bytes(content)
        found = wait_for(reloader)
        # It may have been seen half written, which is refused; what is renamed never is.
        assert found is not None
        if isinstance(found, Classifier):
            found.close()

    def test_a_refused_file_is_not_tried_again_but_the_next_one_is(
        self, path: Path, watch: Callable[..., Reloader]
    ) -> None:
        reloader = watch()
        reloader.start()
        put_bytes(path, b"")
        assert isinstance(wait_for(reloader), EdgeclsError)
        time.sleep(0.1)
        assert reloader.take() is None
        put(path)
        found = wait_for(reloader)
        assert isinstance(found, Classifier)
        found.close()

    def test_a_link_that_is_set_anew_is_another_file(self, tmp_path: Path) -> None:
        for name in ("1", "2"):
            write_tiny_model(tmp_path / f"{name}.tflite", labels=OTHERS if name == "2" else ())
        link = tmp_path / "current.tflite"
        link.symlink_to("1.tflite")
        reloader = Reloader(link, load_model_file, open_engine, poll_s=0.02)
        reloader.start()
        (tmp_path / "next").symlink_to("2.tflite")
        os.replace(tmp_path / "next", link)
        found = wait_for(reloader)
        assert isinstance(found, Classifier)
        assert found.labels == Labels(OTHERS)
        found.close()
        reloader.close()

    def test_a_file_that_came_before_it_began_to_watch_is_not_missed(
        self, path: Path, watch: Callable[..., Reloader]
    ) -> None:
        reloader = watch()
        put(path, *OTHERS)
        reloader.start()
        found = wait_for(reloader)
        assert isinstance(found, Classifier)
        found.close()


class PuttingSink(FakeSink):
    """Does something once the loop runs."""

    def __init__(self, action: Callable[[], None]) -> None:
        super().__init__()
        self._action: Callable[[], None] | None = action

    def handle(self, event: Event, frame: Any = None) -> None:
        super().handle(event, frame)
        if self._action is not None:
            action, self._action = self._action, None
            action()


class StillSource(Closing):
    """A live camera before which nothing moves: black, 50 frames a second."""

    name = "still"
    is_live = is_sequence = True

    def __init__(self) -> None:
        self._index = -1

    def read(self) -> CapturedFrame:
        time.sleep(0.02)
        self._index += 1
        return CapturedFrame(frame_of(0), self._index, self._index / 50)


def run_until(
    path: Path, action: Callable[[], None], wanted: Callable[[list[Event]], bool], **more: Any
) -> list[Event]:
    """The events of a live loop over black frames until some of them have come."""
    sink = PuttingSink(action)
    reloader = Reloader(path, load_model_file, open_engine, poll_s=0.02)
    classifier = Classifier.open(path)
    shadow = more.pop("shadow", None)
    loop = Loop(
        StillSource,
        classifier,
        [sink],
        LoopSettings(decisions=DecisionSettings(**more), duration_s=patience(30.0)),
        reloader=reloader,
        shadow=shadow(classifier) if shadow else None,
    )
    loop_stop = loop.stop

    def handle(event: Event, frame: Any = None) -> None:
        PuttingSink.handle(sink, event, frame)
        if wanted(sink.events):
            loop_stop()

    sink.handle = handle  # type: ignore[method-assign]
    loop.run()
    return sink.events


def has_change_after_model(events: list[Event]) -> bool:
    models = [number for number, event in enumerate(events) if isinstance(event, ModelEvent)]
    return bool(models) and any(isinstance(event, ChangeEvent) for event in events[models[0] :])


class TestLoop:
    def test_the_new_model_takes_over_and_the_state_is_told_again(self, path: Path) -> None:
        events = run_until(
            path, lambda: put(path, *OTHERS), has_change_after_model, has_label_events=True
        )
        told = [e for e in events if isinstance(e, ChangeEvent | LabelEvent | ModelEvent)]
        first, entered, left, model, change, again = told[:6]
        assert isinstance(first, ChangeEvent)
        assert (first.previous, first.label) == (UNKNOWN, "level 0")
        assert isinstance(entered, LabelEvent)
        assert isinstance(left, LabelEvent)
        assert (left.state, left.label) == ("left", "level 0")
        assert isinstance(model, ModelEvent)
        assert (model.state, tuple(model.labels), model.reason) == ("loaded", OTHERS, "")
        assert isinstance(change, ChangeEvent)
        assert (change.previous, change.label) == (UNKNOWN, "shade 0")
        assert isinstance(again, LabelEvent)
        assert (again.state, again.label) == ("entered", "shade 0")

    def test_a_refused_file_is_an_event_and_the_old_model_goes_on(self, path: Path) -> None:
        old = load_model_file(path).card.sha256

        def has_refused(events: list[Event]) -> bool:
            models = [n for n, event in enumerate(events) if isinstance(event, ModelEvent)]
            return bool(models) and len(events) > models[0] + 5

        events = run_until(path, lambda: put_bytes(path, b"<html>"), has_refused)
        (refused,) = (event for event in events if isinstance(event, ModelEvent))
        assert (refused.state, refused.sha256) == ("refused", old)
        assert "cannot be used" in refused.reason
        assert sum(isinstance(event, ChangeEvent) for event in events) == 1

    def test_a_model_without_a_label_that_is_denied_is_refused(self, path: Path) -> None:
        def has_model(events: list[Event]) -> bool:
            return any(isinstance(event, ModelEvent) for event in events)

        events = run_until(path, lambda: put(path, *OTHERS), has_model, deny=("level 3",))
        (refused,) = (event for event in events if isinstance(event, ModelEvent))
        assert refused.state == "refused"
        assert refused.reason == "the model has no label 'level 3'"

    def test_a_comparison_ends_when_the_labels_are_others(self, path: Path, tmp_path: Path) -> None:
        other = tmp_path / "candidate.tflite"
        shutil.copy(path, other)

        def make_shadow(live: Classifier) -> Shadow:
            return Shadow(Classifier.open(other), DecisionSettings(), live.labels, every=1)

        events = run_until(
            path, lambda: put(path, *OTHERS), has_change_after_model, shadow=make_shadow
        )
        (model,) = (event for event in events if isinstance(event, ModelEvent))
        assert model.state == "loaded"
        assert "the comparison has ended: " in model.reason
