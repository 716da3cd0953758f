"""Pictures that show the same together, and what the model is least sure of first."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgecls.pictures.alike import correlate, find_copies
from edgecls.pictures.groups import Pairs, group_pairs
from edgecls.review.look import Candidate, Seen

# Frames of one event follow each other closely, and look alike.
_BURST_S: Final = 2.0
_BURST_CORRELATION: Final = 0.8
# Where nobody wrote down when they were taken, neighbours by name must be closer.
_NEIGHBOUR_CORRELATION: Final = 0.95


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures to be decided about together.

    Args:
        id: For the page, and of the burst that they are for the split of training.
        candidates: The one the model is least sure of first.
    """

    id: str
    candidates: tuple[Candidate, ...]

    @property
    def margin(self) -> float:
        """Of the picture the model is least sure of."""
        return self.candidates[0].guess.margin


def group_candidates(root: Path, seen: Seen) -> tuple[Group, ...]:
    """Copies, near copies and frames of one burst together; the least certain group first.

    Args:
        root: The folder that they are in; no two folders have a burst in common.
        seen: The pictures.
    """
    candidates = seen.candidates
    if not candidates:
        return ()
    copies = find_copies(seen.thumbnails, seen.sizes)
    bursts = np.array(list(_bursts(seen)), np.int64).reshape(-1, 2)
    numbers = group_pairs(len(candidates), np.concatenate([copies, bursts])).tolist()
    members: dict[int, list[Candidate]] = {}
    for number, candidate in zip(numbers, candidates, strict=True):
        members.setdefault(number, []).append(candidate)
    groups = [_to_group(root, group) for group in members.values()]
    return tuple(sorted(groups, key=lambda group: (group.margin, group.id)))


def _to_group(root: Path, members: Sequence[Candidate]) -> Group:
    written = next((c.picture.burst for c in members if c.picture.burst), "")
    digest = hashlib.sha256(f"{root}/{members[0].picture.name}".encode("utf-8", "surrogateescape"))
    identifier = written or f"review-{digest.hexdigest()[:16]}"
    ordered = sorted(members, key=lambda c: (c.guess.margin, c.picture.name))
    return Group(identifier, tuple(ordered))


def _bursts(seen: Seen) -> Iterator[tuple[int, int]]:
    yield from _written(seen.candidates)
    order = sorted(range(len(seen.candidates)), key=lambda i: _when(seen.candidates[i]))
    pairs: Pairs = np.array(list(itertools.pairwise(order)), np.int64).reshape(-1, 2)
    alike = correlate(seen.thumbnails, pairs[:, 0], pairs[:, 1])
    for (first, second), correlation in zip(pairs.tolist(), alike.tolist(), strict=True):
        one, next_one = seen.candidates[first].guess.time, seen.candidates[second].guess.time
        if one is None or next_one is None:
            is_burst = correlation >= _NEIGHBOUR_CORRELATION and one is next_one
        else:
            is_burst = next_one - one <= _BURST_S and correlation >= _BURST_CORRELATION
        if is_burst:
            yield first, second


def _written(candidates: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """Pairs of the same burst, where whoever took them wrote it down."""
    first_of: dict[str, int] = {}
    for position, candidate in enumerate(candidates):
        if burst := candidate.picture.burst:
            first = first_of.setdefault(burst, position)
            if first != position:
                yield first, position


def _when(candidate: Candidate) -> tuple[float, str]:
    time_s = candidate.guess.time
    return (-1.0 if time_s is None else time_s, candidate.picture.name.rpartition("/")[2])
