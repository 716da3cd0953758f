"""What a collection holds at this moment: pictures, trash, and whether anybody else changed it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgecls.collect.folder import is_trash, size_of_trash, stamp_of
from edgecls.collect.index import Index, Picture
from edgecls.storage.inside import Inside
from edgecls.storage.steps import TRASH, Step


@dataclass(frozen=True, slots=True)
class Overview:
    """A label in short.

    Args:
        label: Its name.
        count: Its pictures.
        stamp: Another text whenever these are others.
        newest: The id of the newest of them; empty without any.
    """

    label: str
    count: int
    stamp: str
    newest: str


class Catalog:
    """Keeps account of a folder; not safe for several threads at once, `Collection` has the lock.

    Args:
        folder: Of the data set.

    Attributes:
        version: Another one after every change.
    """

    def __init__(self, folder: Path) -> None:
        self.version = 0
        self.index = Index()
        self.trash_bytes = 0
        self._folder = folder
        self._stamp: tuple[tuple[str, int], ...] = ()

    @property
    def size_bytes(self) -> int:
        """Of all pictures, those in the trash among them."""
        return self.index.size_bytes + self.trash_bytes

    def refresh(self) -> bool:
        """Look whether somebody else has changed the folder; returns whether it was so.

        Raises:
            SinkError: It is gone.
        """
        stamp = stamp_of(self._folder)
        if stamp == self._stamp:
            return False
        self.index.list_folder(self._folder)
        self.weigh_trash()
        self._stamp = stamp
        self.version += 1
        return True

    def weigh_trash(self) -> None:
        """Look how much there is in the trash."""
        self.trash_bytes = size_of_trash(self._folder)
        self.version += 1

    def note(self) -> None:
        """Something was changed here, by us."""
        self._stamp = stamp_of(self._folder)
        self.version += 1

    def follow(self, step: Step) -> None:
        """Take in what a step has moved, and remove folders that hold nothing any more."""
        is_strange = False
        for name, to in step.moves:
            if is_trash(to):
                self.index.remove(name)
            elif is_trash(name):
                is_strange = not self.index.bring_back(to) or is_strange
            else:
                self.index.rename(name, to)
        if is_strange:  # an earlier run has discarded it
            self.index.list_folder(self._folder)
        self._remove_empty(name for name, _ in step.moves)
        self.weigh_trash()
        self.note()

    def newest_first(self, label: str, count: int | None = None) -> list[Picture]:
        """The pictures of a label, or so many of them."""
        return list(itertools.islice(self.index.newest_first(label), count))

    def overview(self, labels: Iterable[str]) -> list[Overview]:
        """What there is of these labels."""
        counts = self.index.counts
        found = []
        for label in labels:
            newest = next(self.index.newest_first(label), None)
            identifier = "" if newest is None else newest.id
            count = counts.get(label, 0)
            found.append(Overview(label, count, self.index.stamp(label), identifier))
        return found

    def moments(self, label: str, most: int) -> int:
        """How many different moments the pictures of a label show: those of a burst are one.

        Args:
            label: Whose.
            most: Counting ends there.
        """
        found: set[str] = set()
        for picture in self.index.newest_first(label):
            found.add(picture.burst or picture.id)
            if len(found) >= most:
                break
        return len(found)

    def _remove_empty(self, names: Iterable[str]) -> None:
        left = {name.partition("/")[0] for name in names} - {TRASH} - set(self.index.counts)
        with Inside(self._folder) as inside:
            for label in left:
                inside.rmdir(label)
