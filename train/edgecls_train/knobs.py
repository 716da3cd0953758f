"""Knobs: what a recipe's fields may hold, said once, beside the field.

A field made by one of these functions is a key in the recipe's TOML, a flag of `edgecls train`
with this help, and is checked when a recipe is built; none of the three can drift from the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from edgecls.errors import RecipeError

Value: TypeAlias = str | int | float | bool | tuple[Any, ...]

_METADATA: Final = "knob"
TYPE_NAMES: Final[dict[type, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
}


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that a recipe decides.

    Args:
        help: One sentence for `--help`.
        type: As TOML has it: str, int, float, bool or list.
        least: The smallest number it may be.
        most: The largest number it may be.
        choices: The words it may be; empty: any text.
        flag: Of `edgecls train`, when it is not the key's own name: `imgsz` is `--imgsz`.
    """

    help: str
    type: type
    least: float = 0.0
    most: float = 0.0
    choices: tuple[str, ...] = ()
    flag: str = ""

    def check(self, name: str, value: Any) -> None:
        """Refuse a value of another type or out of range.

        Raises:
            RecipeError: It quotes the name and the value, and says what may stand there.
        """
        if self.type in (int, float):
            numbers = (int,) if self.type is int else (int, float)
            # Not a number compares false with everything, and true is no number here.
            fits = type(value) in numbers and self.least <= value <= self.most
            if not fits:
                raise RecipeError(f"{name} {value!r} is not in {self.least:g} to {self.most:.10g}")
        elif self.choices and value not in self.choices:
            raise RecipeError(f"{name} {value!r} is none of {', '.join(map(repr, self.choices))}")
        elif self.type is bool and type(value) is not bool:
            raise RecipeError(f"{name} {value!r} is neither true nor false")


def number(default: float, least: float, most: float, help: str, *, flag: str = "") -> Any:
    """A field that holds a real number."""
    return _field(Knob(help, float, least, most, flag=flag), default)


def count(default: int, least: int, most: int, help: str) -> Any:
    """A field that holds a whole number."""
    return _field(Knob(help, int, least, most), default)


def switch(default: bool, help: str) -> Any:
    """A field that is on or off."""
    return _field(Knob(help, bool), default)


def choice(default: str, choices: tuple[str, ...], help: str, *, flag: str = "") -> Any:
    """A field that holds one of some words."""
    return _field(Knob(help, str, choices=choices, flag=flag), default)


def text(help: str, default: str | None = None, *, flag: str = "") -> Any:
    """A field that holds any text; without a default it must be given."""
    return _field(Knob(help, str, flag=flag), dataclasses.MISSING if default is None else default)


def texts(help: str) -> Any:
    """A field that holds a tuple of texts, which may be empty."""
    return _field(Knob(help, list), ())


def knobs_of(section: type) -> Iterator[tuple[str, Knob]]:
    """Name and knob of every field of a dataclass that is one, in order."""
    for field in dataclasses.fields(section):
        if _METADATA in field.metadata:
            yield field.name, field.metadata[_METADATA]


def check_knobs(section: Any, names: Callable[[str], str] = str) -> None:
    """Refuse a dataclass with a field out of its range; call it from `__post_init__`.

    Args:
        section: The dataclass.
        names: What a field is called in messages.

    Raises:
        RecipeError: The first such field.
    """
    for name, knob in knobs_of(type(section)):
        knob.check(names(name), getattr(section, name))


def _field(knob: Knob, default: Any) -> Any:
    return dataclasses.field(default=default, metadata={_METADATA: knob})
