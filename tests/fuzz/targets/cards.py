"""Cards: what was accepted is written and read again as the same."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, Final

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

_VALUES: Final = (
    None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, -0.0, 1e308, "", "cat", "\n", "\x1b[31m",
    "[red]", "\ud800", [], {}, [[]], ["cat"], {"cat": 1}, "x" * 1000, [0] * 5,
)  # fmt: skip


def _seeds() -> list[bytes]:
    card = ModelCard(
        Labels(("cat", "dog", "Grüße 🦆")),
        Preprocessing((96, 128), "RGB", "center", 0.875),
        provenance={"recipe": "small", "split": {"seed": 1}},
        metrics={"int8": {"top1": 0.97}},
    )
    return [card.to_json().encode()]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    content = chance.choice(seeds)
    if chance.random() < 0.4:
        return mutate(chance, content, seeds)
    value = json.loads(content)
    for _ in range(chance.randint(1, 3)):
        value = _twist(chance, value)
    return json.dumps(value).encode()


def _twist(chance: random.Random, value: Any) -> Any:
    """The value with something in it exchanged, removed or added."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        if chance.random() < 0.1:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: _twist(chance, value[name])}
    if isinstance(value, list) and value and chance.random() < 0.7:
        place = chance.randrange(len(value))
        return [*value[:place], _twist(chance, value[place]), *value[place + 1 :]]
    return chance.choice(_VALUES)


def read(content: bytes) -> str:
    """Read it, and what it is written as."""
    card = ModelCard.from_json(content)
    if ModelCard.from_json(card.to_json()) != card:
        raise AssertionError("the card is another one after writing and reading it")
    return "accepted"


TARGET: Final = Target("cards", _seeds, _mutate, read, limit_s=5.0, memory_mb=50)
