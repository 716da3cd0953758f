"""A data set in memory: every picture prepared once, so that no epoch decodes anything."""

from __future__ import annotations

import hashlib
import math
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DatasetError, PictureError
from edgecls.imaging.prepare import Image, prepare
from edgecls.pictures import PictureSet
from edgecls_train.progress import OpenProgress, no_progress

# One for each subset.
MIN_PICTURES_PER_CLASS: Final = 3
# Enough to keep every worker busy while the slowest picture is waited for; frames are large.
_IN_FLIGHT_PER_WORKER: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """The readable pictures of a set, as images.

    Args:
        origin: What `open_pictures` opens the set by.
        labels: The classes.
        names: One a picture, as in its set.
        images: uint8, (N, height, width, channels).
        targets: (N,), class indices.
        unreadable: What was wrong with each picture that could not be read.
        fingerprint: SHA-256 over the name, label and content of every readable picture, in order.
    """

    origin: str
    labels: Labels
    names: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.int64]
    unreadable: tuple[str, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.names)


def prepare_dataset(
    pictures: PictureSet,
    preprocessing: Preprocessing,
    *,
    progress: OpenProgress = no_progress,
) -> Dataset:
    """Read every picture and prepare it as a board would.

    Raises:
        DatasetError: A class has too few readable pictures, more than half cannot be read, or the
            folder's name is no text.
    """
    _refuse_bad_origin(pictures.origin)
    check_class_sizes(pictures.labels, pictures.targets)
    images = _allocate((len(pictures), *preprocessing.shape))
    readable: list[int] = []
    unreadable: list[str] = []
    fingerprint = hashlib.sha256()
    with progress("preparing pictures", len(pictures)) as advance:
        for index, result in enumerate(_prepared(pictures, preprocessing)):
            if isinstance(result, PictureError):
                unreadable.append(result.problem)
                _refuse_mostly_unreadable(unreadable, len(pictures))
            else:
                image, digest = result
                images[len(readable)] = image
                readable.append(index)
                fingerprint.update(_identity(pictures, index) + digest)
            advance(index + 1)
    targets = pictures.targets[readable]
    check_class_sizes(pictures.labels, targets)
    return Dataset(
        origin=pictures.origin,
        labels=pictures.labels,
        names=tuple(pictures.names[index] for index in readable),
        images=images[: len(readable)],
        targets=targets,
        unreadable=tuple(unreadable),
        fingerprint=fingerprint.hexdigest(),
    )


def check_class_sizes(labels: Labels, targets: npt.NDArray[np.int64]) -> None:
    """Refuse a class that is too small to be split.

    Raises:
        DatasetError: It names the first such class.
    """
    counts = np.bincount(targets, minlength=len(labels))
    for label, count in zip(labels, counts, strict=True):
        if count < MIN_PICTURES_PER_CLASS:
            pictures = "picture" if count == 1 else "pictures"
            raise DatasetError(
                f"class {label!r} has {count} readable {pictures}, at least"
                f" {MIN_PICTURES_PER_CLASS} are needed: to train, to validate and to test",
                hint="add pictures to that folder (20 are a start), or remove it",
            )


def _refuse_bad_origin(origin: str) -> None:
    # The card is UTF-8 text; better to say so now than when training has ended.
    try:
        origin.encode()
    except UnicodeEncodeError as wrong:
        raise DatasetError(
            f"the folder name {origin!a} is not UTF-8 text", hint="rename that folder"
        ) from wrong


def _allocate(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    try:
        return np.empty(shape, np.uint8)
    except MemoryError as wrong:
        raise DatasetError(
            f"{shape[0]} images of {shape[1]}x{shape[2]} pixels need"
            f" {math.prod(shape) / 2**30:.1f} GiB of memory, more than there is",
            hint="use smaller images (--imgsz) or fewer pictures",
        ) from wrong


def _prepared(
    pictures: PictureSet, preprocessing: Preprocessing
) -> Iterator[tuple[Image, bytes] | PictureError]:
    """Image and content hash, or what was wrong, of every picture in order."""

    def prepare_one(index: int) -> tuple[Image, bytes] | PictureError:
        try:
            content = hashlib.sha256(pictures.load_bytes(index)).digest()
            return prepare(pictures.load_frame(index), preprocessing), content
        except PictureError as wrong:
            return wrong

    workers = os.cpu_count() or 1
    pending: deque[Future[tuple[Image, bytes] | PictureError]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for index in range(len(pictures)):
            pending.append(pool.submit(prepare_one, index))
            if len(pending) >= workers * _IN_FLIGHT_PER_WORKER:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _identity(pictures: PictureSet, index: int) -> bytes:
    label = pictures.labels[int(pictures.targets[index])]
    return f"{pictures.names[index]}\0{label}\0".encode("utf-8", "surrogateescape")


def _refuse_mostly_unreadable(unreadable: list[str], total: int) -> None:
    if 2 * len(unreadable) > total:
        raise DatasetError(
            f"more than half of the {total} pictures cannot be read, the first: {unreadable[0]}",
            hint="give a folder that holds one folder of JPEG or PNG pictures for each class",
        )
