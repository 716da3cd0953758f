"""The folder that is collected into: what any of these functions returned is on the disk."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecls.collect.catalog import NOTHING, Catalog, Overview
from edgecls.collect.ceiling import Ceiling
from edgecls.collect.disk import StillReadingError
from edgecls.collect.folder import free_name, read_inside, refuse_divided
from edgecls.collect.history import Change, History, Undoable
from edgecls.collect.index import Picture
from edgecls.collect.labels import LabelList
from edgecls.errors import InvalidValueError
from edgecls.pictures.folder import MAX_PICTURE_BYTES
from edgecls.storage.album import Album
from edgecls.storage.inside import Inside
from edgecls.storage.steps import Step, Steps

DEFAULT_QUOTA_BYTES: Final = 10_000_000_000
DEFAULT_MIN_FREE_BYTES: Final = 200_000_000
# Of one request: a page that wants more asks several times.
MAX_AT_ONCE: Final = 2000
_MOST_WAITING: Final = 2
_WAIT_S: Final = 10.0
_CLOSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a folder is read.

    Args:
        read: Pictures.
        expected: Pictures that there are; None as long as nobody knows.
        is_over: Whether all are read.
    """

    read: int
    expected: int | None
    is_over: bool


class Collection:
    """A data set that grows: `DIR/<label>/*.jpg`. Safe for several threads.

    Args:
        folder: Made if it is missing; its parent is not.
        labels: To begin with, in this order; those of an earlier time and of folders follow.
        quota_bytes: All pictures together, with the trash; 0 for no limit.
        min_free_bytes: What must stay free on the disk.
        tell: Takes a line for people: what an earlier crash has left, and what became of it.
        is_read_later: Whether the folder is read in a thread of its own: until that is over
            (`reading`), counts are too low, and what needs all of it waits or is refused.

    Raises:
        SinkError: Another process has the folder, or it cannot be written.
        DatasetError: It is divided into train, val and test, or a folder in it can be no label.
        InvalidValueError: One of the labels can be none.
    """

    def __init__(
        self,
        folder: Path,
        labels: Sequence[str] = (),
        *,
        quota_bytes: int = DEFAULT_QUOTA_BYTES,
        min_free_bytes: int = DEFAULT_MIN_FREE_BYTES,
        tell: Callable[[str], None] = lambda _: None,
        is_read_later: bool = False,
    ) -> None:
        if min(quota_bytes, min_free_bytes) < 0:
            raise InvalidValueError("a quota is 0 or more bytes")
        self.folder = folder
        self.failure: Exception | None = None
        self._tell = tell
        self._lock = threading.RLock()
        self._catalog = Catalog(folder, self._lock)
        self._is_read = False
        self._has_ended_reading = threading.Event()
        self._is_closing = False
        # Of the few threads of a server, so many may wait for the reading to end.
        self._may_wait = threading.Semaphore(_MOST_WAITING)
        refuse_divided(folder)
        quota = Ceiling(quota_bytes, min_free_bytes, lambda: self._catalog.size_bytes)
        self._quota = quota
        self._album = Album(folder, quota, name_folder=lambda label: label, takes_stock=False)
        try:
            self._steps = Steps(folder)
            try:
                self.labels = LabelList(folder, labels)
                self._history = History(self._steps.done)
                self._reader = threading.Thread(target=self._read_later, name="read", daemon=True)
                if is_read_later:
                    self._reader.start()
                else:
                    self._read()
                    self._learn()
            except BaseException:
                self._steps.close()
                raise
        except BaseException:
            self._album.close()
            raise

    def close(self) -> None:
        """Let go of the folder; may be called twice."""
        self._is_closing = True
        if self._reader.is_alive():
            self._reader.join(_CLOSE_S)
        with self._lock:
            self._steps.close()
            self._album.close()

    @property
    def reading(self) -> Reading:
        """How far the folder is read."""
        catalog = self._catalog
        return Reading(len(catalog.index), catalog.expected, self._is_read)

    def wait_until_read(self, seconds: float) -> bool:
        """Wait until the whole folder is read, or it cannot be; returns whether it is."""
        self._has_ended_reading.wait(seconds)
        return self._is_read

    def wait_in_turn(self) -> bool:
        """Wait until the whole folder is read, if there are not others who do; whether it is."""
        if not self._is_read and self._may_wait.acquire(blocking=False):
            self._has_ended_reading.wait(_WAIT_S)
            self._may_wait.release()
        return self._is_read

    @property
    def counts(self) -> Mapping[str, int]:
        """How many pictures each label has, in the order of the labels."""
        with self._lock:
            return {label: self._catalog.index.count(label) for label in self.labels.names}

    def count(self, label: str) -> int:
        """How many pictures a label has."""
        with self._lock:
            return self._catalog.index.count(label)

    @property
    def version(self) -> int:
        """Another one after every change."""
        return self._catalog.version

    @property
    def trash_bytes(self) -> int:
        """Of what was discarded and could be deleted for good."""
        return self._catalog.trash_bytes

    @property
    def last(self) -> Undoable | None:
        """What `undo` would take back."""
        with self._lock:
            return self._history.last

    def moments(self, label: str, most: int = 1000) -> int:
        """See `Index.moments`."""
        with self._lock:
            return self._catalog.index.moments(label, most)

    def pictures(self, label: str, count: int | None = None, skip: int = 0) -> list[Picture]:
        """The pictures of a label, the newest first, or so many of them behind others."""
        with self._lock:
            index = self._catalog.index
            return index.newest(label, len(index) if count is None else count, skip)

    def picture_called(self, file_name: str, labels: Iterable[str]) -> Picture | None:
        """A picture by the last part of its name, of the first of these labels that has it."""
        with self._lock:
            found = (self._catalog.index.at(f"{label}/{file_name}") for label in labels)
            return next((picture for picture in found if picture is not None), None)

    def overview(self, known: Mapping[str, Overview] = NOTHING) -> list[Overview]:
        """Every label, in their order; see `Catalog.overview`."""
        with self._lock:
            return self._catalog.overview(self.labels.names, known)

    def find(self, identifier: str) -> Picture:
        """The picture of an id, as its file is now; see `Index.find`."""
        with self._lock:
            picture = self._catalog.index.find(identifier)
            self._catalog.look_again(picture)
            return picture

    def read(self, picture: Picture) -> bytes:
        """The file of a picture; see `read_inside`."""
        return read_inside(self.folder, picture.name, MAX_PICTURE_BYTES)

    def refresh(self) -> bool:
        """Look whether somebody else has changed the folder; see `Catalog.refresh`."""
        if not self._is_read:
            return False
        is_changed = self._catalog.refresh()
        if is_changed:
            with self._lock:
                self.labels.take_in(self.folder)
                self._catalog.version += 1
        return is_changed

    def check_room(self) -> None:
        """Look whether a picture could be kept now.

        Raises:
            OSError: The disk is full or read-only, the quota is used up, or the folder is gone.
        """
        with Inside(self.folder) as inside, inside.folder_of("x") as (root, _):
            if os.fstatvfs(root).f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            self._quota.make_room(root, 1)

    def check_label(self, label: str) -> None:
        """Refuse what is no label; see `LabelList.check`."""
        with self._lock:
            self.labels.check(label)

    def add_label(self, text: str) -> str:
        """Add a label; returns how it is written. For errors see `LabelList.add`."""
        with self._lock:
            label = self.labels.add(text)
            self._catalog.version += 1
            return label

    def remove_label(self, label: str) -> None:
        """Forget a label that has no pictures; for errors see `LabelList.remove`.

        Raises:
            InvalidValueError: It has pictures.
        """
        self._need_all()
        with self._lock:
            self.labels.check(label)
            if count := self._catalog.index.count(label):
                raise InvalidValueError(
                    f"the label {label!r} has {count} pictures",
                    hint="discard or relabel them first",
                )
            self.labels.remove(label)
            self._catalog.version += 1

    def keep(
        self,
        label: str,
        content: bytes,
        facts: Mapping[str, Any],
        burst: str = "",
        suffix: str = "jpg",
    ) -> Picture:
        """Keep a picture.

        Args:
            label: One of `labels`.
            content: A JPEG or PNG file.
            facts: For its line in `records.jsonl`; must hold `time`, in seconds since 1970.
            burst: What it was taken in; pictures of one burst are undone together, and training
                never divides them.
            suffix: `jpg` or `png`.

        Raises:
            InvalidValueError: There is no such label.
            StillReadingError: The folder is not read yet.
            OSError: It was not kept; later it may work again.
        """
        self._need_all()
        with self._lock:
            self.labels.check(label)
            more = {"event": "picture", "when": "collected", "label": label}
            more |= {"burst": burst} if burst else {}
            name = self._album.add(label, content, suffix, {**facts, **more})
            changed_ns = os.stat(self.folder / name, follow_symlinks=False).st_mtime_ns
            picture = self._catalog.index.add(name, len(content), changed_ns, burst)
            self._history.add_kept(burst, label, picture.id)
            self._catalog.note([name])
            return picture

    def relabel(self, identifiers: Iterable[str], label: str) -> Change:
        """Move pictures to another label; for errors see `keep` and `Index.find`."""
        self._need_all()
        with self._lock:
            self.labels.check(label)
            pictures = [p for p in self._find_all(identifiers) if p.label != label]
            with Inside(self.folder) as inside:
                there = [picture for picture in pictures if inside.has(picture.name)]
                taken: set[str] = set()
                moves = [
                    (picture.name, free_name(inside, label, picture.name, taken))
                    for picture in there
                ]
            if moves:
                self._done(self._steps.take("relabel", moves, label=label))
            return Change("relabel", len(there), len(pictures) - len(there))

    def discard(self, identifiers: Iterable[str]) -> Change:
        """Move pictures to the trash; for errors see `keep` and `Index.find`."""
        self._need_all()
        with self._lock:
            return self._discard("discard", self._find_all(identifiers))

    def undo(self) -> Change | None:
        """Take the last thing back that was done: keeping, relabelling, discarding.

        Raises:
            StillReadingError: The folder is not read yet.
            OSError: It was not taken back; later it may work again.
        """
        self._need_all()
        with self._lock:
            self._history.forget(self._is_gone)
            last = self._history.last
            if last is None:
                return None
            if last.step is None:
                known = [p for i in last.pictures if (p := self._catalog.index.get(i))]
                change = self._discard("take-back", known)
                self._history.drop()
                return Change("keep", change.count, change.missing)
            undone = self._steps.undo(last.step.number)
            self._history.drop()
            self._catalog.follow(undone)
            whole = len(last.step.moves)
            return Change(last.kind, len(undone.moves), whole - len(undone.moves))

    def empty_trash(self) -> int:
        """Delete what was discarded, for good; returns how many files.

        Raises:
            StillReadingError: The folder is not read yet.
            OSError: It cannot be deleted.
        """
        self._need_all()
        with self._lock:
            try:
                return self._steps.empty_trash()
            finally:
                self._catalog.weigh_trash()
                self._history.keep_only(self._steps.done)
                self._history.forget(self._is_gone)

    def _discard(self, kind: str, pictures: Sequence[Picture]) -> Change:
        with Inside(self.folder) as inside:
            there = [picture for picture in pictures if inside.has(picture.name)]
        for name in {picture.name for picture in pictures} - {picture.name for picture in there}:
            self._catalog.index.remove(name)
        if there:
            self._done(self._steps.discard(kind, [picture.name for picture in there]))
        return Change(kind, len(there), len(pictures) - len(there))

    def _is_gone(self, identifier: str) -> bool:
        return self._catalog.index.get(identifier) is None

    def _done(self, step: Step) -> None:
        if step.kind != "take-back":
            self._history.add_step(step)
        self._catalog.follow(step)

    def _find_all(self, identifiers: Iterable[str]) -> list[Picture]:
        wanted = list(dict.fromkeys(identifiers))
        if len(wanted) > MAX_AT_ONCE:
            raise InvalidValueError(
                f"these are {len(wanted)} pictures, at most {MAX_AT_ONCE} are taken at once"
            )
        return [self._catalog.index.find(identifier) for identifier in wanted]

    def _need_all(self) -> None:
        """Wait until the folder is read, or refuse what needs it.

        Raises:
            StillReadingError: It is not, and others wait already.
        """
        if self.wait_in_turn():
            return
        if self.failure is not None:
            raise self.failure
        reading = self.reading
        of = "" if reading.expected is None else f" of {reading.expected:,}"
        raise StillReadingError(
            f"the folder is still being read: {reading.read:,}{of} pictures",
            hint="try again in a moment",
        )

    def _read_later(self) -> None:
        try:
            self._read()
            self._has_ended_reading.set()
            self._learn()
        except Exception as wrong:  # noqa: BLE001  # raised again by whoever waits for the end
            self.failure = wrong
        self._has_ended_reading.set()

    def _read(self) -> None:
        stock = self._catalog.read(lambda: self._is_closing)
        if self._is_closing:
            return
        with self._lock:
            self._album.take_stock(stock.newest, stock.leftovers)
            self._tell_repairs(self._tell)
        self._is_read = True

    def _learn(self) -> None:
        wrong = self._catalog.learn_bursts(lambda: self._is_closing)
        wrong.tell(self._tell)

    def _tell_repairs(self, tell: Callable[[str], None]) -> None:
        if self._album.swept:
            tell(f"half-written pictures are swept away: {self._album.swept}")
        if self._album.repaired_bytes:
            tell("the last line of records.jsonl was torn and is cut off")
        self._steps.wrong.tell(tell)
        if self._steps.is_repaired:
            tell("pictures that were being moved when it ended have been moved to the end")
