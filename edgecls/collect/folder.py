"""What is looked up in the folder of a collection, and what its files are called."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

from edgecls.errors import DatasetError, SinkError
from edgecls.pictures.layout import find_parts
from edgecls.storage.inside import Inside
from edgecls.storage.steps import TRASH

_MAX_NAME_BYTES: Final = 240


def refuse_divided(folder: Path) -> None:
    """Refuse a data set whose labels lie below `train`, `val` and `test`.

    Raises:
        DatasetError: It is one, or its folders contradict each other.
    """
    if not os.path.isdir(folder):
        return
    parts = find_parts(folder)
    if parts[0].subset is not None:
        raise DatasetError(
            f"'{folder}' is divided into {', '.join(part.folder.name for part in parts)}",
            hint=f"collect into one of them: {parts[0].folder}",
        )


def read_inside(folder: Path, name: str, limit_bytes: int) -> bytes:
    """A file below the folder, reached through no link.

    Raises:
        OSError: It is gone, a link or no file, or larger than the limit.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with Inside(folder) as inside, inside.folder_of(name) as (above, last):
        handle = os.open(last, flags, dir_fd=above)
    with contextlib.ExitStack() as closing:
        closing.callback(os.close, handle)
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):  # a pipe has taken its name: it would be waited for
            raise OSError(errno.EINVAL, "it is no file any more")
        if status.st_size > limit_bytes:
            raise OSError(errno.EFBIG, "the file is too large for a picture")
        with open(handle, "rb", closefd=False) as file:
            return file.read(limit_bytes)


def is_trash(name: str) -> bool:
    """Whether a file was discarded."""
    return name.startswith(f"{TRASH}/")


def free_name(inside: Inside, label: str, name: str, taken: set[str]) -> str:
    """A name below a label that no file has: the same, or with a number behind it."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    wanted = f"{label}/{stem}{dot}{suffix}"
    number = 1
    while wanted in taken or inside.has(wanted):
        number += 1
        short = stem.encode("utf-8", "surrogateescape")[: _MAX_NAME_BYTES - len(suffix) - 8]
        wanted = f"{label}/{short.decode('utf-8', 'ignore')}-{number}{dot}{suffix}"
    taken.add(wanted)
    return wanted


def stamp_of(folder: Path) -> tuple[tuple[str, int], ...]:
    """What changes when a file comes or goes in a folder of a label.

    Raises:
        SinkError: The folder is gone.
    """
    try:
        folders = [e for e in os.scandir(folder) if e.is_dir(follow_symlinks=False)]
        return tuple(sorted((e.name, os.lstat(e.path).st_mtime_ns) for e in folders))
    except OSError as wrong:
        raise SinkError(f"the folder '{folder}' cannot be read: {wrong.strerror}") from wrong


def size_of_trash(folder: Path) -> int:
    """Bytes of what was discarded."""
    size = 0
    for where, _, names in os.walk(folder / TRASH):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(where, name)).st_size
    return size
