"""Where in a TOML file something stands, for messages; the standard reader does not tell."""

from __future__ import annotations

import re


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
