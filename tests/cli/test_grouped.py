"""What is typed reaches the command, whatever it is called: every option of every command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from edgecls.cli.declared import mark_of, option_of
from edgecls.cli.grouped import fill_in
from edgecls.cli.main import make_app
from tests.cli.conftest import Cli

COMMANDS: dict[str, Any] = typer.main.get_command(make_app()).commands  # type: ignore[attr-defined]
ODD = ("-", "", "-1", "-0.5", "=", "--", "--=", "--view=x", "a b", "é", "-0m", "-m", "digits")


def names_of(parameter: Any) -> set[str]:
    """All that a parameter is called: with dashes, without, and in the help."""
    names = {*parameter.opts, *parameter.secondary_opts}
    return names | {name.lstrip("-") for name in names} | {parameter.metavar or parameter.name}


WORDS = sorted(
    {name for command in COMMANDS.values() for one in command.params for name in names_of(one)}
    | {*COMMANDS, *ODD}
)
ARGUMENTS = [
    pytest.param(name, one, id=f"{name}, {one.name}")
    for name, command in COMMANDS.items()
    for one in command.params
    if one.param_type_name == "argument"
]


def may_stand_alone(option: Any) -> bool:
    """Whether the help shows its value in brackets."""
    return str(option.metavar).startswith("[")


def lines(name: str) -> Iterator[list[str]]:
    """Command lines that give each option of a command each word, in every way to spell it."""
    options = [
        one
        for one in COMMANDS[name].params
        if one.param_type_name == "option" and not one.is_flag and not may_stand_alone(one)
    ]
    for word in WORDS:
        yield [part for one in options for part in (one.opts[0], word)]
        for spelt in (spelt for one in options for spelt in one.opts):
            yield [spelt, word]
            yield [spelt, word, "data"]
            yield [f"{spelt}={word}"] if spelt.startswith("--") else [f"{spelt}{word}"]
        yield ["data", "--", word]


def values_of(name: str, line: list[str]) -> dict[str, Any]:
    """What the command is called with."""
    context = COMMANDS[name].make_context(name, line, resilient_parsing=True)
    values: dict[str, Any] = context.params
    return values


@pytest.mark.fault(154)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_value_of_an_option_is_rewritten(name: str) -> None:
    command = COMMANDS[name]
    filled_in = getattr(command, "filled_in", list)  # a signpost has no options
    assert [line for line in lines(name) if filled_in(list(line)) != line] == []


@pytest.mark.fault(154)
@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_an_argument_may_be_any_word(name: str, argument: Any) -> None:
    words = [argument.name, str(argument.metavar), "data", "folder", "model", "view", name]
    taken = [str(values_of(name, [*[word] * 3])[argument.name]) for word in words]
    assert [word for word, value in zip(words, taken, strict=True) if word not in value] == []


@pytest.mark.fault(154)
@pytest.mark.parametrize(
    ("line", "missing"),
    [
        pytest.param("train data", "folder 'data'", id="train data"),
        pytest.param("train photos --out data", "folder 'photos'", id="--out data"),
        pytest.param("train --out data data --recipe cnn", "folder 'data'", id="both"),
        pytest.param("tune data --out data", "folder 'data'", id="tune data"),
        pytest.param("label folder -m model --into folder", "file 'model'", id="label folder"),
    ],
)
def test_a_folder_may_be_called_as_the_argument_is(
    line: str, missing: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("edgecls_train")
    monkeypatch.chdir(tmp_path)
    result = cli(*line.split())
    assert result.stderr.startswith("error: ")
    assert f" no {missing}" in result.stderr
    assert result.exit_code == 1


PATHS = [
    pytest.param(name, one, id=f"{name}, {one.name}")
    for name, command in COMMANDS.items()
    for one in command.params
    if mark_of(command.callback, one.name) is not None
]


def with_empty(command: Any, empty: Any) -> list[str]:
    """A command line that is complete, but that one option or argument is an empty word."""
    options = [
        part
        for one in command.params
        if one.param_type_name == "option" and (one is empty or one.required)
        for part in (one.opts[0], "" if one is empty else "x")
    ]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    return [*options, *("" if one is empty else "x" for one in arguments)]


@pytest.mark.fault(150)
@pytest.mark.parametrize(("name", "one"), PATHS)
def test_an_empty_name_is_not_the_current_folder(
    name: str, one: Any, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli(name, *with_empty(COMMANDS[name], one))
    assert result.exit_code == 1
    problem, hint = result.stderr.splitlines()
    assert problem == f"error: {option_of(COMMANDS[name].callback, one.name)} is an empty name"
    assert hint == "  hint: is a variable not set? The current folder is '.'"
    assert list(tmp_path.iterdir()) == []


VALUES = {"--out": 1, "--pair": 2, "--flag": 0, "-o": 1, "-f": 0}


@pytest.mark.fault(154)
@pytest.mark.parametrize(
    ("line", "filled"),
    [
        pytest.param("--view", "--view=", id="at the end"),
        pytest.param("--view --flag", "--view= --flag", id="before a flag"),
        pytest.param("--view -f", "--view= -f", id="before a short option"),
        pytest.param("--view -- x", "--view= -- x", id="before the end of the options"),
        pytest.param("--view --view :1", "--view= --view :1", id="twice"),
        pytest.param("--view :1 --view", "--view :1 --view=", id="twice, the other way round"),
        pytest.param("--view out", "--view out", id="before a word that an option is called"),
        pytest.param("--view -", "--view -", id="before a single dash"),
        pytest.param("--view= x", "--view= x", id="with an equals sign"),
        pytest.param("--view=-1", "--view=-1", id="with a negative number"),
        pytest.param("--out --view", "--out --view", id="where it is the value of another"),
        pytest.param("-o --view", "-o --view", id="or of a short one"),
        pytest.param("-fo --view", "-fo --view", id="or of two short ones in one word"),
        pytest.param("-ofile --view", "-ofile --view=", id="not where that has its value already"),
        pytest.param("--pair --view --view --view", "--pair --view --view --view=", id="of a pair"),
        pytest.param("-- --view", "-- --view", id="nothing behind the end of the options"),
        pytest.param("--odd --view", "--odd --view=", id="behind an option that nobody knows"),
    ],
)
def test_an_option_that_stands_alone_is_empty(line: str, filled: str) -> None:
    assert " ".join(fill_in(line.split(), VALUES, {"--view"})) == filled


@pytest.mark.parametrize("line", [["--view"], ["--view", "--out"], ["--view", "--", "-1"]])
def test_the_words_given_are_not_changed_in_place(line: list[str]) -> None:
    before = list(line)
    fill_in(line, VALUES, {"--view"})
    assert line == before


def test_every_command_of_the_package_is_looked_at() -> None:
    assert len(COMMANDS) == 19
    assert len(WORDS) > 300
