"""A process that records and says what was acknowledged, made to be killed.

`python -m tests.support.recorder FOLDER` keeps pictures whose every byte is known from their
number, and writes the name of each to standard output once `Album.add` has returned it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from edgecls.storage.album import Album
from edgecls.storage.quota import Quota


def content_of(number: int) -> bytes:
    """The picture with that number: 2 to 4 MB, so that many a kill falls into its writing."""
    return number.to_bytes(8, "big") * (250_000 + number * 7919 % 250_000)


def main() -> None:
    """Record until killed."""
    album = Album(Path(sys.argv[1]), Quota())
    number = album._next
    while True:
        name = album.add(f"label {number % 3}", content_of(number), "jpg", {"time": 0.0})
        os.write(1, f"{name}\n".encode())
        number += 1


if __name__ == "__main__":
    main()
