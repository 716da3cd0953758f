"""Which pictures train, which validate and which test: stratified, seeded, never overlapping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.run import SplitEntry, Subset
from edgecls.errors import DatasetError
from edgecls.pictures import PictureSet
from edgecls_train.dataset import Dataset, enumerate_all

Positions = npt.NDArray[np.int64]

TEST_SHARE: Final = 0.15
VAL_SHARE: Final = 0.15
# Sets that bring their own test pictures leave more to train with, so less has to be put aside.
VAL_SHARE_OF_GIVEN: Final = 0.10
# More would sharpen what validation says by little (a standard error of 0.7 points at 85%) and is
# missed in training: all of CIFAR-10 but these gives ResNet-8 most of a point over 45,000.
VAL_MOST: Final = 2500


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
    """Split the pictures of a set as it says itself, and draw what it does not say.

    Test and validation pictures that the set does not give are drawn from its training pictures,
    the same share of every class. Pictures of one group stay together.

    Args:
        dataset: At least three pictures a class, as `prepare_dataset` promises.
        pictures: The set that it was prepared from.
        seed: The same seed gives the same split.

    Raises:
        DatasetError: A class has too few different pictures to train, to validate and to test.
    """
    random = np.random.default_rng(seed)
    given = _find_given(dataset, pictures)
    rest = given["train"]
    test, val = given["test"], given["val"]
    val_share = VAL_SHARE_OF_GIVEN if len(test) else VAL_SHARE / (1.0 - TEST_SHARE)
    if not len(test):
        later = 2 if len(val) else 3
        test = _draw(dataset, rest, TEST_SHARE, random, wanted=later)
        rest = np.setdiff1d(rest, test)
    if not len(val):
        val_share = min(val_share, VAL_MOST / max(1, len(rest)))
        val = _draw(dataset, rest, val_share, random, wanted=2)
        rest = np.setdiff1d(rest, val)
    _refuse_untrained(dataset, rest)
    return Split(train=rest, val=val, test=test)


def _find_given(dataset: Dataset, pictures: PictureSet) -> dict[Subset, Positions]:
    """What the set says; all pictures are for training in one that says nothing."""
    everything = np.arange(len(dataset))
    nothing = np.empty(0, np.int64)
    if pictures.given_subsets is None:
        return {"train": everything, "val": nothing, "test": nothing}
    subset_of = dict(zip(pictures.names, pictures.given_subsets, strict=True))
    subsets = np.array([subset_of[name] for name in dataset.names])
    return {
        "train": everything[subsets == "train"],
        "val": everything[subsets == "val"],
        "test": everything[subsets == "test"],
    }


def _draw(
    dataset: Dataset,
    positions: Positions,
    share: float,
    random: np.random.Generator,
    *,
    wanted: int,
) -> Positions:
    """A share of every class, at least one picture of each, in whole groups.

    Args:
        dataset: Of all pictures.
        positions: To draw from.
        share: Of the pictures of each class.
        random: Decides which.
        wanted: Into how many subsets these pictures will be split; each needs a group.
    """
    groups = np.arange(len(dataset)) if dataset.groups is None else dataset.groups
    targets = dataset.targets[positions]
    taken: set[int] = set()
    small: list[tuple[int, int, int]] = []
    for target in np.unique(targets).tolist():
        members = positions[targets == target]
        # In the order of their first members, so that pictures without groups are simply shuffled.
        numbers, firsts, sizes = np.unique(groups[members], return_index=True, return_counts=True)
        if len(numbers) < wanted:
            small.append((target, len(members), len(numbers)))
            continue
        order = np.argsort(firsts)
        numbers, sizes = numbers[order], sizes[order]
        count = max(1, round(len(members) * share))
        for unit in _choose(random.permutation(len(numbers)), sizes, count):
            taken.add(int(numbers[unit]))
    if small:
        raise _too_few(dataset, small, wanted)
    # A group that holds several classes goes as a whole too.
    return positions[np.isin(groups[positions], list(taken))]


def _choose(order: Positions, sizes: Positions, count: int) -> list[int]:
    """Units in this order while they fit into `count` pictures; the smallest if none does."""
    chosen: list[int] = []
    left = count
    for unit in order.tolist():
        if sizes[unit] <= left:
            chosen.append(unit)
            left -= int(sizes[unit])
        if not left:
            break
    return chosen or [min(order.tolist(), key=lambda unit: int(sizes[unit]))]


def _refuse_untrained(dataset: Dataset, train: Positions) -> None:
    counts = np.bincount(dataset.targets[train], minlength=len(dataset.labels))
    if not counts.all():
        names = [repr(dataset.labels[target]) for target in np.flatnonzero(counts == 0).tolist()]
        subject = f"class {names[0]} has" if len(names) == 1 else f"{len(names)} classes have"
        those = "" if len(names) == 1 else f": {enumerate_all(names)}"
        raise DatasetError(
            f"{subject} no pictures left to train with{those}",
            hint="add pictures to it; 'edgecls check' shows which ones are the same",
        )


def _too_few(dataset: Dataset, small: Sequence[tuple[int, int, int]], wanted: int) -> DatasetError:
    """Names every class, of how many pictures, of which how many are different."""
    reason = "the others are their duplicates or frames of the same burst"
    hint = "add pictures of other moments; 'edgecls check' shows which ones are the same"
    if len(small) == 1:
        target, count, groups = small[0]
        return DatasetError(
            f"class {dataset.labels[target]!r} has {count} pictures to split, but only {groups}"
            f" different ones ({reason}), at least {wanted} are needed",
            hint=hint,
        )
    names = [f"{dataset.labels[target]!r} ({groups})" for target, _, groups in small]
    return DatasetError(
        f"{len(small)} classes have too few different pictures ({reason}), at least {wanted} are"
        f" needed; these have fewer: {enumerate_all(names)}",
        hint=hint,
    )
