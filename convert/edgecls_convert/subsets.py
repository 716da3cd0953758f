"""The pictures that a run was trained with, by what they were used for."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.run import RunFolder, Subset
from edgecls.errors import DatasetError, PictureError, RunError
from edgecls.imaging.decode import Frame
from edgecls.imaging.prepare import Image, prepare
from edgecls.pictures import PictureSet, open_pictures

# What pictures of no known use are for, in turn: enough to calibrate with, most to measure with.
_USES: Final[tuple[Subset, ...]] = ("test", "train", "test", "val", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled picture of a run.

    Args:
        name: In its picture set.
        index: Its position there.
        target: Its class, as an index into the card's labels.
    """

    name: str
    index: int
    target: int


@dataclass(frozen=True, slots=True, eq=False)
class RunPictures:
    """The picture set of a run and which of its pictures went into which subset."""

    pictures: PictureSet
    card: ModelCard
    subsets: dict[Subset, tuple[Example, ...]]

    def load_image(self, example: Example) -> Image:
        """Read and prepare one picture, exactly as a board would.

        Returns:
            uint8, the card's (height, width, depth).

        Raises:
            DatasetError: It can no longer be read.
        """
        return prepare(self.load_frame(example), self.card.preprocessing)

    def load_frame(self, example: Example) -> Frame:
        """Read one picture; see `load_image`.

        Returns:
            uint8 RGB, (height, width, 3).
        """
        try:
            return self.pictures.load_frame(example.index)
        except PictureError as wrong:
            raise DatasetError(
                f"a picture of the run can no longer be read: {wrong.problem}",
                hint="restore it, or run 'edgecls train' again with the pictures as they are",
            ) from wrong


def open_run_pictures(run: RunFolder, card: ModelCard, data: str | None = None) -> RunPictures:
    """Find the pictures of a run.

    Args:
        run: Its split says which picture was used for what.
        card: Of the run.
        data: Where they are now, as `open_pictures` takes it; None for where they were when it
            was trained.

    Raises:
        RunError: The run does not say what its pictures were, or not enough of them.
        DatasetError: They are gone, or sorted otherwise than at training.
    """
    origin = data or card.provenance.get("data")
    if not isinstance(origin, str):
        raise RunError(
            f"the run '{run.path}' was made without pictures to calibrate and measure with",
            hint="give some, one folder a class: --data FOLDER",
        )
    try:
        pictures = open_pictures(origin)
    except DatasetError as wrong:
        raise DatasetError(
            f"the pictures of the run are not there any more: {wrong.problem}",
            hint="say where they are now: --data FOLDER; or run 'edgecls train' again",
        ) from wrong
    if not isinstance(card.provenance.get("data"), str):  # a ready-made network has seen none
        return RunPictures(pictures, card, split_pictures(pictures, card.labels))
    subsets = _find_examples(run, card, pictures)
    for subset, use in (("train", "calibrate with"), ("test", "measure with")):
        if not subsets[subset]:  # type: ignore[index]  # both are subsets
            raise RunError(
                f"the split of '{run.path}' has no {subset} pictures to {use}",
                hint="run 'edgecls train' again with more pictures",
            )
    return RunPictures(pictures, card, subsets)


