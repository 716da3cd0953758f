"""Two model files on the same pictures: what is the same, what changed, and how fast each is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.comparison import ModelComparison, compare_models, count_pairs, match_models
from edgecls.contract.card import Output
from edgecls.contract.labels import Labels
from edgecls.errors import DatasetError, InvalidValueError
from edgecls.imaging.opencv import cv2
from tests.support.tiny_model import frame_of, write_tiny_model

LEVELS = tuple(f"level {level}" for level in range(4))
Open = Callable[..., Classifier]


@pytest.fixture
def open_model(tmp_path: Path) -> Iterator[Open]:
    """Opens a model of four levels of gray, its labels named as told."""
    opened: list[Classifier] = []

    def open_one(labels: tuple[str, ...] = LEVELS, **more: Any) -> Classifier:
        path = tmp_path / f"{len(opened)}.tflite"
        write_tiny_model(path, (4, 4), "GRAY", labels=labels, **more)
        opened.append(Classifier.open(path))
        return opened[-1]

    yield open_one
    for classifier in opened:
        classifier.close()


def fill(root: Path, folders: dict[str, list[int]]) -> str:
    """Write folders of pictures, each picture as bright as the class it will be taken for."""
    for folder, levels in folders.items():
        (root / folder).mkdir(parents=True)
        for number, level in enumerate(levels):
            cv2.imwrite(str(root / folder / f"{number}.png"), frame_of(level, 4))
    return str(root)


def compared(first: Classifier, second: Classifier, origin: str) -> ModelComparison:
    return compare_models(first, second, origin)


def test_a_model_agrees_with_itself(open_model: Open, tmp_path: Path) -> None:
    origin = fill(tmp_path / "data", {"level 0": [0, 0, 1], "level 2": [2]})
    found = compared(open_model(), open_model(), origin)
    assert (found.overall.images, found.overall.changed, found.agreement) == (4, 0, 1.0)
    assert [quality.top1 for quality in found.qualities] == [0.75, 0.75]
    assert found.overall.p == 1.0
    assert found.changes == ()


def test_labels_in_another_order_are_matched_by_name(open_model: Open, tmp_path: Path) -> None:
    origin = fill(tmp_path / "data", {"level 0": [0, 1], "level 1": [1], "level 3": [3, 3]})
    # Its second and third outputs have changed their names, and so what it answers.
    other = open_model(("level 0", "level 2", "level 1", "level 3"))
    found = compared(open_model(), other, origin)
    assert (found.overall.images, found.overall.changed) == (5, 2)
    assert found.agreement == pytest.approx(0.6)
    assert [quality.top1 for quality in found.qualities] == pytest.approx([0.8, 0.6])
    assert (found.overall.only_first, found.overall.only_second) == (1, 0)
    by_label = {count.label: count for count in found.per_class}
    assert set(by_label) == {"level 0", "level 1", "level 3"}
    assert (by_label["level 0"].changed, by_label["level 0"].only_first) == (1, 0)
    assert (by_label["level 1"].changed, by_label["level 1"].only_first) == (1, 1)
    assert [(c.name, c.label, c.first, c.second) for c in found.changes] == [
        ("level 0/1.png", "level 0", "level 1", "level 2"),
        ("level 1/0.png", "level 1", "level 1", "level 2"),
    ]


def test_each_models_card_decides_its_scores(open_model: Open, tmp_path: Path) -> None:
    origin = fill(tmp_path / "data", {"level 0": [0] * 3, "level 2": [2] * 3})
    found = compared(open_model(), open_model(output=Output(temperature=4.0)), origin)
    errors = [quality.calibration_error for quality in found.qualities]
    assert found.agreement == 1.0
    assert errors[0] < 0.1 < errors[1]


def test_latency_is_that_of_every_frame_of_both(open_model: Open, tmp_path: Path) -> None:
    origin = fill(tmp_path / "data", {"level 0": [0] * 4, "level 2": [2] * 4})
    for latency in compared(open_model(), open_model(), origin).latency_ms:
        assert 0.0 < latency["p50"] <= latency["p95"] <= latency["p99"]


def test_unreadable_pictures_are_left_out_of_both(open_model: Open, tmp_path: Path) -> None:
    origin = fill(tmp_path / "data", {"level 0": [0], "level 2": [2]})
    (tmp_path / "data" / "level 2" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    found = compared(open_model(), open_model(), origin)
    assert found.overall.images == 2
    assert len(found.unreadable) == 1
    assert "broken.jpg" in found.unreadable[0]


def test_no_readable_picture_at_all_is_refused(open_model: Open, tmp_path: Path) -> None:
    for folder in ("level 0", "level 2"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        (tmp_path / "data" / folder / "a.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match="none of the 2 pictures"):
        compared(open_model(), open_model(), str(tmp_path / "data"))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        pytest.param(
            ("cat", "dog"), "only the first has 'a' and 1 more, only the second has 'cat' and 1",
            id="all others",
        ),
        pytest.param(("a", "b", "c"), "labels: only the second has 'c'$", id="one more"),
        pytest.param(("b",), "labels: only the first has 'a'$", id="one less"),
    ],
)  # fmt: skip
def test_models_of_different_labels_are_refused(second: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        match_models(Labels(("a", "b")), Labels(second))
    assert re.search(message, refused.value.problem)
    assert "--labels" in refused.value.hint


def test_classes_are_corrected_for_how_many_are_tested() -> None:
    # Class a: the second model loses 6 of 6; class b: 1 of 6; class c is the same for both.
    targets = np.repeat([0, 1, 2], 6)
    best = np.stack([targets, targets], axis=1)
    best[:6, 1], best[6, 1] = 1, 0
    overall, (a, b, c) = count_pairs(best, targets, Labels(("a", "b", "c")))
    assert (overall.changed, overall.only_first, overall.p) == (7, 7, 2 / 2**7)
    assert (a.p, a.adjusted_p) == (2 / 2**6, 4 / 2**6)  # of two tests: class c is none
    assert (b.p, b.adjusted_p) == (1.0, 1.0)
    assert (c.changed, c.p, c.adjusted_p) == (0, 1.0, 1.0)
