"""Calibration pictures differ from each other, and are of all classes alike."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.pictures.folder import FolderPictures
from edgecls_convert.distinct import choose_distinct
from edgecls_convert.subsets import Example, RunPictures


def say_nothing(done, note=""):
    pass


def photo(seed):
    """A picture like no other: blurred noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(noise, (48, 48), interpolation=cv2.INTER_CUBIC)


def write(path: Path, picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


@pytest.fixture
def pictures(tmp_path):
    """Six cats and six dogs, of which three more dogs are copies of one: darker, equal, cropped."""
    for number in range(6):
        write(tmp_path / f"cat/{number}.png", photo(number))
        write(tmp_path / f"dog/{number}.png", photo(100 + number))
    copy = photo(100)
    write(tmp_path / "dog/darker.png", copy // 2 + 10)
    write(tmp_path / "dog/equal.png", copy)
    write(tmp_path / "dog/cropped.png", copy[1:, 1:])
    found = FolderPictures(tmp_path)
    examples = tuple(
        Example(name, index, int(found.targets[index])) for index, name in enumerate(found.names)
    )
    card = ModelCard(Labels(("cat", "dog")), Preprocessing((16, 16)))
    return RunPictures(found, card, {"train": examples, "val": (), "test": ()})


def choose(pictures, count, seed=0):
    return choose_distinct(pictures, pictures.subsets["train"], count, seed, say_nothing)


def test_of_copies_only_one_is_chosen(pictures):
    chosen = choose(pictures, 15)
    names = {example.name for example in chosen.examples}
    copies = {"dog/0.png", "dog/darker.png", "dog/equal.png", "dog/cropped.png"}
    assert len(names & copies) == 1
    assert len(chosen.examples) == 12
    assert chosen.duplicates == 3


@pytest.mark.parametrize("seed", range(5))
def test_others_of_the_same_class_take_the_places_of_copies(pictures, seed):
    chosen = choose(pictures, 12, seed)
    assert [example.target for example in chosen.examples].count(1) == 6


def test_the_images_are_those_of_the_chosen(pictures):
    chosen = choose(pictures, 4)
    for example, image in zip(chosen.examples, chosen.images, strict=True):
        assert np.array_equal(image, pictures.load_image(example))


def test_the_seed_decides(pictures):
    assert choose(pictures, 6, seed=1).examples == choose(pictures, 6, seed=1).examples
    assert choose(pictures, 6, seed=1).examples != choose(pictures, 6, seed=2).examples
