"""A folder of pictures, one folder a label: what was acknowledged survives a power cut."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from edgecls.console import json_line
from edgecls.contract.json_text import read_object
from edgecls.contract.moment import to_moment
from edgecls.errors import InvalidValueError, SinkError
from edgecls.storage.compaction import compact, count_lines, discard_leftover, read_digests
from edgecls.storage.inside import Inside
from edgecls.storage.journal import Journal, LineFormat
from edgecls.storage.kinds import kind_of_folder
from edgecls.storage.quota import Kept, Quota

LOG_NAME: Final = "records.jsonl"
LOCK_NAME: Final = ".edgecls.lock"
_LINES: Final = LineFormat(begins=b'{"file"')
# Nine digits, and more once a file is there that somebody has called 999999999.
_NAME: Final = re.compile(r"([0-9]{9,15})-[0-9]{8}T[0-9]{6}Z\.(?:jpg|png)")
_MOST_PICTURES: Final = 10**15
_PART: Final = ".part"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TAIL_BYTES: Final = 1 << 16
_MAX_NAME_BYTES: Final = 100
SPARE_LINES: Final = 1_000


class Album:
    """Adds pictures to a folder, in this order: `.part`, fsync, rename, fsync of the folder, log.

    What `add` returned is on the disk whatever happens next, and its line is in `records.jsonl`. A
    power cut in between leaves a whole picture without a line, or a `.part` that the next start
    sweeps. Names begin with a number that only grows, so they are unique and sorted whatever the
    clock does.

    Args:
        folder: Made if it is missing; its parent is not.
        quota: What may be kept.
        name_folder: The name of a label's folder.
        spare_lines: Of pictures that the quota deleted, which the log may hold beyond as many as
            there are pictures.
        takes_stock: Whether to look at every file in it now, as the quota of a recording needs. If
            not, `take_stock` must be called before anything is added.

    Raises:
        SinkError: Another process records into it, or it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        quota: Quota,
        name_folder: Callable[[str], str] | None = None,
        spare_lines: int = SPARE_LINES,
        *,
        takes_stock: bool = True,
    ) -> None:
        self.swept = 0
        self.repaired_bytes = 0
        self._path = folder
        self._quota = quota
        self._name_folder = name_folder or folder_name
        self._spare_lines = spare_lines
        self._next = 1
        self._root: int | None = None
        self._closing = contextlib.ExitStack()
        try:
            folder.mkdir(exist_ok=True)
            self._open(takes_stock=takes_stock)
        except SinkError:
            raise
        except (OSError, ValueError) as wrong:  # ValueError: a NUL in the name
            reason = wrong.strerror if isinstance(wrong, OSError) else wrong
            raise SinkError(
                f"cannot record into '{folder}': {reason}",
                hint="check that the folder above it exists and is writable",
            ) from wrong

    def add(self, label: str, content: bytes, suffix: str, facts: Mapping[str, Any]) -> str:
        """Keep a picture.

        Args:
            label: Names the folder.
            content: The file.
            suffix: `jpg` or `png`.
            facts: For its line in the log: must hold `time` in seconds since 1970.

        Returns:
            Its name below the folder; from now on nothing can take it but the quota.

        Raises:
            OSError: It was not kept; later it may work again.
        """
        root = self._find_again()
        if self._next >= _MOST_PICTURES:
            raise SinkError(f"the numbers of pictures in '{self._path}' are used up")
        self._quota.make_room(root, len(content))
        self._shrink_log(root)
        folder = self._name_folder(label)
        name = f"{self._next:09}-{_moment(facts['time'])}.{suffix}"
        with _open_folder(root, folder) as handle:
            _write_durably(handle, name, content)
            kept = Kept(self._next, folder, name, len(content), hashlib.sha256(content).digest())
            line = {"file": f"{folder}/{name}", "bytes": len(content)}
            line |= {"sha256": kept.digest.hex(), **facts}
            try:
                self._log.append(json_line(line).encode() + b"\n")
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=handle)
                raise
        self._next += 1
        self._lines += 1
        self._quota.add(kept)
        return f"{folder}/{name}"

    def take_stock(self, newest: int, leftovers: Iterable[str]) -> None:
        """Begin, with what somebody else has found in the folder.

        Args:
            newest: The highest number of a picture (`number_of`); 0 without one.
            leftovers: Files that a crash has left half-written (`is_half_written`); deleted.

        Raises:
            OSError: One of them cannot be deleted.
        """
        with Inside(self._path) as inside:
            for name in leftovers:
                inside.unlink(name)
                self.swept += 1
        self._next = max(self._next, newest + 1)

    def close(self) -> None:
        """Let go of the folder; may be called twice."""
        self._root = None
        self._closing.close()

    def _open(self, *, takes_stock: bool) -> None:
        with contextlib.ExitStack() as opening:
            root = os.open(self._path, _FOLDER)
            opening.callback(os.close, root)
            if self._quota.deletes:
                self._refuse_others()
            opening.callback(os.close, _lock(root, self._path))
            self._log = Journal(self._path / LOG_NAME, _LINES, is_durable=True)
            opening.callback(self._log.close)
            self.repaired_bytes = self._log.repaired_bytes
            last = _last_number(self._path / LOG_NAME)
            self._quota.begin(self._sweep(root, last) if takes_stock else ())
            self._next = 1 + max(self._quota.newest, *self._quota.left, last)
            self._lines = count_lines(root, LOG_NAME) if takes_stock else 0
            self._most_lines = 0
            self._root = root
            self._closing = opening.pop_all()

    def _find_again(self) -> int:
        """The folder, begun anew where another one has taken its name."""
        named = os.stat(self._path)
        if self._root is not None:
            ours = os.fstat(self._root)
            if (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino):
                return self._root
        self.close()
        self._open(takes_stock=True)
        assert self._root is not None
        return self._root

    def _shrink_log(self, root: int) -> None:
        """Now and then, leave out the lines of what the quota deleted: the log stays bounded."""
        most = max(self._most_lines, 2 * self._quota.count + self._spare_lines)
        if self._lines <= most or not self._quota.oldest:
            return
        self._log.close()  # it finds the new file by itself
        with contextlib.suppress(OSError):  # it stays as it is, until it is twice as long
            self._lines = compact(root, LOG_NAME, self._quota.oldest, self._quota.left)
        self._most_lines = 2 * self._lines

    def _refuse_others(self) -> None:
        """Refuse a folder whose pictures somebody else has put there.

        Raises:
            SinkError: It is a data set, or another thing than a recording.
        """
        found = kind_of_folder(self._path)
        if found not in ("recording", "old recording", "folder"):
            raise SinkError(
                f"'{self._path}' holds what no recording has put there: it is a {found}",
                hint="give the recording a folder of its own",
            )

    def _sweep(self, root: int, last: int) -> Iterator[Kept]:
        """The pictures that were kept here; what a crash left half-written is deleted.

        Args:
            root: The folder.
            last: The highest number that the log has: what is half-written comes after it.
        """
        logged = read_digests(root, LOG_NAME) if self._quota.deletes else None
        for entry in os.scandir(root):
            if entry.name == LOG_NAME + _PART and entry.is_file(follow_symlinks=False):
                discard_leftover(root, entry.name)
            if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
                continue
            with _open_folder(root, entry.name) as handle:
                yield from self._sweep_folder(handle, entry.name, last, logged)

    def _sweep_folder(
        self, handle: int, folder: str, last: int, logged: Mapping[str, bytes] | None
    ) -> Iterator[Kept]:
        for entry in os.scandir(handle):
            found = _NAME.fullmatch(entry.name.removesuffix(_PART))
            if found is None or not entry.is_file(follow_symlinks=False):
                continue
            number = int(found[1])
            if entry.name.endswith(_PART):
                if number > last:
                    os.unlink(entry.name, dir_fd=handle)
                    self.swept += 1
                continue
            digest = b"" if logged is None else logged.get(f"{folder}/{entry.name}", b"")
            if logged is not None and not digest:
                self._quota.left.add(number)  # moved here by somebody, or kept without a line
                continue
            size = entry.stat(follow_symlinks=False).st_size
            yield Kept(number, folder, entry.name, size, digest)


