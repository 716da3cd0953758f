"""What is looked up in the folder of a collection, and what its files are called."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.errors import DatasetError
from edgecls.pictures.folder import is_sidecar
from edgecls.pictures.layout import find_parts
from edgecls.storage.album import is_half_written
from edgecls.storage.inside import Inside
from edgecls.storage.steps import TRASH

_MAX_NAME_BYTES: Final = 240
# Deeper than anybody sorts pictures.
_MAX_DEPTH: Final = 8


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


@dataclass(frozen=True, slots=True)
class Listed:
    """What lies in a folder, links left out.

    Args:
        folder: Its name below the data set's; empty for that one itself.
        changed_ns: When something came or went in it, looked up before it was listed.
        names: Files that may be pictures, by their names below the data set's folder.
        folders: The same of folders.
        leftovers: The same of pictures that a crash has left half-written.
    """

    folder: str
    changed_ns: int
    names: list[str]
    folders: list[str]
    leftovers: list[str]


def list_folder(root: Path, folder: str, *, with_top: bool = False) -> Listed:
    """Look what lies in a folder, without looking at each file.

    Args:
        root: The data set's folder.
        folder: Below it; empty for that one itself.
        with_top: Whether a file counts that lies in the data set's folder itself, in no label's.

    Raises:
        OSError: It is gone, no folder, or not ours to read.
    """
    path = os.path.join(root, folder)
    changed_ns = os.stat(path).st_mtime_ns
    above = f"{folder}/" if folder else ""
    found = Listed(folder, changed_ns, [], [], [])
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            if entry.is_dir(follow_symlinks=False):
                found.folders.append(above + name)
            elif name.endswith(".part") and is_half_written(name):
                found.leftovers.append(above + name)
            elif (
                (above or with_top)
                and not is_sidecar(name)
                and entry.is_file(follow_symlinks=False)
            ):
                found.names.append(above + name)
    return found


def walk(root: Path, folder: str = "", *, with_top: bool = False) -> Iterator[Listed]:
    """The folder and all below it, as deep as anybody sorts pictures; see `list_folder`.

    Raises:
        OSError: The first one cannot be read; of the others these are passed over.
    """
    first = list_folder(root, folder, with_top=with_top)
    yield first
    pending = first.folders
    while pending:
        below = pending.pop()
        if below.count("/") < _MAX_DEPTH:
            with contextlib.suppress(OSError):  # it vanished, or is not ours to read
                listed = list_folder(root, below)
                pending.extend(listed.folders)
                yield listed


def look_at(root: Path, name: str) -> os.stat_result | None:
    """What is known of a plain file below the folder; None where there is none (any more)."""
    try:
        status = os.lstat(os.path.join(root, name))
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def size_of_trash(folder: Path) -> int:
    """Bytes of what was discarded."""
    size = 0
    for where, _, names in os.walk(folder / TRASH):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(where, name)).st_size
    return size
