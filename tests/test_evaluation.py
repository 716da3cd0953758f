"""A model file is measured on labelled pictures, whose folders are matched with its labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgecls.classifier import Classifier
from edgecls.errors import DatasetError
from edgecls.evaluation import Advance, evaluate
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of, write_tiny_model


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classifier]:
    """Ten classes, `level 0` (dark) to `level 9` (bright)."""
    path = tmp_path_factory.mktemp("model") / "tiny.tflite"
    write_tiny_model(path)
    opened = Classifier.open(path)
    yield opened
    opened.close()


def fill(root: Path, folders: dict[str, list[int]]) -> str:
    """Write folders of pictures, each picture as bright as the class it will be taken for."""
    for folder, levels in folders.items():
        (root / folder).mkdir()
        for number, level in enumerate(levels):
            cv2.imwrite(str(root / folder / f"{number}.png"), frame_of(level))
    return str(root)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("level 2", "level 7", id="by label"),
        pytest.param("2", "7", id="by class number"),
    ],
)
def test_folders_are_matched_with_classes(
    classifier: Classifier, tmp_path: Path, first: str, second: str
) -> None:
    origin = fill(tmp_path, {first: [2, 2, 7], second: [7]})
    quality = evaluate(classifier, origin).quality
    assert (quality.images, quality.top1) == (4, 0.75)
    assert quality.confusion[2, 2] == 2
    assert quality.confusion[2, 7] == 1
    assert quality.confusion[7, 7] == 1
    assert quality.per_class[2].recall == pytest.approx(2 / 3)
    assert quality.per_class[7].precision == 0.5


def test_a_folder_that_is_no_label_is_named(classifier: Classifier, tmp_path: Path) -> None:
    origin = fill(tmp_path, {"level 2": [2], "cat": [3], "dog": [4]})
    with pytest.raises(DatasetError) as refused:
        evaluate(classifier, origin)
    assert refused.value.problem == "the folder 'cat' is no label of the model (and 1 more)"
    assert refused.value.hint == (
        "name the folders as the labels (level 0, level 1, level 2, level 3, level 4, ...)"
        " or as class numbers (0 to 9)"
    )


def test_a_class_number_beyond_the_last_is_no_label(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the folder '0' is no label"):
        evaluate(classifier, fill(tmp_path, {"0": [0], "10": [1]}))


def test_unreadable_pictures_are_named_and_not_measured(
    classifier: Classifier, tmp_path: Path
) -> None:
    origin = fill(tmp_path, {"2": [2], "7": [7]})
    (tmp_path / "7" / "broken.jpg").write_bytes(b"")
    evaluation = evaluate(classifier, origin)
    assert (evaluation.quality.images, evaluation.quality.top1) == (2, 1.0)
    assert len(evaluation.unreadable) == 1
    assert "broken.jpg" in evaluation.unreadable[0]
    assert evaluation.to_json()["unreadable"] == 1


def test_pictures_of_which_none_can_be_read_are_an_error(
    classifier: Classifier, tmp_path: Path
) -> None:
    for label in ("2", "7"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="none of the 2 pictures") as refused:
        evaluate(classifier, str(tmp_path))
    assert "a.jpg" in refused.value.hint


def test_a_folder_that_is_not_there(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no folder"):
        evaluate(classifier, str(tmp_path / "nowhere"))


def test_digits_are_the_1000_that_were_held_out(classifier: Classifier) -> None:
    totals: list[int] = []
    steps: list[int] = []

    def start(total: int) -> Advance:
        totals.append(total)
        return steps.append

    quality = evaluate(classifier, "digits", start).quality
    assert quality.images == 1000
    assert [entry.images for entry in quality.per_class] == [100] * 10
    assert quality.confusion.sum(axis=1).tolist() == [100] * 10
    assert totals == [1000]
    assert steps == list(range(1, 1001))
