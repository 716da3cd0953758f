"""The log of an album, without the lines of pictures that the quota has deleted."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection
from typing import Final

# As an album begins each line: the picture's name, which holds its number.
_NUMBER: Final = re.compile(rb'\{"file": "(?:[^"\\]|\\.)*?/?([0-9]{9,15})-[0-9]{8}T[0-9]{6}Z\.')
_DIGEST: Final = re.compile(
    rb'\{"file": ("(?:[^"\\]|\\.)*"), "bytes": \d+, "sha256": "([0-9a-f]{64})"'
)
_BEGINS: Final = b'{"file"'
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
PART: Final = ".part"


def count_lines(root: int, name: str) -> int:
    """Lines of a file in the folder `root` (a handle)."""
    with open(os.open(name, _READ, dir_fd=root), "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def read_digests(root: int, name: str) -> dict[str, bytes]:
    """The SHA-256 of each picture that a log says it has kept, by its name below the folder."""
    found: dict[str, bytes] = {}
    with open(os.open(name, _READ, dir_fd=root), "rb") as lines:
        for line in lines:
            if (entry := _DIGEST.match(line)) is not None:
                with contextlib.suppress(ValueError):  # a name that is none
                    found[str(json.loads(entry[1]))] = bytes.fromhex(entry[2].decode())
    return found


def discard_leftover(root: int, name: str) -> None:
    """Delete what a crash has left of a shortened log, if that is what it is."""
    with open(os.open(name, _READ, dir_fd=root), "rb") as file:
        is_ours = file.read(len(_BEGINS)) in (_BEGINS, b"")
    if is_ours:
        os.unlink(name, dir_fd=root)


def compact(root: int, name: str, oldest: int, kept: Collection[int] = ()) -> int:
    """Leave out the lines of pictures with a number below `oldest`; returns how many stay.

    Those in `kept` stay, too: of pictures that are older and still there.

    The file is exchanged as a whole, durably: a power cut leaves the old one or the new one.

    Raises:
        OSError: It stays as it is.
    """
    part = name + PART
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=root)
    try:
        with (
            open(os.open(name, _READ, dir_fd=root), "rb") as old,
            open(os.open(part, _WRITE, 0o666, dir_fd=root), "wb") as new,
        ):
            lines = 0
            for line in old:
                if (number := _number_of(line)) >= oldest or number in kept:
                    new.write(line)
                    lines += 1
            new.flush()
            os.fsync(new.fileno())
        os.rename(part, name, src_dir_fd=root, dst_dir_fd=root)
        os.fsync(root)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=root)
        raise
    return lines


def _number_of(line: bytes) -> int:
    found = _NUMBER.match(line)
    return int(found[1]) if found else 1 << 62  # what is not understood is not ours to drop
