"""MJPEG streams, in pieces of any size."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from edgecls.errors import PictureError, SourceError
from edgecls.sources.http.multipart import MAX_PART, MultipartParser
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target
from tests.support.mjpeg_server import BLUE, RED, part

BOUNDARIES: Final = ("frame", "", "--frame", '"frame"', "-", "\xff\xd9")


def _seeds() -> list[bytes]:
    bare = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    nested = RED[:2] + b"\xff\xe1" + (len(BLUE) + 2).to_bytes(2, "big") + BLUE + RED[2:]
    text = b"--frame\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello\r\n"
    return [
        part(RED) * 3 + part(BLUE) * 2,
        (bare + RED + b"\r\n") * 3 + b"--frame--",
        bare.replace(b"\r\n", b"\n") + RED + b"\n" + bare + BLUE,
        (RED + b"\0\0" + BLUE) * 2,
        part(RED) + text + part(nested),
        part(RED) + b"--frame\r\nContent-Length: 99999\r\n\r\n" + RED + part(BLUE),
    ]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    stream = b"".join(mutate(chance, chance.choice(seeds), seeds) for _ in range(2))
    if chance.random() < 0.02:  # a camera that sends no picture, for ever
        stream += chance.choice((b"\0", b"-", b"\r\n", b"--frame\r\n", b"\xff\xd8\xff")) * 100_000
    return stream


def read(content: bytes) -> str:
    """All pictures of it, in pieces and under a boundary that its own bytes decide."""
    chance = random.Random(content)
    parser = MultipartParser(chance.choice(BOUNDARIES))
    pictures = damaged = start = 0
    try:
        while start < len(content):
            piece = content[start : start + chance.choice((1, 7, 100, 1500, 65536))]
            parser.feed(piece)
            start += len(piece)
            more, bad = _take_all(parser)
            pictures, damaged = pictures + more, damaged + bad
    except SourceError:
        return "given up as no stream"
    return "pictures found" if pictures else "pictures damaged" if damaged else "nothing found"


def _take_all(parser: MultipartParser) -> tuple[int, int]:
    pictures = damaged = 0
    while True:
        try:
            picture = parser.next_picture()
        except PictureError:
            damaged += 1
            continue
        if picture is None:
            return pictures, damaged
        if not picture.startswith(b"\xff\xd8") or len(picture) > MAX_PART:
            raise AssertionError(f"a picture is {picture[:20]!r}, {len(picture)} bytes")
        pictures += 1


TARGET: Final = Target("MJPEG streams", _seeds, _mutate, read, limit_s=10.0, memory_mb=100)
