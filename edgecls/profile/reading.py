"""Profiles as TOML files, read strictly: whatever is wrong is told with the file and the line."""

from __future__ import annotations

import math
from typing import Any, Final

from edgecls.contract.toml import parse_toml, place
from edgecls.errors import InvalidValueError

# Table -> key -> type; `list` is a list of texts.
TABLES: Final[dict[str, dict[str, type]]] = {
    "": {
        "name": str,
        "detect": list,
        "usb": list,
        "cores": int,
        "memory_mb": int,
        "has_usb3": bool,
    },
    "threads": {"small": int, "large": int},
    "camera": {"source": str, "size": str, "pixel_format": str},
    "model": {"large_mb": float, "most_mb": float, "most_input": str},
    "accelerator": {"device": str, "performance": str},
}
_WISHES: Final[dict[type, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts",
}


def read_tables(text: str, where: str) -> dict[str, dict[str, Any]]:
    """The tables of a profile, every key known and of its type.

    Args:
        text: The file's content.
        where: The file's name, for messages.

    Raises:
        InvalidValueError: It names the file, the line and the key.
    """
    try:
        content = parse_toml(text)
    except ValueError as wrong:
        raise InvalidValueError(
            f"{where} is not TOML: {wrong}", hint="begin with a copy of a built-in profile"
        ) from wrong
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for key, value in content.items():
        if key not in TABLES or not key:
            tables[""][key] = _checked("", key, value, text, where)
        elif not isinstance(value, dict):
            raise InvalidValueError(
                f"{place(where, text, '', key)}: {key!r} is {value!r:.40}, wanted a [{key}] table"
            )
        else:
            tables[key] = {
                name: _checked(key, name, inner, text, where) for name, inner in value.items()
            }
    return tables


def _checked(table: str, key: str, value: Any, text: str, where: str) -> Any:
    known = TABLES[table]
    here = place(where, text, table, key)
    if key not in known:
        tables = ", ".join(f"[{name}]" for name in TABLES if name)
        raise InvalidValueError(
            f"{here}: unknown key {key!r}" + (f" in [{table}]" if table else ""),
            hint=f"known here: {', '.join(known)}" + ("" if table else f" and {tables}"),
        )
    wanted = known[key]
    # TOML keeps 1 and 1.0 apart, people do not; true is an int in Python, in a profile it is not.
    if wanted is float and type(value) is int:
        value = float(value)
    fits = type(value) is wanted
    if fits and wanted is list:
        fits = all(isinstance(item, str) for item in value)
    if fits and wanted is float:
        fits = math.isfinite(value)
    if not fits:
        raise InvalidValueError(f"{here}: {key!r} is {value!r:.60}, wanted {_WISHES[wanted]}")
    return value
