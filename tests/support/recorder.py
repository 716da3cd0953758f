"""A process that records and says what was acknowledged, made to be killed.

`python -m tests.support.recorder FOLDER [BYTES [careless]]` keeps pictures whose every byte is
known from their number, and writes the name of each to standard output once `Album.add` returned.
A careless one writes them as many a script does: into the final name, without a sync.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from edgecls.storage.album import Album
from edgecls.storage.quota import Quota

LARGE: Final = 2_000_000


def content_of(number: int, least_bytes: int = LARGE) -> bytes:
    """The picture with that number: up to twice as large, so that many a kill falls into it."""
    words = least_bytes // 8
    return number.to_bytes(8, "big") * (words + number * 7919 % words)


def main() -> None:
    """Record until killed."""
    folder, least_bytes = Path(sys.argv[1]), int((*sys.argv, LARGE)[2])
    if sys.argv[3:] == ["careless"]:
        _record_carelessly(folder, least_bytes)
    album = Album(folder, Quota())
    number = album._next
    while True:
        content = content_of(number, least_bytes)
        name = album.add(f"label {number % 3}", content, "jpg", {"time": 0.0})
        os.write(1, f"{name}\n".encode())
        number += 1


def _record_carelessly(folder: Path, least_bytes: int) -> None:
    folder.mkdir(exist_ok=True)
    number = 1
    while True:
        name = f"{number:09}-20260101T000000Z.jpg"
        (folder / name).write_bytes(content_of(number, least_bytes))
        os.write(1, f"{name}\n".encode())
        number += 1


if __name__ == "__main__":
    main()
