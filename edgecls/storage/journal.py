"""A file of lines that grows: whole lines only, rotated, and found again after it was lost."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.errors import SinkError
from edgecls.storage.kinds import read_head
from edgecls.storage.outage import is_passing

# A line is far shorter; a longer last "line" belongs to a file of another kind.
_MAX_LINE_BYTES: Final = 1 << 20
_CHECK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class LineFormat:
    """How the lines of a journal are told from those of any other file.

    Args:
        begins: What every line begins with, so that nothing else is ever taken for a torn one.
        header: First line of a new file, with its end; empty for none.
        end: What ends a line and is nowhere inside one.
        is_torn: Whether a last line without its end is the beginning of one of ours.
    """

    begins: bytes = b"{"
    header: bytes = b""
    end: bytes = b"\n"
    is_torn: Callable[[bytes], bool] = lambda _: True


class Journal:
    """Appends lines to a file that may vanish, fill its disk or be cut off at any moment.

    A line is there whole or not at all: what a full disk took half of is taken back, what a power
    cut left half of is cut off when the file is opened again. A file that was moved or deleted is
    begun anew; its folder is not, for it may be a disk that is not mounted now.

    Args:
        path: The file.
        lines: Its format.
        max_bytes: Size from which on it is renamed to `path.1` (older ones to `.2` and so on) and
            begun anew; 0 for never.
        keep: How many older ones are kept.
        is_durable: Whether a line that was appended survives a power cut (`fdatasync`).
        waits: Whether a disk that is full at the start is no error: it is tried again by `append`.

    Raises:
        SinkError: It cannot be written, or holds something else.
    """

    def __init__(
        self,
        path: Path,
        lines: LineFormat,
        *,
        max_bytes: int = 0,
        keep: int = 0,
        is_durable: bool = False,
        waits: bool = False,
    ) -> None:
        self.repaired_bytes = 0
        self._path = path
        self._lines = lines
        self._max_bytes = max_bytes
        self._keep = keep
        self._is_durable = is_durable
        self._handle: int | None = None
        self._size = 0
        self._checked_s = 0.0
        try:
            self._open()
        except OSError as wrong:
            if isinstance(wrong, SinkError):
                raise
            if waits and is_passing(wrong):
                return
            raise SinkError(
                f"cannot write events to '{path}': {wrong.strerror}",
                hint="check that the folder exists and is writable",
            ) from wrong

    def append(self, line: bytes) -> None:
        """Append a line.

        Args:
            line: With its end.

        Raises:
            OSError: Nothing was appended; later it may work again.
        """
        self._find_again()
        if self._max_bytes and self._size and self._size + len(line) > self._max_bytes:
            self._rotate()
        assert self._handle is not None
        # With the first line, not before: a disk that is full at the start may have room by then.
        missing = self._lines.header[self._size :] if self._size < len(self._lines.header) else b""
        self._write(self._handle, missing + line)

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with contextlib.suppress(OSError):
                os.close(handle)

    def _open(self) -> None:
        # O_NONBLOCK: a pipe of that name would wait for its reader, for ever.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        handle = os.open(self._path, flags, 0o666)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise SinkError(f"'{self._path}' is a device, a pipe or a socket, wanted a file")
            self._size = self._repair(handle, status.st_size)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        self._checked_s = time.monotonic()

    def _repair(self, handle: int, size: int) -> int:
        """Cut off a torn last line; returns the size that is left."""
        header, end = self._lines.header, self._lines.end
        head = os.pread(handle, len(header), 0)
        if header and not header.startswith(head):
            raise self._is_something_else("its first line is another one")
        if header and len(head) < len(header):
            return size  # the rest of a header that was cut is written with the first line
        first = os.pread(handle, len(self._lines.begins), 0)
        if size and not header and not self._lines.begins.startswith(first):
            raise self._is_something_else("its first line is of another kind")
        start = max(0, size - _MAX_LINE_BYTES)
        tail = os.pread(handle, size - start, start)
        whole = tail.rfind(end) + len(end) if end in tail else 0
        torn = tail[whole:]
        if not torn:
            return size
        begins = self._lines.begins[: len(torn)]
        is_ours = torn.startswith(begins) and self._lines.is_torn(torn)
        if (start and not whole) or not is_ours:
            raise self._is_something_else("its last line is of another kind")
        os.ftruncate(handle, size - len(torn))
        self.repaired_bytes = len(torn)
        return size - len(torn)

    def _is_something_else(self, reason: str) -> SinkError:
        return SinkError(
            f"'{self._path}' is there and holds something else: {reason}",
            hint="give another file name; nothing was written to this one",
        )

    def _write(self, handle: int, line: bytes) -> None:
        try:
            if os.write(handle, line) < len(line):
                raise OSError(28, "No space left on device")  # ENOSPC, said by a short write
            if self._is_durable:
                os.fdatasync(handle)
        except OSError:
            # Half a line must not stay: what is appended later would be glued to it.
            with contextlib.suppress(OSError):
                os.ftruncate(handle, self._size)
            raise
        self._size += len(line)

    def _find_again(self) -> None:
        """Begin anew where the file is no longer the one of this name, looked up once a second."""
        now = time.monotonic()
        if self._handle is not None and now - self._checked_s < _CHECK_S:
            return
        self._checked_s = now
        if self._handle is not None and self._is_same(self._handle):
            return
        self.close()
        self._open()

    def _is_same(self, handle: int) -> bool:
        ours = os.fstat(handle)
        try:
            named = os.stat(self._path)
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)

    def _rotate(self) -> None:
        names = [self._path, *(older(self._path, n) for n in range(1, self._keep + 1))]
        self._refuse_others(names)
        self.close()
        if not self._keep:
            os.unlink(self._path)
        for newer, old in zip(names[-2::-1], names[:0:-1], strict=True):
            with contextlib.suppress(FileNotFoundError):
                os.replace(newer, old)
        self._open()

    def _refuse_others(self, names: Sequence[Path]) -> None:
        """Refuse to rename a file of another kind, and to delete one with a line of others in it.

        Raises:
            OSError: One of them is, or cannot be read.
        """
        first = self._lines.header or self._lines.begins
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                is_ours = read_head(name).startswith(first)
                if is_ours and name == names[-1] and self._lines.begins:
                    with name.open("rb") as lines:
                        is_ours = all(line.startswith(self._lines.begins) for line in lines)
                if not is_ours:
                    raise SinkError(
                        f"'{self._path}' is full and cannot be begun anew: '{name}' holds what"
                        " others wrote, and is left as it is"
                    )


def older(path: Path, number: int) -> Path:
    """The name of an older file, 1 for the newest of them."""
    return path.with_name(f"{path.name}.{number}")
