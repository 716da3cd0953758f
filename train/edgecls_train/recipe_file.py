"""Recipes as TOML files: the built-in ones, the user's own, and the one a run keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from edgecls.contract.files import read_regular_file
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.toml import parse_toml, place
from edgecls.errors import InvalidValueError, RecipeError
from edgecls_train.knobs import TYPE_NAMES
from edgecls_train.recipe import (
    Augmentation,
    Backbone,
    Loss,
    Optimizer,
    Recipe,
    Regularization,
)
from edgecls_train.recipe_keys import TABLES, section_of

MAX_RECIPE_BYTES: Final = 1 << 20
_REQUIRED: Final = (("", "name"), ("image", "size"))


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
        table = parse_toml(text)
    except ValueError as wrong:
        raise RecipeError(f"{where} is not TOML: {wrong}") from wrong
    tables = _check_keys(table, text, where)
    image = dict(tables["image"])
    image["size"] = tuple(image["size"])
    layers = tuple(map(str, tables[""].pop("layers", ())))
    backbone = tables["backbone"]
    try:
        return Recipe(
            **tables[""],
            layers=layers,
            preprocessing=Preprocessing(**image),
            backbone=Backbone(**backbone) if backbone else None,
            optimizer=Optimizer(**tables["optimizer"]),
            loss=Loss(**tables["loss"]),
            regularization=Regularization(**tables["regularization"]),
            augmentation=Augmentation(**tables["augmentation"]),
        )
    except (RecipeError, InvalidValueError) as wrong:
        raise RecipeError(f"{where}: {wrong.problem}", hint=wrong.hint) from wrong


def recipe_to_toml(recipe: Recipe) -> str:
    """The whole recipe as TOML text that `parse_recipe` reads back to an equal one."""
    lines: list[str] = []
    for table, keys in TABLES.items():
        section = section_of(recipe, table)
        if section is None:
            continue
        lines += ["", f"[{table}]"] if table else []
        for key in keys:
            if key != "layers" or recipe.layers:
                lines.append(f"{key} = {_to_toml(getattr(section, key))}")
    return "\n".join(lines) + "\n"


def _check_keys(table: Mapping[str, Any], text: str, where: str) -> dict[str, dict[str, Any]]:
    """Split a file into its tables, every key known and of its type."""
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    for key, value in table.items():
        if key not in TABLES or not key:
            tables[""][key] = _checked("", key, value, text, where)
        elif not isinstance(value, dict):
            here = place(where, text, "", key)
            raise RecipeError(f"{here}: {key!r} is {value!r:.40}, wanted a [{key}] table")
        else:
            tables[key] = {
                inner: _checked(key, inner, inner_value, text, where)
                for inner, inner_value in value.items()
            }
    needed = (*_REQUIRED, *([("backbone", "name")] if "backbone" in table else []))
    for name, key in needed:
        if key not in tables[name]:
            raise RecipeError(
                f"{where} has no {key!r}" + (f" in [{name}]" if name else ""),
                hint="begin with a copy of a built-in recipe",
            )
    return tables


def _checked(table: str, key: str, value: Any, text: str, where: str) -> Any:
    here = place(where, text, table, key)
    known = TABLES[table]
    if key not in known:
        tables = ", ".join(f"[{name}]" for name in TABLES if name)
        raise RecipeError(
            f"{here}: unknown key {key!r}" + (f" in [{table}]" if table else ""),
            hint=f"known here: {', '.join(known)}" + ("" if table else f" and {tables}"),
        )
    wanted = known[key].type
    # TOML keeps 1 and 1.0 apart, people do not; true is an int in Python, in a recipe it is not.
    if wanted is float and type(value) is int:
        return float(value)
    fits = type(value) is wanted
    if key == "layers" and fits:
        fits = all(isinstance(layer, str) for layer in value)
    if not fits:
        wish = "a list of texts" if key == "layers" else TYPE_NAMES[wanted]
        raise RecipeError(f"{here}: {key!r} is {value!r:.60}, wanted {wish}")
    return value


def _to_toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_to_toml, value)) + "]"
    return repr(value)
