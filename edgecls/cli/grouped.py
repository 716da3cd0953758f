"""Help with headings: options of one panel stand together, as a page of sixty needs it."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand

_PLAIN: Final = "Options"


class GroupedCommand(TyperCommand):
    """A command whose options stand under the heading that `rich_help_panel` gives them.

    An option whose metavar begins with `[` may stand alone, and is then empty: `--view` beside
    `--view 0.0.0.0:8080`. Typer itself has no such options.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with the values that were left out."""
        return super().parse_args(ctx, self._fill_in(args))

    def _fill_in(self, args: list[str]) -> list[str]:
        optional = {
            name
            for parameter in self.params
            if (getattr(parameter, "metavar", None) or "").startswith("[")
            for name in parameter.opts
        }
        filled: list[str] = []
        for arg, following in zip(args, [*args, "-"][1:], strict=True):
            filled.append(arg)
            if arg in optional and following.startswith("-"):
                filled.append("")
        return filled

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
