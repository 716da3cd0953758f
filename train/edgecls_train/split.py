"""Which pictures train, which validate and which test: stratified, seeded, never overlapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.run import SplitEntry, Subset
from edgecls.pictures import PictureSet
from edgecls.pictures.digits import DigitPictures
from edgecls_train.dataset import Dataset

Positions = npt.NDArray[np.int64]

TEST_SHARE: Final = 0.15
VAL_SHARE: Final = 0.15
# The digits bring their own test set, so less has to be put aside.
DIGITS_VAL_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Positions in a data set, sorted, each in exactly one of the three."""

    train: Positions
    val: Positions
    test: Positions

    def counts(self) -> dict[str, int]:
        """How many pictures each subset has."""
        return {name: len(positions) for name, positions in self.subsets()}

    def subsets(self) -> Iterator[tuple[Subset, Positions]]:
        """The three by name."""
        yield "train", self.train
        yield "val", self.val
        yield "test", self.test

    def entries(self, dataset: Dataset) -> list[SplitEntry]:
        """One entry a picture, in the order of the data set."""
        subset_of: dict[int, Subset] = {
            int(position): name for name, positions in self.subsets() for position in positions
        }
        return [
            SplitEntry(name, dataset.labels[int(dataset.targets[position])], subset_of[position])
            for position, name in enumerate(dataset.names)
        ]


def split_dataset(dataset: Dataset, pictures: PictureSet, seed: int) -> Split:
    """Split the pictures of a set: the digits keep their 1,000 held-out ones for testing.

    Args:
        dataset: At least three pictures a class, as `prepare_dataset` promises.
        pictures: The set that it was prepared from.
        seed: The same seed gives the same split.
    """
    random = np.random.default_rng(seed)
    everything = np.arange(len(dataset))
    if isinstance(pictures, DigitPictures):
        held_out = {pictures.names[int(index)] for index in pictures.held_out}
        is_test = np.array([name in held_out for name in dataset.names])
        test, rest, val_share = everything[is_test], everything[~is_test], DIGITS_VAL_SHARE
    else:
        test = _draw(everything, dataset.targets, TEST_SHARE, random)
        rest, val_share = np.setdiff1d(everything, test), VAL_SHARE / (1.0 - TEST_SHARE)
    val = _draw(rest, dataset.targets[rest], val_share, random)
    return Split(train=np.setdiff1d(rest, val), val=val, test=test)


def _draw(
    positions: Positions, targets: Positions, share: float, random: np.random.Generator
) -> Positions:
    """A share of every class, at least one picture of each."""
    drawn = []
    for target in np.unique(targets):
        members = positions[targets == target]
        count = max(1, round(len(members) * share))
        drawn.append(random.permutation(members)[:count])
    return np.sort(np.concatenate(drawn))
