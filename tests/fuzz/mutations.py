"""Ways to damage bytes."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Final

# What breaks arithmetic: nothing, the ends of each type, and just beyond them.
INTERESTING: Final = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31)
_MOST_CHANGES: Final = 8
_LONGEST: Final = 4096

Mutation = Callable[[random.Random, bytearray], None]


def mutate(
    chance: random.Random, content: bytes, partners: Sequence[bytes] = (), *, head: int = 0
) -> bytes:
    """Damage a copy, in one to eight places.

    Args:
        chance: Decides everything: the same state gives the same bytes.
        content: Something sound.
        partners: Other sound ones, to take pieces from.
        head: So many bytes at the beginning are preferred: headers are there.
    """
    changed = bytearray(content)
    if head and chance.random() < 0.5:
        rest = changed[head:]
        del changed[head:]
        _apply(chance, changed)
        return bytes(changed + rest)
    if partners and chance.random() < 0.1:
        _splice(chance, changed, chance.choice(partners))
    _apply(chance, changed)
    return bytes(changed)


def _apply(chance: random.Random, content: bytearray) -> None:
    for _ in range(min(_MOST_CHANGES, 1 + int(chance.expovariate(0.6)))):
        if not content:
            return
        chance.choice(_MUTATIONS)(chance, content)


def _flip_bit(chance: random.Random, content: bytearray) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _set_byte(chance: random.Random, content: bytearray) -> None:
    content[chance.randrange(len(content))] = chance.randrange(256)


def _set_number(chance: random.Random, content: bytearray) -> None:
    kind = chance.choice(("<B", "<H", ">H", "<I", ">I", "<Q"))
    size = struct.calcsize(kind)
    if len(content) < size:
        return
    place = chance.randrange(len(content) - size + 1)
    if chance.random() < 0.5:
        place -= place % size
    value = chance.choice(INTERESTING) * chance.choice((1, 1, 1, -1)) + chance.choice((0, 0, -1, 1))
    struct.pack_into(kind, content, place, value & (256**size - 1))


def _add_to_number(chance: random.Random, content: bytearray) -> None:
    if len(content) < 4:
        return
    place = chance.randrange(len(content) - 3) & ~3
    (value,) = struct.unpack_from("<I", content, place)
    struct.pack_into("<I", content, place, (value + chance.randint(-16, 16)) & 0xFFFFFFFF)


def _cut_off(chance: random.Random, content: bytearray) -> None:
    del content[chance.randrange(len(content)) :]


def _remove(chance: random.Random, content: bytearray) -> None:
    start = chance.randrange(len(content))
    del content[start : start + _length(chance)]


def _repeat(chance: random.Random, content: bytearray) -> None:
    start = chance.randrange(len(content))
    content[start:start] = content[start : start + _length(chance)] * chance.choice((1, 1, 2, 50))


def _insert_noise(chance: random.Random, content: bytearray) -> None:
    start = chance.randrange(len(content))
    content[start:start] = chance.randbytes(_length(chance))


def _overwrite(chance: random.Random, content: bytearray) -> None:
    start = chance.randrange(len(content))
    piece = content[start : start + _length(chance)]
    value = chance.choice((0, 0xFF, None))
    filler = chance.randbytes(len(piece)) if value is None else bytes([value]) * len(piece)
    content[start : start + len(piece)] = filler


def _splice(chance: random.Random, content: bytearray, partner: bytes) -> None:
    start = chance.randrange(len(partner) or 1)
    piece = partner[start : start + chance.choice((16, 256, _LONGEST))]
    place = chance.randrange(len(content) or 1)
    content[place : place + len(piece)] = piece


def _length(chance: random.Random) -> int:
    return min(_LONGEST, 1 + int(chance.expovariate(0.05)))


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip_bit,
    _set_byte,
    _set_number,
    _set_number,
    _add_to_number,
    _cut_off,
    _remove,
    _repeat,
    _insert_noise,
    _overwrite,
)
