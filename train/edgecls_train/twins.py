"""Pictures that are the same image, byte for byte, once they are prepared."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from edgecls_train.dataset import Dataset
from edgecls_train.split import Split

# Reading more than this again would take longer than the rest of a report.
_MOST_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Twins:
    """What repeats in a data set, as groups of picture names.

    Args:
        groups: Two or more pictures of one image.
        across_labels: Those groups whose pictures have different labels.
        across_subsets: Those groups that are both trained on and measured on.
    """

    groups: tuple[tuple[str, ...], ...]
    across_labels: tuple[tuple[str, ...], ...]
    across_subsets: tuple[tuple[str, ...], ...]

    @property
    def surplus(self) -> int:
        """How many pictures repeat one that is there already."""
        return sum(len(group) - 1 for group in self.groups)


def find_twins(dataset: Dataset, split: Split) -> Twins | None:
    """Pictures of the same image; None for a data set of more than 1 GiB of images."""
    if dataset.images.nbytes > _MOST_BYTES:
        return None
    members: defaultdict[bytes, list[int]] = defaultdict(list)
    for position, image in enumerate(dataset.images):
        members[hashlib.blake2b(image.tobytes(), digest_size=16).digest()].append(position)
    groups = [group for group in members.values() if len(group) > 1]
    trained = set(split.train.tolist())

    def names(chosen: list[list[int]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(dataset.names[position] for position in group) for group in chosen)

    return Twins(
        groups=names(groups),
        across_labels=names([g for g in groups if len({int(dataset.targets[p]) for p in g}) > 1]),
        across_subsets=names([g for g in groups if len({p in trained for p in g}) > 1]),
    )
