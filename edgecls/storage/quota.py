"""How much may be kept: the oldest pictures go first, and nothing else ever.

What goes was kept by the recording itself and is byte for byte as it was then: a picture that
somebody has moved, edited or put there is nobody's to delete.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A picture on the disk: `folder/name`, below the root, with the SHA-256 of its bytes."""

    number: int
    folder: str
    name: str
    size_bytes: int
    digest: bytes = field(default=b"", compare=False)


class Quota:
    """Knows what is kept, oldest first, and deletes it when there is no room.

    Args:
        max_bytes: All pictures together; 0 for no limit.
        min_free_bytes: What must stay free on the disk; nothing is deleted for it.

    Attributes:
        deletes: Whether it makes room, or refuses what is too much.
        deleted: How many pictures it has deleted.
        left: Numbers of pictures that it leaves alone, and does not count: others changed them.
    """

    deletes: ClassVar[bool] = True

    def __init__(self, max_bytes: int = 0, min_free_bytes: int = 0) -> None:
        self.deleted = 0
        self.left: set[int] = set()
        self.bytes = 0
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._kept: deque[Kept] = deque()

    def begin(self, found: Iterable[Kept]) -> None:
        """Take stock."""
        self._kept = deque(sorted(found))
        self.bytes = sum(kept.size_bytes for kept in self._kept)

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self._kept)

    @property
    def oldest(self) -> int:
        """The lowest number of a picture; 0 without one."""
        return self._kept[0].number if self._kept else 0

    @property
    def newest(self) -> int:
        """The highest number of a picture; 0 without one."""
        return self._kept[-1].number if self._kept else 0

    def add(self, kept: Kept) -> None:
        """Remember a picture that is newer than all others."""
        self._kept.append(kept)
        self.bytes += kept.size_bytes

    def make_room(self, root: int, size_bytes: int) -> None:
        """Delete the oldest until a picture fits.

        Args:
            root: Handle of the folder.
            size_bytes: Of the picture to come.

        Raises:
            OSError: There is too little room on the disk, or it alone is larger than the quota.
        """
        if self._max_bytes and size_bytes > self._max_bytes:
            raise OSError(errno.EFBIG, f"a picture of {size_bytes} bytes is over the quota alone")
        while self._max_bytes and self._kept and self.bytes + size_bytes > self._max_bytes:
            if _delete(root, self._kept[0]):
                self.deleted += 1
            else:
                self.left.add(self._kept[0].number)
            self.bytes -= self._kept.popleft().size_bytes
        if not self._min_free_bytes:
            return
        disk = os.fstatvfs(root)
        free_bytes = disk.f_bavail * disk.f_frsize - size_bytes
        if free_bytes < self._min_free_bytes:
            raise OSError(
                errno.ENOSPC,
                f"the disk has {max(free_bytes, 0) >> 20} MB free,"
                f" {self._min_free_bytes >> 20} MB are left to others",
            )


def _delete(root: int, kept: Kept) -> bool:
    """Delete one picture below the root, through no link; one that is gone already is fine.

    Returns:
        Whether it is gone: not where its bytes are others than those that were kept.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(kept.folder, flags, dir_fd=root)
    except OSError as wrong:
        if wrong.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return True  # the folder was moved or replaced: what is there now is not ours
        raise
    try:
        if not _is_as_kept(folder, kept):
            return False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(kept.name, dir_fd=folder)
        return True
    except FileNotFoundError:
        return True
    finally:
        os.close(folder)


def _is_as_kept(folder: int, kept: Kept) -> bool:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(kept.name, flags, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError:  # a link, or not ours to read
        return False
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size != kept.size_bytes:
            return False
        return hashlib.file_digest(file, "sha256").digest() == kept.digest
