"""The command line as a tree: its commands, their parameters, and what each is declared as."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer.main

from edgecls.cli.declared import mark_of, option_of
from edgecls.storage.targets import Kind, Mark, Writes

# What tells a parameter that names a file or folder from one that names a label or a number.
_WORDS: Final = re.compile(
    r"\b(files?|folders?|director(y|ies)|paths?|dir|(over)?writ(es?|ten)|append(ed)?|saved?|cop(y|ies)"
    r"|out|output|into)\b",
    re.IGNORECASE,
)
_NUMBERS: Final = ("boolean", "int", "int range", "float", "float range")


class Parameter(NamedTuple):
    """A parameter of a command, as the command line has it."""

    command: str
    name: str
    option: str
    is_path: bool
    help: str
    mark: Mark | None

    def __str__(self) -> str:
        return f"{self.command} {self.option}"

    @property
    def may_name_a_file(self) -> bool:
        """Whether it is a path, or text of which the help speaks as of one."""
        said = f"{self.name.replace('_', ' ')} {self.help}"
        return self.is_path or _WORDS.search(said) is not None

    @property
    def kind(self) -> Kind | None:
        """What it writes; None where it writes nothing."""
        return self.mark.kind if isinstance(self.mark, Writes) else None


def walk(app: typer.Typer) -> Iterator[Parameter]:
    """Every parameter that takes a text or a path, of every command."""
    functions = {info.name: info.callback for info in app.registered_commands}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        function: Callable[..., Any] = inspect.unwrap(functions[name])
        for parameter in command.params:
            kind = parameter.type.name
            if kind in _NUMBERS:
                continue
            yield Parameter(
                name,
                parameter.name,
                option_of(function, parameter.name),
                kind in ("path", "file", "filename", "directory"),
                f"{getattr(parameter, 'help', None)} {parameter.metavar}",
                mark_of(function, parameter.name),
            )


def contents(folder: Path) -> dict[str, str]:
    """Everything below a folder: kind and bytes of each, so that any change shows."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(where, name)
            found[str(path.relative_to(folder))] = _state(path)
    return found


def _state(path: Path) -> str:
    if path.is_symlink():
        return f"link to {os.readlink(path)}"
    if path.is_dir():
        return "folder"
    if not path.is_file():
        return "device"
    return hashlib.sha256(path.read_bytes()).hexdigest()
