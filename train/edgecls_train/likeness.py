"""Which pictures show the same: exact and near duplicates, and bursts of frames."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.console import ShowProgress
from edgecls.pictures import PictureSet
from edgecls.pictures.alike import correlate, equal_pairs, find_copies
from edgecls.pictures.bursts import read_bursts
from edgecls.pictures.groups import Groups, Pairs, group_pairs
from edgecls_train.cache import default_cache
from edgecls_train.progress import no_progress
from edgecls_train.reading import Reading

_FORMAT: Final = 4
MIN_BURST: Final = 3
# Correlation of thumbnails from which on a picture may continue the one before it.
_BURST_CORRELATION: Final = 0.9
# How far apart, in shares of a folder, pictures are compared to learn how alike strangers are.
_STRANGER_DISTANCES: Final = (0.5, 0.4, 0.3)
_STRANGER_QUANTILE: Final = 0.999
_NUMBER: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """Pairs of readable pictures that show the same, as positions among these (0 to n - 1).

    Args:
        count: n.
        exact: (M, 2), equal files.
        near: (M, 2), copies that were re-encoded, resized, brightened or slightly cropped.
        burst: (M, 2), neighbours by name in runs of at least three near-identical frames, and
            what whoever took the pictures has written down as taken in one burst.
    """

    count: int
    exact: Pairs
    near: Pairs
    burst: Pairs

    @property
    def groups(self) -> Groups:
        """(n,): pictures that show the same have the same number."""
        return group_pairs(self.count, np.concatenate([self.exact, self.near, self.burst]))


def find_likeness(
    pictures: PictureSet, reading: Reading, *, progress: ShowProgress = no_progress
) -> Likeness:
    """Compare the readable pictures of a set, or find what comparing them gave the last time.

    The work grows little faster than the number of pictures.

    Args:
        pictures: The set; bursts are only looked for among files.
        reading: Of it.
        progress: Shows that it is working.
    """
    names = [pictures.names[index] for index in reading.readable]
    identity = f"{_FORMAT}\0{reading.key}\0" + "\0".join(names)
    key = "likeness-" + hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    cache = default_cache()
    found = cache.load(key)
    if found is None or not {"exact", "near", "burst"} <= set(found):
        are_files = len(names) > 0 and pictures.find_file(0) is not None
        with progress("comparing pictures", len(names)) as advance:
            exact = _find_exact(reading)
            near = _find_near(reading, exact)
            burst = _find_bursts(reading, names) if are_files else np.empty((0, 2), np.int64)
            advance(len(names))
        found = {"exact": exact, "near": near, "burst": burst}
        with cache.write(key) as entry:
            for name, pairs in found.items():
                entry.append(name, pairs)
    # Not in the cache: what was written down may change, and costs nothing.
    given = _given_bursts(pictures, names)
    burst = np.concatenate([found["burst"], given]) if len(given) else found["burst"]
    return Likeness(len(names), found["exact"], found["near"], burst)


def members_of(groups: Groups) -> list[list[int]]:
    """The groups of more than one member, each sorted, in the order of their first."""
    together: dict[int, list[int]] = {}
    for position, group in enumerate(groups.tolist()):
        together.setdefault(group, []).append(position)
    return [members for members in together.values() if len(members) > 1]


def _find_exact(reading: Reading) -> Pairs:
    return equal_pairs(reading.digests[reading.readable])


def _find_near(reading: Reading, exact: Pairs) -> Pairs:
    is_exact = {tuple(pair) for pair in exact.tolist()}
    copies = find_copies(reading.thumbnails, reading.sizes).tolist()
    near = np.array([pair for pair in copies if tuple(pair) not in is_exact], np.int64)
    return near.reshape(-1, 2)


def _find_bursts(reading: Reading, names: list[str]) -> Pairs:
    found: list[tuple[int, int]] = []
    for positions in _folders(names):
        if len(positions) < MIN_BURST:
            continue
        order = np.array(positions)
        following = correlate(reading.thumbnails, order[:-1], order[1:])
        least = max(_BURST_CORRELATION, _stranger_correlation(reading.thumbnails, order))
        for run in _runs(following > least):
            found += [(positions[i], positions[i + 1]) for i in run]
    return np.sort(np.array(found, np.int64).reshape(-1, 2), axis=1)


def _given_bursts(pictures: PictureSet, names: list[str]) -> Pairs:
    """Each picture of a burst with the one before it."""
    given = read_bursts(Path(pictures.origin)) if os.path.isdir(pictures.origin) else {}
    last: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    for position, name in enumerate(names):
        burst = given.get(PurePosixPath(name).name)
        if burst is None:
            continue
        if burst in last:
            found.append((last[burst], position))
        last[burst] = position
    return np.array(found, np.int64).reshape(-1, 2)


def _runs(continues: npt.NDArray[np.bool_]) -> Iterator[list[int]]:
    """Indices of what continues, run by run, where a run is long enough to be a burst."""
    for is_alike, run in itertools.groupby(range(len(continues)), lambda index: continues[index]):
        indices = list(run) if is_alike else []
        if len(indices) >= MIN_BURST - 1:
            yield indices


def _stranger_correlation(thumbnails: npt.NDArray[np.uint8], order: Pairs) -> float:
    """How alike pictures of one folder are that do not follow each other: bursts are more so.

    Without it, the frames of a fixed camera or a box of similar screws would all be one burst.
    """
    correlations = [
        correlate(thumbnails, order, np.roll(order, round(len(order) * distance)))
        for distance in _STRANGER_DISTANCES
    ]
    return float(np.quantile(np.concatenate(correlations), _STRANGER_QUANTILE))


def _folders(names: list[str]) -> Iterator[list[int]]:
    """Positions of the pictures of each folder, in the order of their numbers."""
    by_folder: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        by_folder.setdefault(str(PurePosixPath(name).parent), []).append(position)
    for positions in by_folder.values():
        yield sorted(positions, key=lambda position: _natural(names[position]))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts frame 9 before frame 10."""
    return [
        (int(part), "") if part.isdecimal() and len(part) < 19 else (-1, part)
        for part in _NUMBER.split(name)
    ]
