"""Writes the help of every command into its page; `make docs` runs it, a test checks it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from edgecls.cli.main import make_app

PAGES: Final = Path(__file__).parent
_HELP: Final = re.compile(r"(?<=<!-- help -->\n```text\n).*?(?=```\n<!-- /help -->)", re.DOTALL)


def command_names() -> list[str]:
    """Every command there is, in the order of `edgecls --help`."""
    return [command.name for command in make_app().registered_commands if command.name]


def help_of(command: str) -> str:
    """What `edgecls COMMAND --help` prints on a terminal of 80 columns."""
    os.environ["COLUMNS"] = "80"
    result = CliRunner().invoke(make_app(), [command, "--help"], prog_name="edgecls")
    return "\n".join(line.rstrip() for line in result.output.splitlines()) + "\n"


def refresh(page: str, command: str) -> str:
    """A page with the help of today in it."""
    return _HELP.sub(lambda _: help_of(command), page)


def main() -> None:
    """Refresh every page."""
    for command in command_names():
        path = PAGES / f"{command}.md"
        path.write_text(refresh(path.read_text("utf-8"), command), "utf-8")


if __name__ == "__main__":
    main()
