"""The pictures of a data set, by ids: what a page sends is never a path."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgecls.errors import InvalidValueError
from edgecls.pictures.bursts import read_bursts
from edgecls.pictures.folder import may_be_picture

# Deeper than anybody sorts pictures.
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a data set.

    Args:
        id: Of this run of the program; pages that are older know none of these.
        name: Below the folder, as `cat/000000001-20261105T120000Z.jpg`.
        size_bytes: Of its file.
        changed_ns: When its file was written, since 1970.
        burst: What it was taken in; empty where that is not known.
    """

    id: str
    name: str
    size_bytes: int
    changed_ns: int
    burst: str = ""

    @property
    def label(self) -> str:
        """The folder it is in."""
        return self.name.partition("/")[0]

    @property
    def file_name(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def age(self) -> tuple[int, str]:
        """Grows with how new it is."""
        return self.changed_ns, self.file_name

    @property
    def version(self) -> str:
        """Another one whenever the file is: for a browser that has seen it."""
        return f"{self.changed_ns:x}-{self.size_bytes:x}"


class Shelf:
    """The pictures of one label, by id, the oldest first; changes of the newest cost nothing."""

    def __init__(self) -> None:
        self.changes = 0
        self._pictures: dict[str, Picture] = {}
        self._newest = (0, "")
        self._is_sorted = True

    def put(self, picture: Picture) -> None:
        """Take in a picture."""
        self.changes += 1
        self._pictures[picture.id] = picture
        self._is_sorted = self._is_sorted and picture.age >= self._newest
        self._newest = max(self._newest, picture.age)

    def take(self, identifier: str) -> None:
        """Let go of a picture."""
        self.changes += 1
        del self._pictures[identifier]

    def __len__(self) -> int:
        return len(self._pictures)

    def __reversed__(self) -> Iterator[Picture]:
        if not self._is_sorted:
            pictures = sorted(self._pictures.values(), key=lambda picture: picture.age)
            self._pictures = {picture.id: picture for picture in pictures}
            self._is_sorted = True
        return reversed(self._pictures.values())


class Index:
    """Knows the pictures of a folder that was listed; links are passed over.

    Not safe for several threads at once: `Collection` has the lock.
    """

    def __init__(self) -> None:
        # Random, so that an id of another run is never one of this.
        self._run = secrets.token_hex(4)
        self._count = 0
        self._by_id: dict[str, Picture] = {}
        self._by_name: dict[str, str] = {}
        self._shelves: defaultdict[str, Shelf] = defaultdict(Shelf)
        self._former: dict[str, Picture] = {}
        self.size_bytes = 0

    def list_folder(self, root: Path) -> None:
        """Look what there is; pictures that are known keep their ids."""
        bursts = read_bursts(root)
        found = dict(_scan(root))
        for name in [name for name in self._by_name if name not in found]:
            self.remove(name)
        for name, (size_bytes, changed_ns) in sorted(found.items()):
            known = self._by_name.get(name)
            if known is not None and self._by_id[known].changed_ns != changed_ns:
                self.remove(name)
                known = None
            if known is None:
                self.add(name, size_bytes, changed_ns, bursts.get(name.rpartition("/")[2], ""))

    def add(self, name: str, size_bytes: int, changed_ns: int, burst: str) -> Picture:
        """Take in a picture; one that comes back is called as it was."""
        former = self._former.pop(name, None)
        if former is None:
            self._count += 1
            identifier = f"{self._run}-{self._count:x}"
        else:
            identifier, burst = former.id, burst or former.burst
        picture = Picture(identifier, name, size_bytes, changed_ns, burst)
        self._put(picture)
        return picture

    def remove(self, name: str) -> Picture | None:
        """Forget a picture; None if it was not known."""
        known = self._by_name.pop(name, None)
        if known is None:
            return None
        picture = self._former[name] = self._by_id.pop(known)
        self._shelves[picture.label].take(known)
        self.size_bytes -= picture.size_bytes
        return picture

    def bring_back(self, name: str) -> bool:
        """A picture that was removed is there again; returns whether it was ever known."""
        former = self._former.pop(name, None)
        if former is None:
            return False
        self._put(former)
        return True

    def rename(self, name: str, to: str) -> None:
        """A picture lies elsewhere now; its id stays."""
        picture = self.remove(name)
        if picture is not None:
            del self._former[name]
            self._put(replace(picture, name=to))

    def find(self, identifier: str) -> Picture:
        """The picture of an id.

        Raises:
            InvalidValueError: There is none.
        """
        try:
            return self._by_id[identifier]
        except KeyError:
            raise InvalidValueError(
                "there is no such picture any more", hint="load the page again"
            ) from None

    def get(self, identifier: str) -> Picture | None:
        """The picture of an id, if it is there."""
        return self._by_id.get(identifier)

    def newest_first(self, label: str) -> Iterator[Picture]:
        """The pictures of a label; not to be gone through while others come."""
        return reversed(self._shelves[label])

    def stamp(self, label: str) -> str:
        """Another text whenever the pictures of a label are others."""
        return f"{self._run}-{self._shelves[label].changes:x}"

    @property
    def counts(self) -> Mapping[str, int]:
        """How many pictures each label has that has any."""
        return {label: len(shelf) for label, shelf in self._shelves.items() if len(shelf)}

    def __len__(self) -> int:
        return len(self._by_id)

    def _put(self, picture: Picture) -> None:
        self._by_id[picture.id] = picture
        self._by_name[picture.name] = picture.id
        self._shelves[picture.label].put(picture)
        self.size_bytes += picture.size_bytes


def _scan(root: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Names, sizes and times of the pictures in folders of labels, as training finds them."""
    pending = [("", 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError:
            continue  # it vanished, or is not ours to read
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if depth < _MAX_DEPTH:
                    pending.append((name, depth + 1))
            elif depth and entry.is_file(follow_symlinks=False) and may_be_picture(entry):
                with contextlib.suppress(OSError):  # it vanished while we looked
                    status = entry.stat(follow_symlinks=False)
                    yield name, (status.st_size, status.st_mtime_ns)
