"""A collected folder is ready to be trained on; what was taken in one burst stays together."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.collect.collection import Collection
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DatasetError
from edgecls.pictures import open_pictures
from edgecls_train.dataset import prepare_dataset
from edgecls_train.split import split_dataset
from tests.support.frames import NOON, jpeg_of, scene

SMALL = Preprocessing(size=(32, 32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of each label 6 bursts of 5 pictures; no two look alike, one burst was relabelled."""
    collection = Collection(tmp_path / "pictures", ["cat", "dog"])
    for number in range(60):
        label = ("cat", "dog")[number % 2]
        burst = f"{label}-{number // 10}"
        collection.keep(label, jpeg_of(scene(number)), {"time": NOON + number}, burst)
    moved = [picture.id for picture in collection.pictures("cat") if picture.burst == "cat-0"]
    collection.relabel(moved, "dog")
    collection.discard([collection.pictures("dog")[0].id])
    collection.close()
    return tmp_path / "pictures"


def test_training_reads_it(folder: Path) -> None:
    dataset = prepare_dataset(open_pictures(str(folder)), SMALL)
    assert dataset.labels.names == ("cat", "dog")
    assert len(dataset) == 59
    assert dataset.unreadable == ()
    counts = [int((dataset.targets == target).sum()) for target in (0, 1)]
    assert counts == [25, 34]


def test_no_burst_is_divided_by_the_split(folder: Path) -> None:
    pictures = open_pictures(str(folder))
    dataset = prepare_dataset(pictures, SMALL)
    assert dataset.groups is not None
    assert len(set(dataset.groups.tolist())) == 12
    split = split_dataset(dataset, pictures, seed=0)
    parts = [set(dataset.groups[positions].tolist()) for _, positions in split.subsets()]
    assert [len(part) > 0 for part in parts] == [True, True, True]
    assert sum(len(part) for part in parts) == 12


def test_one_burst_of_a_label_is_too_little_to_be_split(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "pictures", ["cat", "dog"])
    for number in range(40):
        label = ("cat", "dog")[number % 2]
        burst = "one" if label == "dog" else str(number)
        collection.keep(label, jpeg_of(scene(number)), {"time": NOON}, burst)
    collection.close()
    pictures = open_pictures(str(tmp_path / "pictures"))
    with pytest.raises(DatasetError, match=r"'dog' has 20 pictures to split, but only 1 different"):
        split_dataset(prepare_dataset(pictures, SMALL), pictures, seed=0)


def test_labels_that_differ_in_case_only_are_refused_here_too(tmp_path: Path) -> None:
    for label in ("cat", "Cat"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").write_bytes(jpeg_of(scene(0)))
    with pytest.raises(DatasetError, match=r"'Cat' and 'cat' .* differ in case"):
        open_pictures(str(tmp_path))