def split_pictures(
    pictures: PictureSet, labels: Labels, seed: int = 0
) -> dict[Subset, tuple[Example, ...]]:
    """Split pictures that a network has not been trained with.

    Where they come without subsets, a fifth of each class is to calibrate with, a fifth to fit
    thresholds with, and the rest to measure with.

    Args:
        pictures: Of some or all of the labels.
        labels: Of the network.
        seed: Of the split.

    Raises:
        DatasetError: Pictures of another label, or too few.
    """
    strangers = sorted(set(pictures.labels) - set(labels))
    if strangers:
        raise DatasetError(
            f"{pictures.origin!r} has pictures of {strangers[0]!r}, which is none of the labels",
            hint=f"folders are called as the labels are, such as {labels[0]!r}",
        )
    targets = [labels.names.index(label) for label in pictures.labels]
    examples = [
        Example(name, index, targets[int(pictures.targets[index])])
        for index, name in enumerate(pictures.names)
    ]
    found: dict[Subset, list[Example]] = {"train": [], "val": [], "test": []}
    if pictures.given_subsets:
        for example, subset in zip(examples, pictures.given_subsets, strict=True):
            found[subset].append(example)
        if not found["test"]:
            found["test"], found["val"] = found["val"], []
    else:
        # One picture of each of many classes is dealt out, too: each class begins one use later.
        for first, group in enumerate(shuffle_classes(examples, seed)):
            for place, example in enumerate(group, start=first):
                found[_USES[place % len(_USES)]].append(example)
    for use, chosen in (("calibrate with", found["train"]), ("measure with", found["test"])):
        if not chosen:
            raise DatasetError(
                f"{pictures.origin!r} has no pictures left to {use}",
                hint="give some tens of pictures a class, of those that it was not trained with",
            )
    return {subset: tuple(chosen) for subset, chosen in found.items()}


def choose_stratified(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """Choose `count` examples, from each class as many as from any other while it has some.

    The choice depends on the names and the seed, not on the order of `examples`, and a larger
    `count` with the same seed keeps the smaller choice.

    Args:
        examples: Fewer than `count` are all chosen.
        count: How many.
        seed: Of the shuffling.
    """
    return deal(shuffle_classes(examples, seed), count)


def shuffle_classes(examples: Sequence[Example], seed: int) -> list[list[Example]]:
    """The examples of each class in random order, the classes in random order.

    Args:
        examples: In any order, which does not matter.
        seed: Of the shuffling.
    """
    random = np.random.default_rng(seed)
    by_class: dict[int, list[Example]] = {}
    for example in sorted(examples, key=lambda example: (example.target, example.name)):
        by_class.setdefault(example.target, []).append(example)
    shuffled = [[group[i] for i in random.permutation(len(group))] for group in by_class.values()]
    return [shuffled[i] for i in random.permutation(len(shuffled))]


def deal(groups: Sequence[Sequence[Example]], count: int) -> list[Example]:
    """Take one example of each group in turn, until there are `count` or no more."""
    deepest = max((len(group) for group in groups), default=0)
    dealt = (group[turn] for turn in range(deepest) for group in groups if turn < len(group))
    return list(itertools.islice(dealt, count))


def count_per_class(examples: Sequence[Example], card: ModelCard) -> dict[str, int]:
    """How many examples each label has, in the order of the labels."""
    counts = Counter(example.target for example in examples)
    return {label: counts[target] for target, label in enumerate(card.labels)}


def _find_examples(
    run: RunFolder, card: ModelCard, pictures: PictureSet
) -> dict[Subset, tuple[Example, ...]]:
    positions = {name: index for index, name in enumerate(pictures.names)}
    targets = {label: target for target, label in enumerate(card.labels)}
    found: dict[Subset, list[Example]] = {"train": [], "val": [], "test": []}
    changed: list[str] = []
    # Where the network's classes had names already, the folders may be called otherwise.
    renamed = card.provenance.get("renamed")
    label_of = renamed if isinstance(renamed, dict) else {}
    for entry in run.load_split():
        if entry.label not in targets:
            raise RunError(
                f"'{run.path}/split.csv' has the label {entry.label!r}, which its card has not",
                hint="the files come from different runs; run 'edgecls train' again",
            )
        index = positions.get(entry.name)
        label = "" if index is None else pictures.labels[int(pictures.targets[index])]
        if index is None or label_of.get(label, label) != entry.label:
            changed.append(entry.name)
        else:
            found[entry.subset].append(Example(entry.name, index, targets[entry.label]))
    if changed:
        raise DatasetError(
            f"{len(changed)} pictures of the run are gone from {pictures.origin!r} or have another"
            f" label now, the first is {changed[0]!r}",
            hint="restore them, or run 'edgecls train' again with the pictures as they are",
        )
    return {subset: tuple(examples) for subset, examples in found.items()}
