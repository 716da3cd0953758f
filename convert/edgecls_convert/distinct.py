"""Choosing pictures that are of all classes alike, and that differ from each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgecls.console import Advance
from edgecls.imaging.prepare import Image, prepare
from edgecls.pictures.ahead import in_order
from edgecls.pictures.alike import THUMBNAIL, find_copies
from edgecls_convert.subsets import Example, RunPictures, deal, shuffle_classes

# Where nearly all pictures are frames of one burst, not the whole set is read to find others.
_MOST_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """Chosen examples, their prepared images, and how many were left out as copies of others."""

    examples: tuple[Example, ...]
    images: tuple[Image, ...]
    duplicates: int


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    image: Image
    thumbnail: Image
    size: tuple[int, int]


def choose_distinct(
    pictures: RunPictures, examples: Sequence[Example], count: int, seed: int, advance: Advance
) -> Distinct:
    """Choose from each class as many as from any other while it has some, but no near-duplicates.

    Args:
        pictures: To read from.
        examples: To choose from; their order does not matter.
        count: How many; fewer where there are no more that differ.
        seed: Of the choice.
        advance: Told after each picture that was read, with the number of those chosen so far.

    Raises:
        DatasetError: A picture cannot be read any more.
    """
    groups = shuffle_classes(examples, seed)
    seen: dict[int, _Seen] = {}
    duplicates = 0
    for _ in range(_MOST_ROUNDS):
        chosen = deal(groups, count)
        _read(pictures, chosen, seen, advance)
        copies = _find_later(chosen, seen)
        if not copies:
            break
        duplicates += len(copies)
        groups = [[one for one in group if one.index not in copies] for group in groups]
        chosen = [example for example in chosen if example.index not in copies]
    return Distinct(
        tuple(chosen), tuple(seen[example.index].image for example in chosen), duplicates
    )


def _read(
    pictures: RunPictures, chosen: list[Example], seen: dict[int, _Seen], advance: Advance
) -> None:
    new = [example for example in chosen if example.index not in seen]

    def look(number: int) -> _Seen:
        frame = pictures.load_frame(new[number])
        image = prepare(frame, pictures.card.preprocessing)
        return _Seen(image, prepare(frame, THUMBNAIL), frame.shape[:2])

    before = len(chosen) - len(new)
    for number, one in enumerate(in_order(look, range(len(new)))):
        seen[new[number].index] = one
        advance(before + number + 1)


def _find_later(chosen: list[Example], seen: dict[int, _Seen]) -> set[int]:
    """Positions (in the picture set) of those that show the same as one chosen before them."""
    looks = [seen[example.index] for example in chosen]
    thumbnails = np.stack([look.thumbnail for look in looks])
    sizes = np.array([look.size for look in looks], np.int32)
    later: set[int] = set()
    pairs = np.sort(find_copies(thumbnails, sizes), axis=1)
    for first, second in sorted(pairs.tolist(), key=lambda pair: pair[1]):
        if first not in later:
            later.add(second)
    return {chosen[place].index for place in later}
