"""Profiles of boards, as settings files in TOML."""

from __future__ import annotations

from importlib import resources
from typing import Final

from edgecls.profile import parse_profile
from tests.fuzz.target import Target
from tests.fuzz.targets.recipes import mutate_toml


def _seeds() -> list[bytes]:
    folder = resources.files("edgecls.profile") / "boards"
    return sorted(entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read(content: bytes) -> str:
    """Read it as `--profile FILE` does."""
    parse_profile(content.decode("utf-8", "replace"), "mutant.toml", "mutant")
    return "accepted"


TARGET: Final = Target("profiles", _seeds, mutate_toml, read, limit_s=5.0, memory_mb=50)
