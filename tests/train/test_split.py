"""How pictures are split: `edgecls_train.split`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.run import SplitEntry
from edgecls.errors import DatasetError
from edgecls.pictures import PictureSet
from edgecls.pictures.digits import DigitPictures
from edgecls.pictures.folder import FolderPictures
from edgecls_train.dataset import Dataset, prepare_dataset
from edgecls_train.split import Split, split_dataset
from tests.train.made_data import stripes


@pytest.fixture(scope="session")
def digit_dataset(digits: DigitPictures) -> Dataset:
    return prepare_dataset(digits, Preprocessing(size=(4, 4), channels="GRAY"))


@pytest.fixture
def folder(shapes) -> PictureSet:
    return FolderPictures(shapes)


def dataset_of(counts: list[int]) -> Dataset:
    return dataclasses.replace(
        stripes(),
        labels=Labels.numbered(len(counts)),
        names=tuple(map(str, range(sum(counts)))),
        targets=np.repeat(np.arange(len(counts)), counts),
    )


def class_counts(dataset: Dataset, split: Split) -> dict[str, list[int]]:
    classes = len(dataset.labels)
    return {
        name: np.bincount(dataset.targets[positions], minlength=classes).tolist()
        for name, positions in split.subsets()
    }


@pytest.mark.parametrize(
    ("count", "train", "val", "test"),
    [
        pytest.param(100, 70, 15, 15, id="a hundred pictures become 70, 15 and 15"),
        pytest.param(20, 14, 3, 3, id="twenty become 14, 3 and 3"),
        pytest.param(4, 2, 1, 1, id="four leave two to train"),
        pytest.param(3, 1, 1, 1, id="three give one to each"),
    ],
)
def test_every_class_of_a_folder_is_split_by_the_same_shares(folder, count, train, val, test):
    dataset = dataset_of([count, 60])
    assert class_counts(dataset, split_dataset(dataset, folder, seed=0)) == {
        "train": [train, 42],
        "val": [val, 9],
        "test": [test, 9],
    }


def test_every_picture_is_in_exactly_one_subset(folder):
    dataset = dataset_of([33, 7, 3])
    split = split_dataset(dataset, folder, seed=5)
    everything = np.concatenate([split.train, split.val, split.test])
    assert sorted(everything.tolist()) == list(range(43))


def test_the_same_seed_gives_the_same_split(folder):
    dataset = dataset_of([50, 50])
    once, again = (split_dataset(dataset, folder, seed=9).entries(dataset) for _ in range(2))
    assert once == again


def test_another_seed_gives_another_split(folder):
    dataset = dataset_of([50, 50])
    first, second = (split_dataset(dataset, folder, seed).test.tolist() for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_held_out_digits_are_the_test_set_whatever_the_seed(digit_dataset, digits, seed):
    split = split_dataset(digit_dataset, digits, seed)
    assert split.test.tolist() == digits.held_out.tolist()
    assert not set(split.test) & {*split.train, *split.val}


def test_a_tenth_of_the_other_digits_validates(digit_dataset, digits):
    split = split_dataset(digit_dataset, digits, seed=0)
    assert class_counts(digit_dataset, split) == {
        "train": [360] * 10,
        "val": [40] * 10,
        "test": [100] * 10,
    }


class GivenPictures:
    """Says of `dataset_of` pictures what they are for."""

    def __init__(self, dataset: Dataset, subsets: list[str]) -> None:
        self.names = dataset.names
        self.given_subsets = tuple(subsets)


def test_subsets_that_the_set_gives_are_kept():
    dataset = dataset_of([10, 10])
    subsets = (["train"] * 6 + ["val"] * 3 + ["test"]) * 2
    split = split_dataset(dataset, GivenPictures(dataset, subsets), seed=3)
    assert split.train.tolist() == [*range(6), *range(10, 16)]
    assert split.val.tolist() == [6, 7, 8, 16, 17, 18]
    assert split.test.tolist() == [9, 19]


@pytest.mark.parametrize(
    ("subsets", "counts"),
    [
        pytest.param(
            ["train"] * 80 + ["test"] * 20,
            {"train": [72, 72], "val": [8, 8], "test": [20, 20]},
            id="validation pictures are a tenth of the training pictures",
        ),
        pytest.param(
            ["train"] * 80 + ["val"] * 20,
            {"train": [68, 68], "val": [20, 20], "test": [12, 12]},
            id="test pictures are 15% of the training pictures",
        ),
        pytest.param(
            ["train"] * 100,
            {"train": [70, 70], "val": [15, 15], "test": [15, 15]},
            id="both are 15% of all",
        ),
    ],
)
def test_what_the_set_does_not_give_is_drawn_from_its_training_pictures(subsets, counts):
    dataset = dataset_of([100, 100])
    split = split_dataset(dataset, GivenPictures(dataset, subsets * 2), seed=3)
    assert class_counts(dataset, split) == counts
    given = np.array(subsets * 2)
    assert set(split.train) <= set(np.flatnonzero(given == "train"))


@pytest.mark.parametrize(
    ("subsets", "val"),
    [
        pytest.param(["train"] * 17_000 + ["test"] * 3_000, 1250, id="the test pictures are given"),
        pytest.param(["train"] * 20_000, 1250, id="they are drawn as well"),
    ],
)
def test_no_more_than_2500_pictures_validate(subsets, val):
    dataset = dataset_of([20_000, 20_000])
    counts = class_counts(dataset, split_dataset(dataset, GivenPictures(dataset, subsets * 2), 0))
    assert counts == {"train": [17_000 - val] * 2, "val": [val] * 2, "test": [3_000] * 2}


def subsets_of_groups(dataset: Dataset, split: Split) -> list[set[str]]:
    """For each group of more than one picture, the subsets that it is in."""
    assert dataset.groups is not None
    found: dict[int, list[str]] = {}
    for name, positions in split.subsets():
        for position in positions:
            found.setdefault(int(dataset.groups[position]), []).append(name)
    return [set(names) for names in found.values() if len(names) > 1]


@pytest.mark.parametrize("seed", range(10))
def test_no_group_straddles_the_split(folder, seed):
    groups = np.arange(120)
    groups[0:20] = 0  # a burst in the first class
    groups[30:33] = 30
    groups[70:78] = 70
    groups[119] = 40  # a duplicate in another class
    dataset = dataclasses.replace(dataset_of([60, 60]), groups=groups)
    split = split_dataset(dataset, folder, seed)
    assert [len(names) for names in subsets_of_groups(dataset, split)] == [1] * 4
    counts = class_counts(dataset, split)
    assert sum(map(sum, counts.values())) == 120
    assert all(min(per_class) >= 1 for per_class in counts.values())
    assert counts["train"][0] >= 30


def test_shares_are_kept_with_groups(folder):
    groups = np.repeat(np.arange(50), 2)
    dataset = dataclasses.replace(dataset_of([60, 40]), groups=groups)
    counts = class_counts(dataset, split_dataset(dataset, folder, seed=1))
    assert counts["test"] == [8, 6]  # 9 is no whole number of pairs
    assert counts["train"] == [44, 28]


def test_three_groups_give_one_to_each_subset(folder):
    dataset = dataclasses.replace(
        dataset_of([30, 30]), groups=np.concatenate([np.repeat([0, 10, 20], 10), np.arange(30, 60)])
    )
    counts = class_counts(dataset, split_dataset(dataset, folder, seed=1))
    assert [counts[name][0] for name in ("train", "val", "test")] == [10, 10, 10]


def test_a_class_with_two_different_pictures_cannot_be_split(folder):
    dataset = dataclasses.replace(
        dataset_of([30, 30]), groups=np.concatenate([np.repeat([0, 10], 15), np.arange(30, 60)])
    )
    with pytest.raises(
        DatasetError, match="class 'class 0' has 30 pictures to split, but only 2 different ones"
    ):
        split_dataset(dataset, folder, seed=1)


def test_entries_name_every_picture_with_its_label_in_the_order_of_the_set():
    dataset = dataset_of([2, 1])
    split = Split(train=np.array([1]), val=np.array([2]), test=np.array([0]))
    assert split.entries(dataset) == [
        SplitEntry("0", "class 0", "test"),
        SplitEntry("1", "class 0", "train"),
        SplitEntry("2", "class 1", "val"),
    ]
