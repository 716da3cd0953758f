"""What a fuzzer attacks."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

# Name -> module that has `TARGET`.
TARGETS: Final = {
    name: f"tests.fuzz.targets.{name}"
    for name in (
        "models",
        "inspect",
        "pictures",
        "multipart",
        "cards",
        "golden",
        "labels",
        "recipes",
        "profiles",
        "records",
        "checkpoints",
        "answers",
        "redirects",
        "rtsp",
        "weights",
    )
}


@dataclass(frozen=True, slots=True)
class Target:
    """A reader and what it is fed.

    Args:
        what: Is read, in words.
        seeds: Sound input; reading it must succeed.
        mutate: One damaged input; the same state of the generator gives the same bytes.
        read: Reads an input as the product does, and says in a few words what came of it. Errors
            with a hint are an outcome; whatever else it raises is a finding.
        limit_s: Longest time for one input.
        memory_mb: Most memory that one input may add to the process.
    """

    what: str
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[random.Random, Sequence[bytes]], bytes]
    read: Callable[[bytes], str]
    limit_s: float
    memory_mb: int


def load_target(name: str) -> Target:
    """The target of a name in `TARGETS`, or of a module that has one."""
    target: Target = importlib.import_module(TARGETS.get(name, name)).TARGET
    return target


def input_of(target: Target, seeds: Sequence[bytes], seed: int, index: int) -> bytes:
    """Input `index` of a run; the first inputs are the sound ones, undamaged."""
    if index < len(seeds):
        return seeds[index]
    return target.mutate(random.Random(f"{seed}/{index}"), seeds)
