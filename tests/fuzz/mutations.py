"""Ways to damage bytes, and the values of JSON."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

# What breaks arithmetic: nothing, the ends of each type, and just beyond them.
INTERESTING: Final = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31)
_MOST_CHANGES: Final = 8
_LONGEST: Final = 4096
# Values of every type of JSON, and those that Python's own readers and writers stumble over.
_JSON_VALUES: Final = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, -1e308, 5e-324,
    253402300800.0, -62135596801.0, float("nan"), float("inf"), "", "cat", "\n", "\x1b[31m",
    "[red]", "=1+1", "\ud800", "\udcff", "../../x", "/etc/passwd", "a/b", ".", "\0", "0", "1e5",
    "nan", [], {}, [[]], [{}], ["cat"], {"cat": 1}, [["a", "b"]], "x" * 1000, [0] * 5,
)  # fmt: skip
_DEEP: Final = (100, 100_000)

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


def mutate_json(chance: random.Random, content: bytes, partners: Sequence[bytes] = ()) -> bytes:
    """Exchange, remove or add values in a JSON document, so that it still is one; seldom its bytes.

    Args:
        chance: Decides everything.
        content: A sound document; of a damaged one the bytes are damaged further.
        partners: For damage to bytes, see `mutate`.
    """
    if chance.random() < 0.25:
        return mutate(chance, content, partners)
    if chance.random() < 0.02:
        depth = chance.choice(_DEEP)
        return chance.choice((b"[", b'{"a":', b"[[],")) * depth
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return mutate(chance, content, partners)
    for _ in range(chance.randint(1, 3)):
        value = twist(chance, value)
    return json.dumps(value).encode()


def twist(chance: random.Random, value: Any) -> Any:
    """The value of JSON with something in it exchanged, removed or added."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        if chance.random() < 0.1:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: twist(chance, value[name])}
    if isinstance(value, list) and value and chance.random() < 0.7:
        place = chance.randrange(len(value))
        if chance.random() < 0.1:
            return value * chance.choice((0, 2, 100))
        return [*value[:place], twist(chance, value[place]), *value[place + 1 :]]
    return chance.choice(_JSON_VALUES)


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