def folder_name(label: str) -> str:
    """A label as the name of one folder, readable where it can be.

    Training takes the name of the folder for the label, so it stays as it is wherever a file
    system allows it; other characters become `%` and their UTF-8 bytes.
    """
    text = "".join(c if c.isprintable() and c not in "/\\%" else _quote(c) for c in label)
    if text.startswith("."):
        text = _quote(".") + text[1:]
    name = text.encode("utf-8", "surrogateescape")[:_MAX_NAME_BYTES].decode("utf-8", "ignore")
    return name.strip() or "_"


def _quote(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def _lock(root: int, path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(LOCK_NAME, flags, 0o666, dir_fd=root)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as taken:
        os.close(handle)
        raise SinkError(
            f"another edgecls records into '{path}'", hint="give this one a folder of its own"
        ) from taken
    except OSError:
        os.close(handle)
        raise
    return handle


@contextlib.contextmanager
def _open_folder(root: int, name: str) -> Iterator[int]:
    """A folder below the root, made if it is missing; a link is refused, wherever it leads."""
    try:
        os.mkdir(name, dir_fd=root)
    except FileExistsError:
        pass
    else:
        os.fsync(root)
    try:
        handle = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=root)
    except OSError as wrong:
        if wrong.errno in (errno.ELOOP, errno.ENOTDIR):
            raise SinkError(f"'{name}' in the folder of records is a link or a file") from wrong
        raise
    try:
        yield handle
    finally:
        os.close(handle)


def _write_durably(folder: int, name: str, content: bytes) -> None:
    part = name + _PART
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(part, flags, 0o666, dir_fd=folder)
    try:
        try:
            with open(handle, "wb", buffering=0, closefd=False) as out:
                view = memoryview(content)
                while view:
                    view = view[out.write(view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise


def _last_number(log: Path) -> int:
    """The number in the last line of the log: its picture may be gone, its name is not free."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        with contextlib.suppress(InvalidValueError):
            name = read_object(line, LOG_NAME).path("file").rpartition("/")[2]
            if found := _NAME.fullmatch(name):
                return int(found[1])
    return 0


def _moment(seconds: float) -> str:
    return to_moment(seconds).strftime("%Y%m%dT%H%M%SZ")


def is_picture_name(name: str) -> bool:
    """Whether a file was named by an album."""
    return _NAME.fullmatch(name) is not None


def number_of(name: str) -> int:
    """The number that an album has given a picture, of the last part of its name; 0 for others."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found is not None else 0


def is_half_written(name: str) -> bool:
    """Whether a file is what a crash has left of a picture, by the last part of its name."""
    return name.endswith(_PART) and is_picture_name(name.removesuffix(_PART))
