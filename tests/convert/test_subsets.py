"""Which pictures of a run are used, and what is said when they are not there any more."""

import shutil

import numpy as np
import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.run import RunFolder, SplitEntry
from edgecls.errors import DatasetError, RunError
from edgecls_convert.subsets import (
    Example,
    choose_stratified,
    count_per_class,
    open_run_pictures,
    split_pictures,
)
from tests.convert.runs import with_card

CARD = ModelCard(Labels(("cat", "dog", "owl")), Preprocessing((8, 8)))
CATS = [Example(f"cat{i}", i, 0) for i in range(100)]
DOGS = [Example(f"dog{i}", 100 + i, 1) for i in range(20)]
OWLS = [Example(f"owl{i}", 120 + i, 2) for i in range(2)]
ANIMALS = [*CATS, *DOGS, *OWLS]


@pytest.mark.parametrize(
    ("count", "per_class"),
    [
        pytest.param(3, {"cat": 1, "dog": 1, "owl": 1}, id="one of each class comes first"),
        pytest.param(6, {"cat": 2, "dog": 2, "owl": 2}, id="a rare class gives all it has"),
        pytest.param(32, {"cat": 15, "dog": 15, "owl": 2}, id="the others share the rest"),
        pytest.param(122, {"cat": 100, "dog": 20, "owl": 2}, id="all are the most there is"),
        pytest.param(500, {"cat": 100, "dog": 20, "owl": 2}, id="more than all is all"),
    ],
)
def test_the_choice_is_stratified(count, per_class):
    assert count_per_class(choose_stratified(ANIMALS, count, seed=0), CARD) == per_class


def test_the_choice_depends_on_the_seed_and_not_on_the_order():
    chosen = choose_stratified(ANIMALS, 30, seed=1)
    assert choose_stratified(ANIMALS[::-1], 30, seed=1) == chosen
    assert choose_stratified(ANIMALS, 30, seed=2) != chosen


def test_a_larger_choice_keeps_the_smaller_one():
    assert choose_stratified(ANIMALS, 60, seed=1)[:30] == choose_stratified(ANIMALS, 30, seed=1)


def test_no_picture_is_chosen_twice():
    assert len(set(choose_stratified(ANIMALS, 122, seed=0))) == 122


def test_the_pictures_of_a_run_are_found_by_name(folder_run):
    pictures = open_run_pictures(folder_run, folder_run.load_card())
    found = {
        subset: [(example.name, example.target) for example in examples]
        for subset, examples in pictures.subsets.items()
    }
    assert found == {
        "train": [("dark/0.png", 0), ("dark/1.png", 0), ("light/0.png", 1), ("light/1.png", 1)],
        "val": [("dark/2.png", 0), ("light/2.png", 1)],
        "test": [("dark/3.png", 0), ("light/3.png", 1)],
    }


def test_a_class_that_came_later_does_not_shift_the_others(folder_run):
    folder = folder_run.path.parent / "pictures"
    shutil.copytree(folder / "dark", folder / "a new class")
    pictures = open_run_pictures(folder_run, folder_run.load_card())
    assert [example.target for example in pictures.subsets["test"]] == [0, 1]
    assert pictures.load_image(pictures.subsets["test"][1]).tolist() == [[[203] * 3] * 8] * 8


def test_pictures_that_are_gone_are_named(folder_run):
    shutil.rmtree(folder_run.path.parent / "pictures")
    with pytest.raises(DatasetError, match=r"not there any more: there is no folder .*pictures"):
        open_run_pictures(folder_run, folder_run.load_card())


def test_a_picture_that_is_gone_is_named(folder_run):
    (folder_run.path.parent / "pictures/light/2.png").unlink()
    with pytest.raises(DatasetError, match=r"1 pictures .* are gone .* first is 'light/2.png'"):
        open_run_pictures(folder_run, folder_run.load_card())


def test_a_picture_that_can_no_longer_be_read_is_named(folder_run):
    (folder_run.path.parent / "pictures/light/0.png").write_bytes(b"no picture")
    pictures = open_run_pictures(folder_run, folder_run.load_card())
    with pytest.raises(DatasetError, match=r"no longer be read.*light/0.png"):
        pictures.load_image(pictures.subsets["train"][2])


def test_a_split_with_a_label_that_the_card_has_not_is_refused(folder_run):
    folder_run.save_split([SplitEntry("dark/0.png", "sunny", "train")])
    with pytest.raises(RunError, match=r"has the label 'sunny', which its card has not"):
        open_run_pictures(folder_run, folder_run.load_card())


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        pytest.param("train", "no test pictures to measure with", id="nothing to measure with"),
        pytest.param("test", "no train pictures to calibrate with", id="nothing to calibrate"),
    ],
)
def test_a_run_without_a_subset_is_refused(folder_run, kept, message):
    folder_run.save_split([SplitEntry("dark/0.png", "dark", kept)])
    with pytest.raises(RunError, match=message):
        open_run_pictures(folder_run, folder_run.load_card())


def test_a_run_that_does_not_know_its_pictures_is_refused(folder_run, tmp_path):
    run = with_card(folder_run, tmp_path / "unknown", provenance={})
    with pytest.raises(RunError, match="made without pictures to calibrate and measure with"):
        open_run_pictures(RunFolder(run.path), run.load_card())


def test_a_run_made_without_pictures_takes_those_it_is_given(folder_run, tmp_path):
    run = with_card(folder_run, tmp_path / "ready", provenance={})
    run.save_split([])
    data = folder_run.load_card().provenance["data"]
    pictures = open_run_pictures(RunFolder(run.path), run.load_card(), data)
    uses = {use: {example.name for example in some} for use, some in pictures.subsets.items()}
    everything = set(pictures.pictures.names)
    assert set().union(*uses.values()) == everything
    assert sum(map(len, uses.values())) == len(everything)
    assert len(uses["test"]) > len(uses["train"]) > 0


class OneOfEach:
    """A picture of each label."""

    origin = "made"
    given_subsets = None

    def __init__(self, count: int) -> None:
        self.labels = Labels.numbered(count)
        self.names = self.labels.names
        self.targets = np.arange(count)


def test_one_picture_of_each_class_is_enough_for_every_use():
    uses = split_pictures(OneOfEach(50), Labels.numbered(50))
    assert {use: len(some) for use, some in uses.items()} == {"train": 10, "val": 10, "test": 30}


def test_pictures_of_another_label_are_refused():
    with pytest.raises(DatasetError, match="'class 0', which is none of the labels"):
        split_pictures(OneOfEach(50), Labels(("cat", "dog")))


def test_one_picture_in_all_is_too_little():
    with pytest.raises(DatasetError, match="'made' has no pictures left to calibrate with"):
        split_pictures(OneOfEach(1), Labels.numbered(2))
