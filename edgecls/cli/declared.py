"""What a command reads and writes, as its options declare it; the rule is in `storage.guard`."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.storage.targets import Mark, Reads, Sorts, Writes

if TYPE_CHECKING:
    from edgecls.storage.guard import Input


def refuse_targets(command: Callable[..., None], options: Mapping[str, Any]) -> None:
    """Refuse what a command must not write to, before it does anything.

    Args:
        command: Whose annotations hold `Reads`, `Writes` or `Sorts` beside Typer's own.
        options: As it is called.

    Raises:
        TargetError: See `storage.guard.check_targets`.
    """
    # Looked up only for what is a path: of the sixty options of `camera` two or three are.
    written = {
        name: mark
        for name, value in options.items()
        if isinstance(value, Path) and isinstance(mark := mark_of(command, name), Writes)
    }
    if not written:
        return
    from edgecls.storage.guard import Target, check_targets

    targets = [
        Target(option_of(command, name), options[name], mark.kind) for name, mark in written.items()
    ]
    check_targets(targets, _inputs(command, options))


def mark_of(command: Callable[..., None], name: str) -> Mark | None:
    """What is declared of a parameter."""
    marks = [m for m in _metadata(command, name) if isinstance(m, Reads | Writes | Sorts)]
    return marks[0] if marks else None


def option_of(command: Callable[..., None], name: str) -> str:
    """How a parameter is written on the command line: `--csv`, or the name of an argument."""
    for info in _metadata(command, name):
        if type(info).__name__ == "ArgumentInfo":
            return str(info.metavar or name.upper()).strip("[]")
        # Typer takes the first name of an annotated option for its default.
        names = (getattr(info, "default", None), *(getattr(info, "param_decls", None) or ()))
        if long := next((n for n in names if isinstance(n, str) and n.startswith("--")), ""):
            return long.partition("/")[0]
    return "--" + name.replace("_", "-")


def _inputs(command: Callable[..., None], options: Mapping[str, Any]) -> Iterator[Input]:
    from edgecls.storage.guard import Input

    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        paths = [Path(each) for each in values if isinstance(each, str | Path) and str(each)]
        if paths and isinstance(mark_of(command, name), Reads | Sorts):
            for path in paths:
                yield Input(option_of(command, name), path)


def _metadata(command: Callable[..., None], name: str) -> tuple[Any, ...]:
    command = inspect.unwrap(command)
    annotation = command.__annotations__.get(name)
    if isinstance(annotation, str):
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        names = getattr(command, "__globals__", {})
        annotation = typing.get_type_hints(holder, names, include_extras=True)[name]
    return getattr(annotation, "__metadata__", ())
