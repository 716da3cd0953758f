"""Every key a recipe may have, by table: what its TOML, the flags and their help are made from."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from edgecls.contract.preprocessing import Channels, Crop
from edgecls.errors import InvalidValueError, RecipeError
from edgecls_train.knobs import Knob, knobs_of
from edgecls_train.recipe import (
    Augmentation,
    Backbone,
    Loss,
    Optimizer,
    Recipe,
    Regularization,
)

# The card's own dataclass knows no knobs: it travels to boards.
_IMAGE: Final = {
    "size": Knob("Height and width of the image, in pixels: 96 or 96x128.", list, flag="imgsz"),
    "channels": Knob("Colour or gray images.", str, choices=get_args(Channels)),
    "crop": Knob("How a picture becomes an image of that shape.", str, choices=get_args(Crop)),
    "crop_fraction": Knob("For center: how much of the middle is kept.", float, 0.0, 1.0),
}
# In the order in which a recipe is written; "" is the top of the file.
TABLES: Final[Mapping[str, Mapping[str, Knob]]] = {
    "": dict(knobs_of(Recipe)),
    "image": _IMAGE,
    "backbone": dict(knobs_of(Backbone)),
    "optimizer": dict(knobs_of(Optimizer)),
    "loss": dict(knobs_of(Loss)),
    "regularization": dict(knobs_of(Regularization)),
    "augmentation": dict(knobs_of(Augmentation)),
}
# Table -> the field of a recipe that holds it.
_FIELDS: Final = {"image": "preprocessing"}


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """A key of a recipe as an option of the command line; `name` is a Python name."""

    name: str
    table: str
    key: str
    knob: Knob

    @property
    def option(self) -> str:
        """As people type it: `--batch-size`, `--flip/--no-flip`."""
        dashed = self.name.replace("_", "-")
        return f"--{dashed}/--no-{dashed}" if self.knob.type is bool else f"--{dashed}"


FLAGS: Final = tuple(
    Flag(knob.flag or key, table, key, knob)
    for table, keys in TABLES.items()
    for key, knob in keys.items()
)

# What may change between two epochs of one training: neither the pictures, nor what each of them
# is for, nor the network and the states of its optimizer hang on it.
CHANGEABLE: Final = frozenset(
    {"epochs", "learning_rate", "finetune_learning_rate", "weight_decay", "l1", "l2"}
    | {"name", "description"}
)


def section_of(recipe: Recipe, table: str) -> Any:
    """The dataclass that holds a table of `TABLES`; None for a backbone that is not there."""
    return getattr(recipe, _FIELDS.get(table, table)) if table else recipe


def find_changes(before: Recipe, now: Recipe) -> dict[Flag, tuple[Any, Any]]:
    """The keys in which two recipes differ, each with both values; None where there is no key."""
    found = {}
    for flag in FLAGS:
        old, new = (
            getattr(section_of(recipe, flag.table), flag.key, None) for recipe in (before, now)
        )
        if old != new:
            found[flag] = (old, new)
    return found


def override_recipe(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """A copy of a recipe with what flags say.

    A backbone takes the place of layers, and layers that of a backbone.

    Args:
        recipe: Not changed.
        given: Flag name -> value; None is a flag that was not given.

    Raises:
        RecipeError: A value out of range or two that do not go together; or a flag of a backbone
            for a recipe that has none.
    """
    flags = {flag.name: flag for flag in FLAGS}
    changes: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for name, value in given.items():
        if value is not None:
            flag = flags[name]
            changes[flag.table][flag.key] = _parse(flag, value)
    top = changes.pop("")
    if "name" in changes["backbone"] and "layers" not in top:
        top["layers"] = ()
    elif "layers" in top and not changes["backbone"]:
        top["backbone"] = None
    for table, changed in changes.items():
        if changed:
            top[_FIELDS.get(table, table)] = _replaced(recipe, table, changed)
    return dataclasses.replace(recipe, **top)


def _replaced(recipe: Recipe, table: str, changed: dict[str, Any]) -> Any:
    section = section_of(recipe, table)
    if section is None and "name" not in changed:
        flag = next(flag for flag in FLAGS if flag.table == table and flag.key in changed)
        raise RecipeError(
            f"{flag.option} is for a backbone, and the recipe {recipe.name!r} has none",
            hint="choose one with --backbone; in layers, 'dropout 0.3' is a layer",
        )
    try:
        return Backbone(**changed) if section is None else dataclasses.replace(section, **changed)
    except InvalidValueError as wrong:  # of the card's preprocessing
        raise RecipeError(wrong.problem, hint=f"choose another {_options(table, changed)}") from (
            wrong
        )


def _options(table: str, changed: Mapping[str, Any]) -> str:
    return " or ".join(f.option for f in FLAGS if f.table == table and f.key in changed)


def _parse(flag: Flag, value: Any) -> Any:
    if flag.key == "size":
        return parse_size(str(value))
    if flag.key == "layers":
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    return value


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) from `96` or `96x128`.

    Raises:
        RecipeError: It is neither.
    """
    if not (match := re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text)):
        raise RecipeError(
            f"image size {text!r} is neither a side nor HEIGHTxWIDTH", hint="such as 96 or 96x128"
        )
    height = int(match[1])
    return height, int(match[2]) if match[2] else height
