"""What a crash has left: pictures that are in the data set and in the folder they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecls.collect.collection import Collection
from edgecls.collect.index import Picture
from edgecls.contract.json_text import read_lines
from edgecls.errors import InvalidValueError
from edgecls.pictures.bursts import LOG_NAME
from edgecls.review.look import read_picture
from edgecls.storage.album import is_picture_name


@dataclass(frozen=True, slots=True)
class Twin:
    """A picture of a folder, and what it is called in the data set."""

    name: str
    in_set: Picture


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What is in both.

    Args:
        accepted: Written down in the data set: all that is left is to take them out of the folder.
        unfinished: Not written down there, so nobody has acknowledged them.
    """

    accepted: tuple[Twin, ...]
    unfinished: tuple[Twin, ...]


def find_leftovers(collection: Collection, root: Path, pictures: Sequence[Picture]) -> Leftovers:
    """Compare a data set with pictures that are still to be decided about.

    Args:
        collection: The data set.
        root: The folder.
        pictures: In the folder, every one of them there.
    """
    in_set = {p.file_name: p for label in collection.counts for p in collection.pictures(label)}
    here = {picture.name: picture for picture in pictures}
    origins: dict[str, str] = {}
    for file_name, origin in _read_log(collection.folder / LOG_NAME, root):
        origins[file_name] = origin
    accepted = [
        Twin(origin, in_set[file_name])
        for file_name, origin in origins.items()
        if origin in here and file_name in in_set
    ]
    unlogged = [
        picture
        for file_name, picture in in_set.items()
        if file_name not in origins and is_picture_name(file_name)
    ]
    return Leftovers(tuple(accepted), tuple(_find_equal(collection, root, unlogged, pictures)))


def _find_equal(
    collection: Collection, root: Path, unlogged: Sequence[Picture], pictures: Sequence[Picture]
) -> Iterator[Twin]:
    by_size: dict[int, list[Picture]] = {}
    for picture in pictures:
        by_size.setdefault(picture.size_bytes, []).append(picture)
    for orphan in unlogged:
        for picture in by_size.get(orphan.size_bytes, ()):
            if collection.read(orphan) == read_picture(root, picture.name):
                yield Twin(picture.name, orphan)


def _read_log(log: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Each picture's name in the data set, and what it was called in the folder: '' elsewhere."""
    for line in read_lines(log, _overlook):
        try:
            name = line.path("file").rpartition("/")[2]
        except InvalidValueError:
            continue  # of another kind; whoever opened the data set has told it
        try:
            origin = line.child("review", {})
            is_ours = origin.path("folder", "") == str(root)
            yield name, origin.path("file") if is_ours else ""
        except InvalidValueError:
            yield name, ""


def _overlook(_problem: str) -> None:
    """A line that is torn or of another kind."""
