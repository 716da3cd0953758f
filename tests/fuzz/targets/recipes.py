"""Recipes, as settings files in TOML: what is accepted is written and read again as the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from importlib import resources
from typing import Final

from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

_VALUES: Final = (
    "nan", "inf", "-inf", "0", "-1", "1e400", "true", '"text"', "[]", "{}", "[1, 2, 3]", "10000000",
    "[" * 50_000 + "]" * 50_000, ".".join("a" * 5000) + "=1", "9" * 5000, "{a=" * 5000,
    "1979-05-27", '"""\n"""', "0x7fffffffffffffff", "99999999999999999999999",
)  # fmt: skip


def _seeds() -> list[bytes]:
    folder = resources.files("edgecls_train") / "recipes"
    return sorted(entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".toml"))


def mutate_toml(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Lines with other values, repeated lines, and damaged bytes."""
    lines = chance.choice(seeds).decode().splitlines()
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(lines))
        key, mark, _ = lines[place].partition("=")
        if mark and chance.random() < 0.7:
            lines[place] = f"{key}= {chance.choice(_VALUES)}"
        else:
            lines.insert(place, chance.choice(lines))
    content = "\n".join(lines).encode()
    return content if chance.random() < 0.6 else mutate(chance, content, seeds)


def read(content: bytes) -> str:
    """Read it as `train --recipe` does."""
    from edgecls_train.recipe_file import parse_recipe

    parse_recipe(content.decode("utf-8", "replace"), "mutant.toml")
    return "accepted"


TARGET: Final = Target("recipes", _seeds, mutate_toml, read, limit_s=5.0, memory_mb=50)
