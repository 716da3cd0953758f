"""Help with headings, and options that may stand alone: what Typer itself does not have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import typer
from typer.core import TyperCommand

from edgecls.cli.declared import mark_of, option_of
from edgecls.console import print_error

_PLAIN: Final = "Options"


class GroupedCommand(TyperCommand):
    """A command whose options stand under the heading that `rich_help_panel` gives them.

    An option whose metavar begins with `[` may stand alone, and is then empty: `--view` beside
    `--view 0.0.0.0:8080`. Typer itself has no such options.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with the values that were left out.

        Raises:
            typer.Exit: The name of a file or folder is empty, which it has said.
        """
        rest = super().parse_args(ctx, self.filled_in(args))
        if not ctx.resilient_parsing:
            self._refuse_empty_names(ctx)
        return rest

    def filled_in(self, args: list[str]) -> list[str]:
        """The words as the library gets them; other than given only where an option stands alone.

        See `fill_in`.
        """
        optional = {name for one in self._options() if _is_optional(one) for name in _names(one)}
        if not optional.intersection(args):
            return args
        taken = {name: _value_count(one) for one in self._options() for name in _names(one)}
        return fill_in(args, taken, optional)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, options without a heading, then each heading with its options."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], _PLAIN: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                panel = getattr(parameter, "rich_help_panel", None) or _PLAIN
                groups.setdefault("Arguments" if is_argument else panel, []).append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def _refuse_empty_names(self, ctx: Any) -> None:
        if self.callback is None:
            return
        # Here, where they are words yet: as a path, an empty name is the current folder, and
        # `collect "$DATA"` of a variable that is not set would fill that one.
        for name, given in ctx.params.items():
            is_empty = given == "" or (isinstance(given, list | tuple) and "" in given)
            if is_empty and mark_of(self.callback, name) is not None:
                print_error(
                    f"{option_of(self.callback, name)} is an empty name",
                    "is a variable not set? The current folder is '.'",
                )
                raise typer.Exit(1)

    def _options(self) -> list[Any]:
        # An argument has a name and a metavar, too: `[DATA]` is no option called `data`.
        return [one for one in self.params if one.param_type_name == "option"]


def fill_in(args: list[str], values: Mapping[str, int], optional: Collection[str]) -> list[str]:
    """Give an option that stands alone its empty value: `--view` becomes `--view=`.

    The words are read as the library reads them: the word behind an option that takes one is its
    value whatever it looks like, and nothing behind `--` is an option.

    Args:
        args: The words behind the command.
        values: How many words each option takes, by its name with dashes.
        optional: Those options whose value may be left out: at the end of the line, and before
            another option. A single `-` is a value.

    Returns:
        The same words but for those options.
    """
    filled: list[str] = []
    rest = list(args)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        count = _values_behind(word, values)
        if word in optional and (not rest or _looks_like_option(rest[0])):
            word, count = f"{word}=", 0
        filled += [word, *rest[:count]]
        del rest[:count]
    return filled + rest


def _values_behind(word: str, values: Mapping[str, int]) -> int:
    """How many of the next words belong to this one: `-m FILE`, and `-0m FILE` in one word."""
    if word in values or word[:1] != "-" or word[:2] == "--":
        return values.get(word, 0)
    for place, letter in enumerate(word[1:], start=2):
        count = values.get(f"-{letter}", 0)
        if count:
            return count if place == len(word) else count - 1
    return 0


def _looks_like_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _is_optional(option: Any) -> bool:
    return (option.metavar or "").startswith("[")


def _names(option: Any) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _value_count(option: Any) -> int:
    return 0 if option.is_flag or option.count else int(option.nargs)
