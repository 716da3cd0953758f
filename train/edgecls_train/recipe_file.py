"""Recipes as TOML files: the built-in ones, the user's own, and the one a run keeps."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from edgecls.contract.files import read_regular_file
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError, RecipeError
from edgecls_train.recipe import Augmentation, Optimizer, Recipe

MAX_RECIPE_BYTES: Final = 1 << 20
# Table -> key -> type, in the order in which they are written; "" is the top of the file.
_KEYS: Final[Mapping[str, Mapping[str, type]]] = {
    "": {
        "name": str,
        "description": str,
        "epochs": int,
        "batch_size": int,
        "seed": int,
        "loss": str,
        "layers": list,
    },
    "image": {"size": list, "channels": str, "crop": str, "crop_fraction": float},
    "optimizer": {"name": str, "learning_rate": float, "schedule": str},
    "augmentation": {"shift": float, "rotation_degrees": float, "zoom": float, "flip": bool},
}
_REQUIRED: Final = (("", "name"), ("", "layers"), ("image", "size"))
_TYPE_NAMES: Final = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
}


def load_recipe(name_or_file: str) -> Recipe:
    """Load a built-in recipe by its name, or a TOML file by its path.

    Raises:
        RecipeError: Neither; or the file has an unknown key, a wrong type or a wrong value.
    """
    if name_or_file in known_recipes():
        source = resources.files("edgecls_train") / "recipes" / f"{name_or_file}.toml"
        return parse_recipe(source.read_text("utf-8"), f"{name_or_file}.toml")
    path = Path(name_or_file)
    if path.suffix != ".toml":
        raise RecipeError(
            f"there is no recipe {name_or_file!r}",
            hint=f"known recipes: {', '.join(known_recipes())}; or give a .toml file",
        )
    content = read_regular_file(path, MAX_RECIPE_BYTES, RecipeError)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise RecipeError(f"{str(path)!r} is not UTF-8 text", hint="save it as UTF-8") from wrong
    return parse_recipe(text, str(path))


def known_recipes() -> list[str]:
    """Names of the built-in recipes."""
    folder = resources.files("edgecls_train") / "recipes"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def parse_recipe(text: str, where: str) -> Recipe:
    """Read a recipe from TOML text.

    Args:
        text: The file's content.
        where: The file's name, for messages.

    Raises:
        RecipeError: It names the key and, where it can be told, the line.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise RecipeError(f"{where} is not TOML: {wrong}") from wrong
    tables = _check_keys(table, text, where)
    image = dict(tables["image"])
    image["size"] = tuple(image["size"])
    layers = tuple(map(str, tables[""].pop("layers")))
    try:
        return Recipe(
            layers=layers,
            preprocessing=Preprocessing(**image),
            optimizer=Optimizer(**tables["optimizer"]),
            augmentation=Augmentation(**tables["augmentation"]),
            **tables[""],
        )
    except (RecipeError, InvalidValueError) as wrong:
        raise RecipeError(f"{where}: {wrong.problem}", hint=wrong.hint) from wrong


def recipe_to_toml(recipe: Recipe) -> str:
    """The whole recipe as TOML text that `parse_recipe` reads back to an equal one."""
    size = list(recipe.preprocessing.size)
    sources: dict[str, Any] = {
        "": recipe,
        "image": recipe.preprocessing,
        "optimizer": recipe.optimizer,
        "augmentation": recipe.augmentation,
    }
    lines: list[str] = []
    for table, keys in _KEYS.items():
        lines += ["", f"[{table}]"] if table else []
        for key in keys:
            value = size if key == "size" else getattr(sources[table], key)
            lines.append(f"{key} = {_to_toml(value)}")
    return "\n".join(lines) + "\n"


def _check_keys(table: Mapping[str, Any], text: str, where: str) -> dict[str, dict[str, Any]]:
    """Split a file into its tables, every key known and of its type."""
    tables: dict[str, dict[str, Any]] = {name: {} for name in _KEYS}
    for key, value in table.items():
        if key not in _KEYS or not key:
            tables[""][key] = _checked("", key, value, text, where)
        elif not isinstance(value, dict):
            place = f"{where}{_line_of(text, '', key)}"
            raise RecipeError(f"{place}: {key!r} is {value!r:.40}, wanted a [{key}] table")
        else:
            tables[key] = {
                inner: _checked(key, inner, inner_value, text, where)
                for inner, inner_value in value.items()
            }
    for name, key in _REQUIRED:
        if key not in tables[name]:
            raise RecipeError(
                f"{where} has no {key!r}" + (f" in [{name}]" if name else ""),
                hint="begin with a copy of a built-in recipe",
            )
    return tables


def _checked(table: str, key: str, value: Any, text: str, where: str) -> Any:
    place = f"{where}{_line_of(text, table, key)}"
    known = _KEYS[table]
    if key not in known:
        tables = ", ".join(f"[{name}]" for name in _KEYS if name)
        raise RecipeError(
            f"{place}: unknown key {key!r}" + (f" in [{table}]" if table else ""),
            hint=f"known here: {', '.join(known)}" + ("" if table else f" and {tables}"),
        )
    wanted = known[key]
    # TOML keeps 1 and 1.0 apart, people do not; true is an int in Python, in a recipe it is not.
    if wanted is float and type(value) is int:
        return float(value)
    fits = type(value) is wanted
    if key == "layers" and fits:
        fits = all(isinstance(layer, str) for layer in value)
    if not fits:
        wish = "a list of texts" if key == "layers" else _TYPE_NAMES[wanted]
        raise RecipeError(f"{place}: {key!r} is {value!r:.60}, wanted {wish}")
    return value


def _line_of(text: str, table: str, key: str) -> str:
    """` line N`, where `key` of `table` is set in TOML text; empty when it cannot be told."""
    inside = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(#.*)?$", line):
            inside = header[1]
            if not table and inside == key:
                return f", line {number}"
        elif inside == table and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*[.=]""", line):
            return f", line {number}"
    return ""


def _to_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_to_toml, value)) + "]"
    return repr(value)
