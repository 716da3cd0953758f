"""Published classifiers as runs: `edgecls_train.ready`."""

from __future__ import annotations

import json

import pytest

from edgecls.contract.labels import Labels
from edgecls.contract.run import open_run
from edgecls.errors import DatasetError
from edgecls.pictures import open_pictures
from edgecls_train.ready import is_ready_made, make_ready_run, match_classes
from edgecls_train.recipe_file import load_recipe
from tests.train.made_data import write_shapes
from tests.train.photos import needs_lite0

NAMES = (("0", "tench", "Tinca tinca"), ("1", "crane (1)", "crane"), ("2", "crane (2)", "crane"))


@pytest.fixture
def small():
    return load_recipe("imagenet").override(image_side=64)


@pytest.fixture
def three_classes(tmp_path):
    """Shapes, as if they were classes of ImageNet; the network will get them wrong."""
    folder = write_shapes(tmp_path / "shapes", per_class=2)
    for shape, number in (("circle", "0"), ("cross", "7"), ("square", "999")):
        (folder / shape).rename(folder / number)
    return open_pictures(str(folder))


def test_only_the_recipe_that_trains_nothing_is_ready_made():
    assert is_ready_made(load_recipe("imagenet"))
    assert not is_ready_made(load_recipe("efficientnet-lite0"))
    assert not is_ready_made(load_recipe("cnn"))


@pytest.mark.parametrize(
    ("label", "number"),
    [
        pytest.param("0", 0, id="by number"),
        pytest.param("tench", 0, id="by label"),
        pytest.param("tinca_TINCA", 0, id="by synonym, as folders are often written"),
        pytest.param("crane (2)", 2, id="by the label of one of two that share a name"),
    ],
)
def test_a_folder_is_matched(label, number):
    assert match_classes(Labels((label,)), NAMES) == [number]


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        pytest.param("goldfish", "it is none of them", id="no such class"),
        pytest.param("crane", r"the numbers \[1, 2\]", id="a name of two classes"),
    ],
)
def test_a_folder_that_is_no_class_is_refused(label, problem):
    with pytest.raises(DatasetError, match=problem) as refused:
        match_classes(Labels((label,)), NAMES)
    assert "0 to 999" in refused.value.hint


@needs_lite0
def test_half_of_the_pictures_calibrate_and_the_other_half_measure(three_classes, tmp_path, small):
    made = make_ready_run(three_classes, small, tmp_path / "runs")
    assert open_run(made.run.path) == made.run
    subsets = [entry.subset for entry in made.run.load_split()]
    assert sorted(subsets) == ["test"] * 3 + ["train"] * 3
    assert made.test.images == 3
    card = made.run.load_card()
    assert len(card.labels) == 1000
    assert card.provenance["data"] == three_classes.origin
    assert {entry.label for entry in made.run.load_split()} <= set(card.labels)


@needs_lite0
def test_the_metrics_are_those_on_disk(three_classes, tmp_path, small):
    made = make_ready_run(three_classes, small, tmp_path / "runs")
    assert made.run.load_metrics() == json.loads(json.dumps(made.metrics))
    assert made.metrics["epochs"] == 0
    assert made.metrics["test"]["images"] == 3


@needs_lite0
def test_without_pictures_it_says_what_is_missing(tmp_path, small):
    said = []
    made = make_ready_run(None, small, tmp_path / "runs", say=said.append)
    assert said == ["no DATA given: nothing is measured, and 'edgecls convert' will need pictures"]
    assert made.test is None
    assert made.run.load_split() == []
    assert "data" not in made.run.load_card().provenance
