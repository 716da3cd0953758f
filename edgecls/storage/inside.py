"""Files of one folder, reached from its handle: through no link, and never outside of it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Inside:
    """A folder's handle; names below it are written with `/`, as `cat/1.jpg`.

    Args:
        path: An existing folder; it may be reached through links itself.

    Raises:
        OSError: It is none, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._root: int | None = os.open(path, _FOLDER)

    def __enter__(self) -> Inside:
        return self

    def __exit__(self, *_wrong: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the handle; may be called twice."""
        if self._root is not None:
            handle, self._root = self._root, None
            os.close(handle)

    def has(self, name: str) -> bool:
        """Whether there is a plain file of this name."""
        try:
            with self.folder_of(name) as (folder, last):
                entry = os.stat(last, dir_fd=folder, follow_symlinks=False)
        except OSError as wrong:
            if wrong.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG):
                return False
            raise
        return stat.S_ISREG(entry.st_mode)

    def rename(self, name: str, to: str) -> None:
        """Give a file another name, in folders that are made where they are missing.

        Raises:
            OSError: It is gone, or the other name is taken.
        """
        with self.folder_of(name) as (source, old), self.folder_of(to, is_made=True) as (goal, new):
            with contextlib.suppress(FileNotFoundError):
                os.stat(new, dir_fd=goal, follow_symlinks=False)
                raise FileExistsError(errno.EEXIST, f"there is a file {to!r} already")
            os.rename(old, new, src_dir_fd=source, dst_dir_fd=goal)

    def unlink(self, name: str) -> None:
        """Delete a file; one that is gone already is fine."""
        with contextlib.suppress(FileNotFoundError), self.folder_of(name) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def rmdir(self, name: str) -> bool:
        """Remove a folder that holds nothing; returns whether it did."""
        try:
            with self.folder_of(name) as (folder, last):
                os.rmdir(last, dir_fd=folder)
        except OSError:
            return False
        return True

    def sync(self, folder: str) -> None:
        """Make what was renamed in a folder survive a power cut; '' is the root."""
        with self.folder_of(f"{folder}/x" if folder else "x") as (handle, _):
            os.fsync(handle)

    @contextlib.contextmanager
    def folder_of(self, name: str, *, is_made: bool = False) -> Iterator[tuple[int, str]]:
        """The handle of the folder that holds a name, and the last part of that name.

        Raises:
            OSError: A part of the way is missing, a link, or leads outside.
        """
        *above, last = parts_of(name)
        assert self._root is not None
        with contextlib.ExitStack() as closing:
            handle = self._root
            for part in above:
                if is_made:
                    _make(handle, part)
                handle = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
                closing.callback(os.close, handle)
            yield handle, last


def parts_of(name: str) -> list[str]:
    """The parts of `cat/1.jpg`.

    Raises:
        OSError: It is absolute, or leads upwards.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise OSError(errno.EINVAL, f"{name!r} is no name inside the folder")
    return parts


def _make(handle: int, part: str) -> None:
    try:
        os.mkdir(part, dir_fd=handle)
    except FileExistsError:
        return
    os.fsync(handle)
