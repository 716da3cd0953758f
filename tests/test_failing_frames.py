"""A model that fails on one kind of picture: it is left out, counted and told; the others go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.batch import classify_files
from edgecls.bench import Configuration, measure
from edgecls.bench.worker import measure_here
from edgecls.classifier import Classifier
from edgecls.collect.gallery import Gallery
from edgecls.comparison import compare_models
from edgecls.contract.events import PredictionEvent
from edgecls.contract.warning_event import WarningEvent
from edgecls.errors import EngineError
from edgecls.evaluation import evaluate
from edgecls.imaging.opencv import cv2
from edgecls.pipeline import Loop
from edgecls.review.found import open_folder, read_folder
from edgecls.review.look import look_at_all, reader
from edgecls.runtimes import installed_runtimes
from edgecls.runtimes.failures import MOST_FAILURES_IN_A_ROW
from edgecls.sinks.fake import FakeSink
from edgecls.sources import open_source
from tests.cli.conftest import cli
from tests.support.choosy_model import choosy_model_bytes
from tests.support.tiny_model import tiny_model_bytes

__all__ = ["cli"]

pytestmark = [
    pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed"),
    pytest.mark.fault(128),
]
Cli = Callable[..., Any]
FAILS, WORKS = 128, 255


@pytest.fixture
def choosy(tmp_path: Path) -> Iterator[Classifier]:
    """Fails on every picture without a white pixel, unless it is black."""
    (tmp_path / "choosy.tflite").write_bytes(choosy_model_bytes())
    classifier = Classifier.open(tmp_path / "choosy.tflite")
    yield classifier
    classifier.close()


def write_pictures(folder: Path, *levels: int) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:04d}.png" for number in range(len(levels))]
    for path, level in zip(paths, levels, strict=True):
        cv2.imwrite(str(path), np.full((32, 32, 3), level, np.uint8))
    return paths


def run_loop(classifier: Classifier, folder: Path) -> tuple[Any, list[Any]]:
    sink = FakeSink()
    summary = Loop(lambda: open_source(str(folder)), classifier, [sink]).run()
    return summary, sink.events


def test_the_camera_loop_leaves_it_out_and_goes_on(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", WORKS, FAILS, WORKS, FAILS)
    summary, events = run_loop(choosy, tmp_path / "seen")
    answers = [event.label for event in events if isinstance(event, PredictionEvent)]
    assert answers == ["class 9", "class 9"]
    assert (summary.frames, summary.classified, summary.failed) == (4, 2, 2)
    assert summary.dropped == summary.unreadable == summary.gated == 0
    assert summary.to_json()["failed"] == 2


def test_it_is_told_once_for_many_frames(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", WORKS, *[FAILS] * 20, WORKS)
    _, events = run_loop(choosy, tmp_path / "seen")
    (told,) = [event for event in events if isinstance(event, WarningEvent)]
    assert (told.trouble, told.state) == ("failing", "begin")
    assert told.reason.startswith("the model fails on some frames, which are left out: litert")


def test_a_model_that_fails_on_everything_ends_the_loop(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", *[FAILS] * (MOST_FAILURES_IN_A_ROW + 1))
    with pytest.raises(EngineError, match="failed on 100 frames in a row: litert failed") as wrong:
        run_loop(choosy, tmp_path / "seen")
    assert "edgecls verify" in wrong.value.hint


def test_a_loop_without_any_answer_is_an_error(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", FAILS, FAILS)
    with pytest.raises(EngineError, match="failed on all 2 frames: litert failed"):
        run_loop(choosy, tmp_path / "seen")


def test_one_frame_less_does_not(choosy: Classifier, tmp_path: Path) -> None:
    fails = [FAILS] * (MOST_FAILURES_IN_A_ROW - 1)
    write_pictures(tmp_path / "seen", *fails, WORKS, *fails)
    assert run_loop(choosy, tmp_path / "seen")[0].failed == 2 * len(fails)


def test_classify_tells_the_file_and_answers_for_the_others(
    choosy: Classifier, tmp_path: Path
) -> None:
    paths = write_pictures(tmp_path / "seen", WORKS, FAILS, WORKS)
    first, second, third = classify_files(choosy, paths)
    assert first.predictions[0].label == third.predictions[0].label == "class 9"
    assert second.error.startswith(f"'{paths[1]}': litert failed while it ran the model")


def test_classify_gives_up_where_it_fails_on_everything(choosy: Classifier, tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "seen", FAILS) * MOST_FAILURES_IN_A_ROW
    with pytest.raises(EngineError, match="failed on 100 frames in a row"):
        list(classify_files(choosy, paths))


def test_evaluate_and_compare_leave_it_out(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "set" / "class 0", 0, FAILS)
    write_pictures(tmp_path / "set" / "class 9", WORKS)
    found = evaluate(choosy, str(tmp_path / "set"))
    assert (found.quality.images, found.quality.top1, len(found.failed)) == (2, 1.0, 1)
    assert found.to_json()["failed"] == 1
    compared = compare_models(choosy, choosy, str(tmp_path / "set"))
    assert (compared.overall.images, len(compared.unreadable)) == (2, 1)


def test_evaluate_measures_nothing_where_it_fails_on_all(
    choosy: Classifier, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "set" / "class 0", FAILS)
    write_pictures(tmp_path / "set" / "class 9", FAILS)
    with pytest.raises(EngineError, match="failed on all 2 pictures"):
        evaluate(choosy, str(tmp_path / "set"))


def test_bench_measures_on_the_others(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", FAILS, WORKS)
    measured = measure_here(
        Configuration(choosy.model.name, "auto", 1, 0.05, str(tmp_path / "seen"))
    )
    assert measured.runs > 0


@pytest.mark.fault(137)
def test_bench_takes_no_more_memory_than_other_commands(tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", FAILS)
    model = tmp_path / "hungry.tflite"
    model.write_bytes(choosy_model_bytes("memory"))
    with pytest.raises(EngineError, match=r"hungry\.tflite' failed on 100 frames in a row"):
        measure(Configuration(str(model), "auto", 1, 0.05, str(tmp_path / "seen")))


def test_a_comparison_names_the_model_that_fails(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "set" / "class 0", FAILS)
    write_pictures(tmp_path / "set" / "class 9", FAILS)
    (tmp_path / "sound.tflite").write_bytes(tiny_model_bytes((28, 28), "GRAY", 10))
    sound = Classifier.open(tmp_path / "sound.tflite")
    with pytest.raises(EngineError, match=r"choosy\.tflite' failed on all 2 pictures"):
        compare_models(sound, choosy, str(tmp_path / "set"))
    sound.close()


def test_the_commands_say_so(cli: Cli, choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", WORKS, FAILS, WORKS)
    result = cli("camera", "--model", choosy.model.name, "--source", str(tmp_path / "seen"))
    assert result.exit_code == 0
    assert "2 frames classified" in result.stdout
    assert "1 failed in the model" in result.stdout
    result = cli("classify", "--json", "--model", choosy.model.name, str(tmp_path / "seen"))
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["error" in line for line in lines] == [False, True, False]


@contextmanager
def silently(_title: str, _total: int) -> Iterator[Callable[..., None]]:
    yield lambda _done, _note="": None


def test_a_review_leaves_it_out_and_names_it(choosy: Classifier, tmp_path: Path) -> None:
    write_pictures(tmp_path / "seen", WORKS, FAILS, WORKS)
    found = read_folder(open_folder(tmp_path / "seen"), lambda _done, _of: None)
    seen = look_at_all(found, Gallery(reader(found.root)), choosy, silently)
    assert [each.picture.name for each in seen.candidates] == ["0000.png", "0002.png"]
    assert "0001.png: litert failed while it ran the model" in seen.unreadable[0]
