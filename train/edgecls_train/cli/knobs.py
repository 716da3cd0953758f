"""Every key of a recipe as an option of a command: made from one table, so none is forgotten."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import typer

from edgecls.errors import RecipeError
from edgecls_train.knobs import Knob
from edgecls_train.recipe_keys import FLAGS, Flag

Command = TypeVar("Command", bound=Callable[..., None])

# The heading in `--help` under which the keys of a table stand.
_PANELS: Final = {
    "": "Training",
    "image": "Image",
    "backbone": "Backbone",
    "optimizer": "Optimizer",
    "loss": "Loss",
    "regularization": "Regularization",
    "augmentation": "Augmentation, at random and anew in every epoch",
}
_METAVARS: Final = {int: "N", float: "X", str: "TEXT", list: "TEXT"}


def with_knobs(command: Command) -> Command:
    """Give a command that takes `**knobs` one option for every key of a recipe.

    An option that is not given is None: the recipe decides.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    knobs = [
        inspect.Parameter(
            flag.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(flag)
        )
        for flag in FLAGS
    ]
    parameters = [*own, *knobs]
    # Typer reads both.
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return command


def _annotation(flag: Flag) -> Any:
    knob = flag.knob
    kind: Any = str if knob.type is list else knob.type
    return Annotated[
        kind | None,
        typer.Option(
            flag.option,
            help=knob.help,
            metavar=None if knob.type is bool else _metavar(flag.name, knob),
            callback=_checker(flag),
            show_default=False,
            rich_help_panel=_PANELS[flag.table],
        ),
    ]


def _checker(flag: Flag) -> Callable[[Any], Any]:
    """Wrong usage is told before anything heavy is imported, and without ranges in the help."""

    def check(value: Any) -> Any:
        if value is not None and flag.knob.type is not list:
            try:
                flag.knob.check(flag.name, value)
            except RecipeError as wrong:
                raise typer.BadParameter(wrong.problem) from wrong
        return value

    return check


def _metavar(name: str, knob: Knob) -> str:
    if knob.choices:
        return "|".join(knob.choices)
    return {"imgsz": "N|HxW", "layers": "WORDS"}.get(name, _METAVARS[knob.type])
