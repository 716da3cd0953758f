"""Cards: what was accepted is written and read again as the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from tests.fuzz.mutations import mutate_json
from tests.fuzz.target import Target


def _seeds() -> list[bytes]:
    card = ModelCard(
        Labels(("cat", "dog", "Grüße 🦆")),
        Preprocessing((96, 128), "RGB", "center", 0.875),
        provenance={"recipe": "small", "split": {"seed": 1}},
        metrics={"int8": {"top1": 0.97}},
    )
    return [card.to_json().encode()]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    return mutate_json(chance, chance.choice(seeds), seeds)


def read(content: bytes) -> str:
    """Read it, and what it is written as."""
    card = ModelCard.from_json(content)
    if ModelCard.from_json(card.to_json()) != card:
        raise AssertionError("the card is another one after writing and reading it")
    return "accepted"


TARGET: Final = Target("cards", _seeds, _mutate, read, limit_s=5.0, memory_mb=50)
