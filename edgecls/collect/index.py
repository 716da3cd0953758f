"""The pictures of a data set, by ids: what a page sends is never a path.

A picture takes about 0.5 KB of memory. Whatever is done to one of them costs the same however many
there are, but for moving some of 8 bytes each in a list that is kept sorted.
"""

from __future__ import annotations

import operator
import secrets
from bisect import bisect_left, insort
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from edgecls.errors import InvalidValueError

# Of pictures that went away: what they were called, should they come back.
_MOST_FORMER: Final = 20_000
# A burst of a minute has 300 pictures, a group of a review at most 5,000.
_MOST_LOOKED_AT: Final = 10_000


@dataclass(slots=True)
class Picture:
    """A picture of a data set.

    Args:
        id: Of this run of the program; pages that are older know none of these.
        name: Below the folder, as `cat/000000001-20261105T120000Z.jpg`.
        size_bytes: Of its file.
        changed_ns: When its file was written, since 1970.
        burst: What it was taken in; empty where that is not known, or not known yet.
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
    def version(self) -> str:
        """Another one whenever the file is: for a browser that has seen it."""
        return f"{self.changed_ns:x}-{self.size_bytes:x}"


_age: Final = operator.attrgetter("changed_ns", "name")


class Shelf:
    """The pictures of one label, the oldest first."""

    def __init__(self) -> None:
        self.changes = 0
        self._pictures: list[Picture] = []
        self._is_sorted = True

    def __len__(self) -> int:
        return len(self._pictures)

    def put(self, picture: Picture, *, is_one_of_many: bool = False) -> None:
        """Take in a picture.

        Args:
            picture: New here.
            is_one_of_many: Whether others follow, so that sorting can wait for them.
        """
        self.changes += 1
        pictures = self._pictures
        if not self._is_sorted or not pictures or _age(pictures[-1]) <= _age(picture):
            pictures.append(picture)
        elif is_one_of_many:
            pictures.append(picture)
            self._is_sorted = False
        else:
            insort(pictures, picture, key=_age)

    def take(self, picture: Picture) -> None:
        """Let go of a picture that was put here."""
        self.changes += 1
        self._sort()
        del self._pictures[bisect_left(self._pictures, _age(picture), key=_age)]

    def newest(self, count: int, skip: int = 0) -> list[Picture]:
        """So many pictures, the newest first, behind those that are skipped."""
        self._sort()
        end = max(0, len(self._pictures) - skip)
        return self._pictures[max(0, end - count) : end][::-1]

    def _sort(self) -> None:
        if not self._is_sorted:
            self._pictures.sort(key=_age)
            self._is_sorted = True


class Index:
    """Knows the pictures of a folder. Not safe for several threads at once."""

    def __init__(self) -> None:
        # Random, so that an id of another run is never one of this.
        self._run = secrets.token_hex(4)
        self._by_number: list[Picture | None] = []
        self._folders: defaultdict[str, dict[str, Picture]] = defaultdict(dict)
        self._shelves: defaultdict[str, Shelf] = defaultdict(Shelf)
        self._former: OrderedDict[str, Picture] = OrderedDict()
        self._count = 0
        self.size_bytes = 0

    def add(
        self,
        name: str,
        size_bytes: int,
        changed_ns: int,
        burst: str = "",
        *,
        is_one_of_many: bool = False,
    ) -> Picture:
        """Take in a picture; one that comes back is called as it was."""
        former = self._former.pop(name, None)
        if former is None:
            identifier = f"{self._run}-{len(self._by_number):x}"
            self._by_number.append(None)
        else:
            identifier, burst = former.id, burst or former.burst
        picture = Picture(identifier, name, size_bytes, changed_ns, burst)
        self._put(picture, is_one_of_many=is_one_of_many)
        return picture

    def remove(self, name: str) -> Picture | None:
        """Forget a picture; None if it was not known."""
        folder = self._folders.get(_folder_of(name), {})
        picture = folder.pop(name, None)
        if picture is None:
            return None
        if not folder:
            del self._folders[_folder_of(name)]
        self._by_number[self._number_of(picture.id)] = None
        self._shelves[picture.label].take(picture)
        self._former[name] = picture
        while len(self._former) > _MOST_FORMER:
            self._former.popitem(last=False)
        self._count -= 1
        self.size_bytes -= picture.size_bytes
        return picture

    def rename(self, name: str, to: str) -> None:
        """A picture lies elsewhere now; its id stays."""
        picture = self.remove(name)
        if picture is not None:
            del self._former[name]
            self._put(replace(picture, name=to))

    def change(self, picture: Picture, size_bytes: int, changed_ns: int) -> None:
        """The file of a picture was written anew; its id stays."""
        shelf = self._shelves[picture.label]
        shelf.take(picture)
        self.size_bytes += size_bytes - picture.size_bytes
        picture.size_bytes, picture.changed_ns = size_bytes, changed_ns
        shelf.put(picture)

    def at(self, name: str) -> Picture | None:
        """The picture of a name, if it is there."""
        return self._folders.get(_folder_of(name), {}).get(name)

    def names_in(self, folder: str) -> Collection[str]:
        """The names of the pictures that lie in a folder itself, as they are below the root."""
        return self._folders.get(folder, {}).keys()

    def find(self, identifier: str) -> Picture:
        """The picture of an id.

        Raises:
            InvalidValueError: There is none.
        """
        picture = self.get(identifier)
        if picture is None:
            raise InvalidValueError("there is no such picture any more", hint="load the page again")
        return picture

    def get(self, identifier: str) -> Picture | None:
        """The picture of an id, if it is there."""
        number = self._number_of(identifier)
        return self._by_number[number] if 0 <= number < len(self._by_number) else None

    def newest(self, label: str, count: int, skip: int = 0) -> list[Picture]:
        """So many pictures of a label, the newest first, behind those that are skipped."""
        shelf = self._shelves.get(label)
        return [] if shelf is None else shelf.newest(count, skip)

    def moments(self, label: str, most: int) -> int:
        """How many different moments the pictures of a label show: those of a burst are one.

        Args:
            label: Whose.
            most: Counting ends there.
        """
        found: set[str] = set()
        count, step = 0, most
        while len(found) < most and count < _MOST_LOOKED_AT:
            pictures = self.newest(label, step, count)
            found.update(picture.burst or picture.id for picture in pictures)
            count, step = count + len(pictures), 1000
            if not pictures:
                break
        return min(len(found), most)

    def stamp(self, label: str) -> str:
        """Another text whenever the pictures of a label are others."""
        return f"{self._run}-{self._shelves[label].changes:x}"

    def count(self, label: str) -> int:
        """How many pictures a label has."""
        shelf = self._shelves.get(label)
        return 0 if shelf is None else len(shelf)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many pictures each label has that has any."""
        return {label: len(shelf) for label, shelf in self._shelves.items() if len(shelf)}

    def __len__(self) -> int:
        return self._count

    def _number_of(self, identifier: str) -> int:
        """The place of an id of this run; -1 for all others."""
        run, dash, digits = identifier.partition("-")
        if run != self._run or not dash or not 0 < len(digits) < 12:
            return -1
        try:
            number = int(digits, 16)
        except ValueError:
            return -1
        return number if f"{number:x}" == digits else -1

    def _put(self, picture: Picture, *, is_one_of_many: bool = False) -> None:
        self._by_number[self._number_of(picture.id)] = picture
        self._folders[_folder_of(picture.name)][picture.name] = picture
        self._shelves[picture.label].put(picture, is_one_of_many=is_one_of_many)
        self._count += 1
        self.size_bytes += picture.size_bytes


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]
