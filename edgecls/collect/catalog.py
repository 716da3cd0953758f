"""What a collection holds at this moment: pictures, trash, and what others change in its folder.

The folder is read once, in pieces, while the collection is served. From then on only folders are
looked at, by the time of their last change: one in which something came or went is listed again,
and only the files that are new or gone are looked at. All of that happens in the thread that asks
for it, and holds the lock for a few milliseconds at a time: a press waits for nothing else.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.collect.folder import Listed, is_trash, list_folder, look_at, size_of_trash, walk
from edgecls.collect.index import Index, Picture
from edgecls.contract.json_text import Complaints, read_lines
from edgecls.errors import InvalidValueError, SinkError
from edgecls.pictures.bursts import LOG_NAME, burst_of
from edgecls.storage.album import number_of
from edgecls.storage.inside import Inside
from edgecls.storage.steps import TRASH, Step

# Pictures that are taken in while the lock is held, which takes 2 ms.
_AT_ONCE: Final = 500
# Pictures in the trash, or in another folder than that in which they were taken.
_MOST_OTHERS: Final = 50_000
# File systems tell two changes of a folder apart by at least so much; FAT is the slowest.
_SETTLE_S: Final = 3.0
_MOST_PAUSE_S: Final = 0.05
# Listing a folder may take a tenth of the time.
_REST: Final = 9.0


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


NOTHING: Final[Mapping[str, Overview]] = {}


@dataclass(slots=True)
class Stock:
    """What was found in the folder at the start.

    Args:
        newest: The highest number of a picture; 0 without one.
        leftovers: What a crash has left half-written.
    """

    newest: int = 0
    leftovers: tuple[str, ...] = ()


class Catalog:
    """Keeps account of a folder.

    Args:
        folder: Of the data set.
        lock: Whoever calls `note`, `follow`, or uses `index`, has it; the others take it.

    Attributes:
        version: Another one after every change.
        expected: Pictures that are there to be read; None as long as nobody knows.
        listings: How often a folder was listed, for those who want to know what something costs.
    """

    def __init__(self, folder: Path, lock: threading.RLock) -> None:
        self.version = 0
        self.index = Index()
        self.trash_bytes = 0
        self.expected: int | None = None
        self.listings = 0
        self._folder = folder
        self._lock = lock
        # Of each folder: when it had changed for the last time, as far as we know.
        self._known: dict[str, int] = {}
        self._due_s: dict[str, float] = {}
        self._rests_until_s: dict[str, float] = {}
        # By the last part of its name, of each that is not where its line in the log says.
        self._bursts_of_others: dict[str, str] = {}

    @property
    def size_bytes(self) -> int:
        """Of all pictures, those in the trash among them."""
        return self.index.size_bytes + self.trash_bytes

    def read(self, is_over: Callable[[], bool]) -> Stock:
        """Take in everything; others may look at what is there so far.

        Args:
            is_over: Whether nobody wants it any more.

        Raises:
            SinkError: The folder is gone.
        """
        stock = Stock()
        try:
            listed = list(walk(self._folder))
        except OSError as wrong:
            raise _gone(self._folder, wrong) from wrong
        self.listings += len(listed)
        self.expected = sum(len(each.names) for each in listed)
        for each in listed:
            self._take(each.names, is_over, rests=False)  # presses wait for all of it
            self._remember(each)
        names = itertools.chain.from_iterable(each.names for each in listed)
        stock.newest = max((number_of(name.rpartition("/")[2]) for name in names), default=0)
        stock.leftovers = tuple(name for each in listed for name in each.leftovers)
        self.weigh_trash()
        return stock

    def learn_bursts(self, is_over: Callable[[], bool]) -> Complaints:
        """Take in what the log says of bursts; returns what could not be used of it."""
        wrong = Complaints()
        lines = read_lines(self._folder / LOG_NAME, wrong, holds=b'"burst"')
        began_s = time.monotonic()
        while (part := list(itertools.islice(lines, _AT_ONCE))) and not is_over():
            # Nobody waits for it, and others have the page: half of the time is theirs.
            time.sleep(min(_MOST_PAUSE_S, time.monotonic() - began_s))
            began_s = time.monotonic()
            with self._lock:
                for line in part:
                    try:
                        name, burst = line.path("file"), burst_of(line)
                    except InvalidValueError as found:
                        wrong(found.problem)
                    else:
                        self._learn(name, burst)
        self._learn_elsewhere()
        with self._lock:
            self.version += 1
        return wrong

    def refresh(self) -> bool:
        """Look whether somebody else has changed the folder; returns whether it was so.

        Raises:
            SinkError: It is gone.
        """
        with self._lock:
            known = list(self._known.items())
        is_changed = False
        for folder, changed_ns in known:
            try:
                now_ns = os.stat(os.path.join(self._folder, folder)).st_mtime_ns
            except OSError as wrong:
                if not folder:
                    raise _gone(self._folder, wrong) from wrong
                is_changed = self._forget(folder) or is_changed
                continue
            now_s = time.monotonic()
            is_due = now_ns != changed_ns or now_s >= self._due_s.get(folder, float("inf"))
            if is_due and now_s >= self._rests_until_s.get(folder, 0.0):
                is_changed = self._list_again(folder, changed_ns) or is_changed
        return is_changed

    def weigh_trash(self) -> None:
        """Look how much there is in the trash."""
        size = size_of_trash(self._folder)
        with self._lock:
            self.trash_bytes = size
            self.version += 1

    def note(self, names: Iterable[str]) -> None:
        """Files came or went, by our own hand: no reason to list their folders at once.

        They are listed a moment later, for somebody else may have done something at the same time.
        """
        due_s = time.monotonic() + _SETTLE_S
        for folder in {name.rpartition("/")[0] for name in names if not is_trash(name)}:
            try:
                self._known[folder] = os.stat(os.path.join(self._folder, folder)).st_mtime_ns
            except OSError:
                continue  # the last one has left it
            self._due_s.setdefault(folder, due_s)
        self.version += 1

    def follow(self, step: Step) -> None:
        """Take in what a step has moved, and remove folders that hold nothing any more."""
        for name, to in step.moves:
            if is_trash(to):
                picture = self.index.remove(name)
                self.trash_bytes += picture.size_bytes if picture is not None else 0
            elif is_trash(name):
                self._bring_back(to)
            else:
                self.index.rename(name, to)
        self._remove_empty(name for name, _ in step.moves)
        self.note(name for move in step.moves for name in move)

    def overview(
        self, labels: Iterable[str], known: Mapping[str, Overview] = NOTHING
    ) -> list[Overview]:
        """What there is of these labels.

        Args:
            labels: They.
            known: What was found before: what is still so comes back as the same object.
        """
        found = []
        for label in labels:
            stamp, old = self.index.stamp(label), known.get(label)
            is_old = old is not None and old.stamp == stamp
            found.append(old if old is not None and is_old else self._look_at(label, stamp))
        return found

    def _look_at(self, label: str, stamp: str) -> Overview:
        newest = self.index.newest(label, 1)
        return Overview(label, self.index.count(label), stamp, newest[0].id if newest else "")

    def look_again(self, picture: Picture) -> None:
        """Look whether a file is still the one that was read: nothing tells of one written anew."""
        status = look_at(self._folder, picture.name)
        if status is not None and status.st_mtime_ns != picture.changed_ns:
            self.index.change(picture, status.st_size, status.st_mtime_ns)
            self.version += 1

    def _bring_back(self, name: str) -> None:
        status = look_at(self._folder, name)
        if status is not None and self.index.at(name) is None:
            burst = self._bursts_of_others.get(name.rpartition("/")[2], "")
            self.index.add(name, status.st_size, status.st_mtime_ns, burst)
            self.trash_bytes = max(0, self.trash_bytes - status.st_size)

    def _take(
        self,
        names: Collection[str],
        is_over: Callable[[], bool] = lambda: False,
        *,
        rests: bool = True,
    ) -> bool:
        """Take in files that may be new; returns whether any was."""
        count = len(self.index)
        # Mostly as old as their numbers say, so that each is put behind the one before.
        for part in _parts(sorted(names), rests=rests):
            if is_over():
                break
            with self._lock:
                for name in part:
                    if self.index.at(name) is None and (status := look_at(self._folder, name)):
                        size, changed_ns = status.st_size, status.st_mtime_ns
                        is_one_of_many = len(names) > 10
                        self.index.add(name, size, changed_ns, is_one_of_many=is_one_of_many)
                self.version += 1
        return len(self.index) != count

    def _let_go(self, names: Collection[str]) -> bool:
        """Forget files that may be gone; returns whether any was."""
        count = len(self.index)
        # The newest first: taken from the end of a long list, nothing behind them has to move.
        for part in _parts(sorted(names, reverse=True)):
            with self._lock:
                for name in part:
                    if look_at(self._folder, name) is None:
                        self.index.remove(name)
                self.version += 1
        return len(self.index) != count

    def _list_again(self, folder: str, changed_ns: int) -> bool:
        """Compare a folder with what is known of it; returns whether something is new."""
        began_s = time.monotonic()
        try:
            listed = list_folder(self._folder, folder)
        except OSError:
            return False  # it vanishes just now: the next look says so
        self.listings += 1
        with self._lock:
            known = set(self.index.names_in(folder))
        is_changed = self._let_go(known.difference(listed.names))
        is_changed = self._take(set(listed.names) - known) or is_changed
        with self._lock:
            strange = [below for below in listed.folders if below not in self._known]
        for below in strange:
            is_changed = self._walk_new(below) or is_changed
        with self._lock:
            if self._known.get(folder) == changed_ns:  # else we have put something there meanwhile
                self._remember(listed)
        took_s = time.monotonic() - began_s
        self._rests_until_s[folder] = time.monotonic() + _REST * took_s
        return is_changed

    def _walk_new(self, folder: str) -> bool:
        """Take in a folder that somebody has put there."""
        try:
            for listed in walk(self._folder, folder):
                self.listings += 1
                self._take(listed.names)
                self._remember(listed)
        except OSError:
            return False
        with self._lock:
            self.version += 1
        return True

    def _forget(self, folder: str) -> bool:
        """A folder is gone, with all below it."""
        with self._lock:
            below = [f for f in self._known if f == folder or f.startswith(f"{folder}/")]
            names = [name for f in below for name in self.index.names_in(f)]
            for each in below:
                del self._known[each]
                self._due_s.pop(each, None)
        self._let_go(names)
        return True

    def _remember(self, listed: Listed) -> None:
        with self._lock:
            self._known[listed.folder] = listed.changed_ns
            self._due_s.pop(listed.folder, None)
            # What came at the same moment, but behind us, has not changed this time.
            if abs(time.time_ns() - listed.changed_ns) < _SETTLE_S * 1e9:
                self._due_s[listed.folder] = time.monotonic() + _SETTLE_S

    def _learn(self, name: str, burst: str) -> None:
        picture = self.index.at(name)
        if picture is not None:
            picture.burst = burst
        elif len(self._bursts_of_others) < _MOST_OTHERS:
            self._bursts_of_others[name.rpartition("/")[2]] = burst

    def _learn_elsewhere(self) -> None:
        """Pictures that were put into the folder of another label have kept their names."""
        if not self._bursts_of_others:
            return
        with self._lock:
            names = [name for folder in self._known for name in self.index.names_in(folder)]
        for part in _parts(names):
            with self._lock:
                for name in part:
                    picture = self.index.at(name)
                    if picture is not None and not picture.burst:
                        picture.burst = self._bursts_of_others.get(picture.file_name, "")

    def _remove_empty(self, names: Iterable[str]) -> None:
        left = {name.partition("/")[0] for name in names} - {TRASH}
        with Inside(self._folder) as inside:
            for label in left:
                if not self.index.count(label):
                    inside.rmdir(label)


def _parts(names: Iterable[str], *, rests: bool = True) -> Iterator[list[str]]:
    """So many at a time; `rests` leaves a moment between them to those who wait for the lock."""
    pending = iter(names)
    part = list(itertools.islice(pending, _AT_ONCE))
    while part:
        began_s = time.monotonic()
        yield part
        took_s = time.monotonic() - began_s
        part = list(itertools.islice(pending, _AT_ONCE))
        if part and rests:
            time.sleep(min(_MOST_PAUSE_S, took_s))


def _gone(folder: Path, wrong: OSError) -> SinkError:
    return SinkError(f"the folder '{folder}' cannot be read: {wrong.strerror}")
