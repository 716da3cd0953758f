"""Which pictures show the same: `likeness`, and `alike` and `neighbours` of `edgecls.pictures`."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecls.pictures.digits import DigitPictures
from edgecls.pictures.folder import FolderPictures
from edgecls.pictures.groups import group_pairs
from edgecls.pictures.neighbours import find_alike
from edgecls_train.likeness import find_likeness, members_of
from edgecls_train.reading import read_pictures
from tests.train.made_data import write_shapes
from tests.train.seeded_data import COPIES, first, load, save, write_burst, write_photos


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """72 different pictures."""
    return write_photos(tmp_path / "photos")


def likeness_of(root: Path):
    pictures = FolderPictures(root)
    reading = read_pictures(pictures, None)
    return find_likeness(pictures, reading), [pictures.names[index] for index in reading.readable]


def named(pairs, names) -> list[set[str]]:
    return [{Path(names[a]).name, Path(names[b]).name} for a, b in pairs.tolist()]


def test_different_pictures_are_not_alike(photos):
    likeness, _ = likeness_of(photos)
    assert likeness.groups.tolist() == list(range(72))


@pytest.mark.parametrize("how", [pytest.param(how, id=how) for how in COPIES])
def test_a_copy_is_found(photos, how):
    originals = [first(photos, "ball", number) for number in range(5)]
    for number, original in enumerate(originals):
        save(photos / "box" / f"copy-{number}.jpg", COPIES[how](load(original)), quality=70)
    likeness, names = likeness_of(photos)
    expected = [{original.name, f"copy-{n}.jpg"} for n, original in enumerate(originals)]
    assert sorted(map(sorted, named(likeness.near, names))) == sorted(map(sorted, expected))
    assert len(likeness.exact) == 0


@pytest.mark.parametrize("count", [12, 60])
def test_plain_things_on_plain_paper_are_not_called_duplicates(tmp_path, count):
    likeness, _ = likeness_of(write_shapes(tmp_path / "shapes", per_class=count))
    assert likeness.groups.tolist() == list(range(3 * count))


def test_equal_files_are_exact_duplicates_whatever_their_names(photos):
    original = first(photos, "star")
    (photos / "box" / "other.jpg").write_bytes(original.read_bytes())
    likeness, names = likeness_of(photos)
    assert named(likeness.exact, names) == [{original.name, "other.jpg"}]
    assert len(likeness.near) == 0


def test_the_frames_of_a_burst_are_one_group(photos):
    frames = write_burst(photos, "box", frames=12)
    likeness, names = likeness_of(photos)
    groups = likeness.groups
    together = [{Path(names[i]).name for i in members} for members in members_of(groups)]
    assert together == [{frame.name for frame in frames}]
    assert len(likeness.burst) == 11


def test_the_other_colour_is_another_picture(tmp_path):
    random = np.random.default_rng(4)
    shape = random.integers(0, 2, (8, 8)).astype(np.uint8)
    gray = cv2.resize(shape * 200, (96, 96), interpolation=cv2.INTER_NEAREST)
    black = np.zeros_like(gray)
    save(tmp_path / "red" / "1.jpg", np.dstack([black, black, gray]))
    save(tmp_path / "blue" / "1.jpg", np.dstack([gray, black, black]))
    likeness, _ = likeness_of(tmp_path)
    assert len(likeness.near) == 0


def test_black_pictures_are_alike_only_when_they_are_equal(tmp_path):
    random = np.random.default_rng(4)
    for number in range(4):
        noise = random.integers(0, 4, (64, 64, 3)).astype(np.uint8)
        save(tmp_path / "a" / f"{random.bytes(3).hex()}.png", noise)
        save(tmp_path / "b" / f"{number}.png", np.zeros((64, 64 + number, 3), np.uint8))
    likeness, names = likeness_of(tmp_path)
    assert members_of(likeness.groups) == [[4, 5, 6, 7]]
    assert names[4].startswith("b/")


def test_five_thousand_digits_are_not_called_duplicates():
    digits = DigitPictures()
    likeness = find_likeness(digits, read_pictures(digits, None))
    assert len(likeness.exact) + len(likeness.near) + len(likeness.burst) == 0


def test_photos_of_strangers_are_not_called_duplicates(data_folder, tmp_path):
    """2,000 test pictures of CIFAR-10, 200 of each class; a few near duplicates are known in it."""
    with zipfile.ZipFile(data_folder / "cifar10-jpeg.zip") as archive:
        for name in archive.namelist():
            folder, _, file = name.removeprefix("test/").partition("/")
            if name.startswith("test/") and file[:-4].isdecimal() and int(file[:-4]) < 200:
                target = tmp_path / folder / file
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(archive.read(name))
    likeness, _ = likeness_of(tmp_path)
    assert likeness.count == 2000
    assert len(likeness.burst) == 0
    assert len(likeness.near) <= 5


def test_what_comparing_gave_is_kept(photos):
    write_burst(photos, "star")
    once, _ = likeness_of(photos)
    again, _ = likeness_of(photos)
    assert again.groups.tolist() == once.groups.tolist()
    assert isinstance(again.burst.base, np.memmap)


def test_groups_are_numbered_by_their_first():
    groups = group_pairs(6, np.array([[4, 1], [2, 5], [1, 3]]))
    assert groups.tolist() == [0, 1, 2, 1, 1, 2]
    assert members_of(groups) == [[1, 3, 4], [2, 5]]


def unit_vectors(count: int) -> np.ndarray:
    vectors = np.random.default_rng(8).normal(size=(count, 64)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [10, 4096, 20_000])
def test_each_vector_finds_its_copy_among_many(count):
    vectors = unit_vectors(count // 2)
    moved = vectors + 0.2 * unit_vectors(count // 2)[::-1]
    both = np.concatenate([vectors, moved / np.linalg.norm(moved, axis=1, keepdims=True)])
    pairs = find_alike(both, least=0.9, most=4)
    right = {(index, index + count // 2) for index in range(count // 2)}
    found = set(map(tuple, pairs.tolist()))
    assert found <= right
    assert len(found) >= 0.98 * len(right)


def test_a_vector_has_no_more_neighbours_than_asked():
    vectors = np.repeat(unit_vectors(1), 50, axis=0)
    assert len(find_alike(vectors, least=0.9, most=4)) <= 50 * 4


@pytest.mark.parametrize("count", [0, 1])
def test_few_vectors_have_no_neighbours(count):
    assert find_alike(unit_vectors(count), least=0.9, most=4).shape == (0, 2)
