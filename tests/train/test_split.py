"""How pictures are split: `edgecls_train.split`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.run import SplitEntry
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


def test_entries_name_every_picture_with_its_label_in_the_order_of_the_set():
    dataset = dataset_of([2, 1])
    split = Split(train=np.array([1]), val=np.array([2]), test=np.array([0]))
    assert split.entries(dataset) == [
        SplitEntry("0", "class 0", "test"),
        SplitEntry("1", "class 0", "train"),
        SplitEntry("2", "class 1", "val"),
    ]
