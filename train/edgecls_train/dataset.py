"""A data set: every picture prepared once, so that no epoch decodes anything."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.console import ShowProgress
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DatasetError
from edgecls.pictures import PictureSet
from edgecls_train.likeness import find_likeness
from edgecls_train.progress import no_progress
from edgecls_train.reading import Reading, read_pictures

# One for each subset.
MIN_PICTURES_PER_CLASS: Final = 3
MOST_NAMED: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """The readable pictures of a set, as images.

    Args:
        origin: What `open_pictures` opens the set by.
        labels: The classes.
        names: One a picture, as in its set.
        images: uint8, (N, height, width, channels); read-only, a file mapped into memory.
        targets: (N,), class indices.
        unreadable: What was wrong with each picture that could not be read.
        fingerprint: SHA-256 over the name, label and content of every readable picture, in order.
        groups: (N,), pictures with the same number show the same (duplicates, frames of a burst)
            and must not be split apart; None when each stands for itself.
    """

    origin: str
    labels: Labels
    names: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.int64]
    unreadable: tuple[str, ...]
    fingerprint: str
    groups: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.names)


def prepare_dataset(
    pictures: PictureSet,
    preprocessing: Preprocessing,
    *,
    progress: ShowProgress = no_progress,
) -> Dataset:
    """Read every picture and prepare it as a board would, or find that in the cache.

    Raises:
        DatasetError: A class has too few readable pictures, more than half cannot be read, or the
            folder's name is no text.
        EdgeclsError: The cache cannot be written.
    """
    _refuse_bad_origin(pictures.origin)
    check_class_sizes(pictures.labels, pictures.targets)
    reading = read_pictures(pictures, preprocessing, progress=progress)
    _refuse_mostly_unreadable(reading, len(pictures))
    targets = pictures.targets[reading.readable]
    check_class_sizes(pictures.labels, targets)
    if reading.images is None:
        raise DatasetError(f"'{pictures.origin}' holds no pictures")
    return Dataset(
        origin=pictures.origin,
        labels=pictures.labels,
        names=tuple(pictures.names[index] for index in reading.readable),
        images=reading.images,
        targets=targets,
        unreadable=tuple(reading.unreadable.values()),
        fingerprint=_fingerprint(pictures, reading),
        groups=find_likeness(pictures, reading, progress=progress).groups,
    )


def check_class_sizes(labels: Labels, targets: npt.NDArray[np.int64]) -> None:
    """Refuse classes that are too small to be split.

    Raises:
        DatasetError: It names all of them.
    """
    counts = np.bincount(targets, minlength=len(labels)).tolist()
    small = [
        (label, count)
        for label, count in zip(labels, counts, strict=True)
        if count < MIN_PICTURES_PER_CLASS
    ]
    if not small:
        return
    wanted = f"at least {MIN_PICTURES_PER_CLASS} are needed: to train, to validate and to test"
    if len(small) == 1:
        label, count = small[0]
        pictures = "picture" if count == 1 else "pictures"
        raise DatasetError(
            f"class {label!r} has {count} readable {pictures}, {wanted}",
            hint="add pictures to that folder (20 are a start), or remove it",
        )
    raise DatasetError(
        f"{len(small)} of {len(labels)} classes have too few readable pictures, {wanted}; these"
        f" have fewer: {enumerate_all([f'{label!r} ({count})' for label, count in small])}",
        hint="add pictures to those folders (20 are a start), or remove them",
    )


def enumerate_all(names: Sequence[str]) -> str:
    """Names for a message: all of them, as long as a person would read them."""
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more:,} more ('edgecls check --json' names all)" if more > 0 else shown


def _refuse_bad_origin(origin: str) -> None:
    # The card is UTF-8 text; better to say so now than when training has ended.
    try:
        origin.encode()
    except UnicodeEncodeError as wrong:
        raise DatasetError(
            f"the folder name {origin!a} is not UTF-8 text", hint="rename that folder"
        ) from wrong


def _fingerprint(pictures: PictureSet, reading: Reading) -> str:
    digest = hashlib.sha256()
    for index in reading.readable.tolist():
        label = pictures.labels[int(pictures.targets[index])]
        identity = f"{pictures.names[index]}\0{label}\0".encode("utf-8", "surrogateescape")
        digest.update(identity + reading.digests[index].tobytes())
    return digest.hexdigest()


def _refuse_mostly_unreadable(reading: Reading, total: int) -> None:
    if 2 * len(reading.unreadable) > total:
        first = next(iter(reading.unreadable.values()))
        raise DatasetError(
            f"more than half of the {total} pictures cannot be read, the first: {first}",
            hint="give a folder that holds one folder of JPEG or PNG pictures for each class",
        )
