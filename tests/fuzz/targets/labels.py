"""Label files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from edgecls.console import json_line, printable
from edgecls.contract.labels import Labels
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

_PIECES: Final = (
    "\n", "\r\n", "\r", "\ufeff", "\u2028", "\x85", "\0", "\x1b]0;x\7", "[red]", "0 ",
    "99999999999 ", "-1 ", "٣ ", "²  ", " ", "\t", "é", "🦆", "\u202e", "\u200b",
)  # fmt: skip


def _seeds() -> list[bytes]:
    return [
        b"cat\ndog\nmouse\n",
        b"\xef\xbb\xbfcat\r\ndog\r\n",
        "0  tench\n1  goldfish\n2: Grüße\n3, 🦆\n".encode(),
        b"crane\ncrane\nbus\n",
    ]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    content = chance.choice(seeds)
    for _ in range(chance.randint(0, 4)):
        place = chance.randrange(len(content) + 1)
        piece = chance.choice(_PIECES) * chance.choice((1, 1, 1, 300))
        content = content[:place] + piece.encode() + content[place:]
    return content if chance.random() < 0.4 else mutate(chance, content, seeds)


def read(content: bytes) -> str:
    """Read it, write it, read it again, and show what is in it."""
    labels = Labels.from_text(content)
    for name in labels:
        shown = printable(name)
        if not shown.isprintable() or "\n" in json_line({"label": name}):
            raise AssertionError(f"{name!r} is shown as {shown!r}")
    if len(Labels.from_text(labels.to_text())) != len(labels):
        raise AssertionError(f"{list(labels)!r:.300} is read back as something else")
    return "accepted"


TARGET: Final = Target("label files", _seeds, _mutate, read, limit_s=5.0, memory_mb=100)
