"""Folders that say what their pictures are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.errors import DatasetError
from edgecls.pictures import open_pictures
from edgecls.pictures.folder import FolderPictures
from tests.pictures.test_folder import fill


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        pytest.param("train", "val", "test", id="train, val, test"),
        pytest.param("train", "valid", "test", id="valid"),
        pytest.param("training", "validation", "testing", id="the long words"),
        pytest.param("Train", "Val", "Test", id="capitals"),
    ],
)
def test_subset_folders_say_what_pictures_are_for(
    train: str, val: str, test: str, tmp_path: Path
) -> None:
    names = [f"{part}/{label}/1.png" for part in (train, val, test) for label in ("cat", "dog")]
    pictures = FolderPictures(fill(tmp_path, *names))
    assert list(pictures.labels) == ["cat", "dog"]
    assert pictures.names == tuple(names)
    assert pictures.targets.tolist() == [0, 1] * 3
    assert pictures.given_subsets == ("train", "train", "val", "val", "test", "test")


def test_a_flat_folder_says_nothing(tmp_path: Path) -> None:
    assert FolderPictures(fill(tmp_path, "a/1.png", "b/1.png")).given_subsets is None


def test_train_alone_leaves_the_rest_to_the_split(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "train/a/1.png", "train/b/1.png"))
    assert list(pictures.labels) == ["a", "b"]
    assert pictures.given_subsets == ("train", "train")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "bus/1.png", "train/1.png", "train/x/2.png"))
    assert list(pictures.labels) == ["bus", "train"]
    assert pictures.given_subsets is None


def test_a_test_folder_may_lack_a_class(tmp_path: Path) -> None:
    pictures = FolderPictures(fill(tmp_path, "train/a/1.png", "train/b/1.png", "test/b/1.png"))
    assert pictures.targets.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("stranger", "message"),
    [
        pytest.param("test/c/1.png", "the class 'c' is in .*test' and not in .*train'", id="class"),
        pytest.param("valid/a/1.png", "holds both 'val' and 'valid'", id="a subset twice"),
        pytest.param("extra/a/1.png", "holds 'extra' beside 'train' and 'val'", id="other folder"),
        pytest.param("test/a/notes.txt", "class 'a' in '.*test' has no pictures", id="empty class"),
    ],
)
def test_what_is_unclear_is_refused(stranger: str, message: str, tmp_path: Path) -> None:
    fill(tmp_path, "train/a/1.png", "train/b/1.png", "val/a/1.png", stranger)
    with pytest.raises(DatasetError, match=message):
        open_pictures(str(tmp_path))
