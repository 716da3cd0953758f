"""The documentation cannot lie: every command has a page, an example and today's help."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


def load_generator() -> ModuleType:
    path = ROOT / "docs" / "commands" / "generate.py"
    spec = importlib.util.spec_from_file_location("docs_generate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()
COMMANDS = GENERATOR.command_names()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_with_an_example(command: str) -> None:
    page = (ROOT / "docs" / "commands" / f"{command}.md").read_text("utf-8")
    assert page.startswith(f"# edgecls {command}\n")
    assert f"    edgecls {command}" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_shows_todays_help(command: str) -> None:
    page = (ROOT / "docs" / "commands" / f"{command}.md").read_text("utf-8")
    assert "<!-- help -->" in page
    assert GENERATOR.refresh(page, command) == page, "run 'make docs'"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_the_command_does_and_gives_an_example(command: str) -> None:
    text = GENERATOR.help_of(command)
    assert re.search(rf"^ +edgecls {command}\b", text, re.MULTILINE)


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    missing = [name for name in COMMANDS if not re.search(rf"`{name}\b", readme)]
    assert missing == []


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("devices/**/*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []
