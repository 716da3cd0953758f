"""TOML that a person or a stranger wrote, and where in it something stands, for messages."""

from __future__ import annotations

import re
import tomllib
from typing import Any


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ValueError: It is none; its text says why, in one line.
    """
    try:
        found = tomllib.loads(text)
        _check_numbers(found)
    except RecursionError:  # the standard reader follows brackets and dots as deep as they go
        raise ValueError("its values are nested too deep") from None
    return found


def _check_numbers(value: Any) -> None:
    """TOML's whole numbers have 64 bits; Python reads larger ones, and stumbles over them later."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_numbers(inner)
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"a whole number of {value.bit_length()} bits, TOML has 64")


def place(where: str, text: str, table: str, key: str) -> str:
    """`FILE, line N`: where `key` of `table` is set; only the file where that cannot be told."""
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(#.*)?$", line):
            inside = header[1]
            if not table and inside == key:
                return f"{where}, line {number}"
        elif inside == table and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*[.=]""", line):
            return f"{where}, line {number}"
    return where
