"""Pictures prepared once: `edgecls_train.dataset`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DatasetError
from edgecls.imaging.prepare import prepare
from edgecls.pictures.folder import FolderPictures, read_picture
from edgecls_train.dataset import prepare_dataset
from tests.train.made_data import PER_SHAPE, SHAPES, write_shapes

SMALL = Preprocessing(size=(24, 16))


@pytest.mark.parametrize(
    "preprocessing",
    [
        pytest.param(SMALL, id="colour, cropped"),
        pytest.param(Preprocessing(size=(20, 20), channels="GRAY", crop="pad"), id="gray, padded"),
    ],
)
def test_every_image_is_what_a_board_would_prepare(shapes, preprocessing):
    dataset = prepare_dataset(FolderPictures(shapes), preprocessing)
    expected = [prepare(read_picture(shapes / name), preprocessing) for name in dataset.names]
    assert dataset.images.dtype == np.uint8
    assert np.array_equal(dataset.images, np.stack(expected))


def test_names_targets_and_labels_are_those_of_the_set(shapes):
    pictures = FolderPictures(shapes)
    dataset = prepare_dataset(pictures, SMALL)
    assert dataset.origin == str(shapes)
    assert dataset.labels.names == SHAPES
    assert dataset.names == pictures.names
    assert dataset.targets.tolist() == [0] * PER_SHAPE + [1] * PER_SHAPE + [2] * PER_SHAPE


def test_unreadable_pictures_are_left_out_and_named(shapes):
    (shapes / "cross" / "05.jpg").write_bytes(b"")
    content = (shapes / "square" / "00.jpg").read_bytes()
    (shapes / "square" / "00.jpg").write_bytes(content[:200])
    dataset = prepare_dataset(FolderPictures(shapes), SMALL)
    assert len(dataset) == len(dataset.images) == 3 * PER_SHAPE - 2
    assert np.bincount(dataset.targets).tolist() == [PER_SHAPE, PER_SHAPE - 1, PER_SHAPE - 1]
    assert not {"cross/05.jpg", "square/00.jpg"} & set(dataset.names)
    empty, cut_off = dataset.unreadable
    assert "cross/05.jpg" in empty
    assert "square/00.jpg" in cut_off


def test_images_stay_with_their_names_after_an_unreadable_one(shapes):
    (shapes / "circle" / "00.jpg").write_bytes(b"")
    dataset = prepare_dataset(FolderPictures(shapes), SMALL)
    last = prepare(read_picture(shapes / dataset.names[-1]), SMALL)
    assert np.array_equal(dataset.images[-1], last)


def test_more_than_half_unreadable_stops(shapes):
    for path in sorted(shapes.rglob("*.jpg"))[: 3 * PER_SHAPE // 2 + 1]:
        path.write_text("not a picture")
    with pytest.raises(DatasetError, match=r"more than half of the 36 pictures .*circle/00\.jpg"):
        prepare_dataset(FolderPictures(shapes), SMALL)


def test_a_class_of_two_readable_pictures_is_named(shapes):
    for path in sorted((shapes / "cross").iterdir())[2:]:
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="class 'cross' has 2 readable pictures, at least 3"):
        prepare_dataset(FolderPictures(shapes), SMALL)


def fingerprint(folder) -> str:
    return prepare_dataset(FolderPictures(folder), SMALL).fingerprint


def test_equal_pictures_have_an_equal_fingerprint_wherever_they_are(shapes, tmp_path):
    assert fingerprint(shapes) == fingerprint(write_shapes(tmp_path / "elsewhere"))


def append_a_byte(shapes):
    with (shapes / "cross" / "03.jpg").open("ab") as file:
        file.write(b"\0")


def rename_a_picture(shapes):
    (shapes / "cross" / "03.jpg").rename(shapes / "cross" / "03b.jpg")


def relabel_a_picture(shapes):
    (shapes / "cross" / "03.jpg").rename(shapes / "square" / "03b.jpg")


@pytest.mark.parametrize("change", [append_a_byte, rename_a_picture, relabel_a_picture])
def test_any_change_changes_the_fingerprint(shapes, change):
    before = fingerprint(shapes)
    change(shapes)
    assert fingerprint(shapes) != before
