"""A program per change: no shell, no second one beside it, no way in for a label."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from edgecls.errors import SinkError
from edgecls.sinks.command import CommandLimits, CommandSink
from tests.support.frames import change
from tests.support.patience import patience

Open = Callable[..., CommandSink]
QUICK = CommandLimits(min_interval_s=0.0, timeout_s=5.0)

REPORTER = """#!{python}
import json, os, sys
ours = {{name: value for name, value in os.environ.items() if name.startswith("EDGECLS_")}}
with open({out!r}, "a") as out:
    out.write(json.dumps([sys.argv[1:], ours]) + "\\n")
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def reporter(tmp_path: Path, out: Path) -> Path:
    """A program that writes its arguments and our variables down."""
    program = tmp_path / "reporter"
    program.write_text(REPORTER.format(python=sys.executable, out=str(out)))
    program.chmod(0o755)
    return program


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def open_sink(told: list[str]) -> Iterator[Open]:
    opened: list[CommandSink] = []

    def open_(text: str, limits: CommandLimits = QUICK) -> CommandSink:
        opened.append(CommandSink(text, told.append, limits))
        return opened[-1]

    yield open_
    for sink in opened:
        sink.close()


def reports(out: Path) -> list[Any]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + patience(5.0)
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    assert is_so()


SECRETS: Final = {
    "EDGECLS_MQTT_PASSWORD": "secret",
    "EDGECLS_SOURCE_PASSWORD": "secret",
    "EDGECLS_SOURCE_USER": "admin",
    "EDGECLS_TOKEN_FILE": "/run/token",
    "CREDENTIALS_DIRECTORY": "/run/credentials/edgecls",
    "NOTIFY_SOCKET": "/run/systemd/notify",
    "HASS_TOKEN": "secret",
    "MYSQL_PWD": "secret",
    "https_proxy": "http://me:secret@proxy:3128",
}


class TestArguments:
    def test_placeholders_are_filled_in(self, open_sink: Open, reporter: Path, out: Path) -> None:
        sink = open_sink(f"{reporter} 'now {{label}}' {{previous}} {{score}} {{frame}} {{}}")
        sink.handle(change(7, "cat", "dog", 0.5))
        sink.close()
        ((arguments, _),) = reports(out)
        assert arguments == ["now cat", "dog", "0.5000", "7", "{}"]

    @pytest.mark.parametrize(
        ("label", "argument"),
        [
            pytest.param("a b; rm -rf ~", "a b; rm -rf ~", id="spaces and a semicolon"),
            pytest.param("$(touch x) `id`", "$(touch x) `id`", id="what a shell would run"),
            pytest.param("{previous}", "{previous}", id="a placeholder"),
            pytest.param("'\"", "'\"", id="quotes"),
            pytest.param("--delete", "_-delete", id="what looks like an option"),
            pytest.param("a\0b", "a\\0b", id="a zero byte"),
        ],
    )
    def test_a_label_is_one_argument(
        self, open_sink: Open, reporter: Path, out: Path, label: str, argument: str
    ) -> None:
        sink = open_sink(f"{reporter} {{label}}")
        sink.handle(change(0, label, "dog"))
        sink.close()
        ((arguments, _),) = reports(out)
        assert arguments == [argument]

    @pytest.mark.fault(113)
    def test_the_environment_says_the_same_and_no_password(
        self, open_sink: Open, reporter: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        sink = open_sink(str(reporter))
        sink.handle(change(7, "--delete", "dog", 0.5))
        sink.close()
        ((_, variables),) = reports(out)
        assert variables["EDGECLS_LABEL"] == "--delete"
        assert variables["EDGECLS_PREVIOUS"] == "dog"
        assert variables["EDGECLS_SCORE"] == "0.5000"
        assert SECRETS.keys().isdisjoint(variables)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "does not begin with a program"),
            ("{label} x", "does not begin with a program"),
            ("no-such-program x", "there is no program 'no-such-program'"),
            ("echo {lable}", r"an unknown \{lable\}"),
            ("echo 'x", "cannot be split: No closing quotation"),
        ],
        ids=["nothing", "a label", "unknown", "misspelt", "an open quote"],
    )
    def test_a_command_that_cannot_work_is_refused_at_the_start(
        self, text: str, problem: str
    ) -> None:
        with pytest.raises(SinkError, match=problem):
            CommandSink(text)


class TestPace:
    def test_of_changes_in_quick_succession_the_newest_counts(
        self, open_sink: Open, reporter: Path, out: Path
    ) -> None:
        sink = open_sink(f"{reporter} {{label}}", CommandLimits(min_interval_s=60.0))
        sink.handle(change(0, "first"))
        wait_for(out.exists)
        for number in range(1, 5):
            sink.handle(change(number, f"label {number}"))
        sink.close()
        assert [arguments for arguments, _ in reports(out)] == [["first"], ["label 4"]]
        assert sink.counts == {"runs": 2, "errors": 0, "overtaken": 3}

    def test_a_slow_program_neither_holds_up_the_loop_nor_runs_twice(
        self, open_sink: Open, tmp_path: Path
    ) -> None:
        lock = tmp_path / "running"
        program = tmp_path / "slow"
        program.write_text(f"#!/bin/sh\nmkdir {lock} || exit 9\nsleep 0.2\nrmdir {lock}\n")
        program.chmod(0o755)
        sink = open_sink(str(program))
        start = time.monotonic()
        for number in range(50):
            sink.handle(change(number, f"label {number}"))
            time.sleep(0.005)
        assert time.monotonic() - start < patience(0.6)
        sink.close()
        assert sink.counts["errors"] == 0
        assert 2 <= sink.counts["runs"] <= 10

    def test_a_program_that_never_ends_is_killed_with_its_children(
        self, open_sink: Open, told: list[str], tmp_path: Path
    ) -> None:
        pid = tmp_path / "pid"
        program = tmp_path / "hang"
        program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {pid}\nwait\n")
        program.chmod(0o755)
        sink = open_sink(str(program), CommandLimits(0.0, timeout_s=0.5))
        sink.handle(change(0, "cat"))
        sink.close()
        assert told == [f"on-change: {program} took longer than 0.5 s, killed"]
        wait_for(lambda: not is_running(int(pid.read_text())))


class TestFailures:
    def test_an_exit_code_is_told_once_with_what_the_program_said(
        self, open_sink: Open, told: list[str]
    ) -> None:
        sink = open_sink("sh -c 'echo no such lamp: $EDGECLS_LABEL >&2; exit 3'")
        for number in range(3):
            sink.handle(change(number, "cat"))
            wait_for(lambda number=number: sink.counts["errors"] == number + 1)  # type: ignore[misc]
        (text,) = told
        assert text.endswith("/sh ended with 3: no such lamp: cat")

    def test_a_program_that_says_too_much_fills_no_memory(
        self, open_sink: Open, told: list[str]
    ) -> None:
        sink = open_sink("sh -c 'yes | head -c 20000000; echo the end; exit 1'")
        sink.handle(change(0, "cat"))
        sink.close()
        assert told[0].endswith("the end")
        assert len(told[0]) < 5000

    def test_a_program_that_leaves_another_in_the_background_is_over(
        self, open_sink: Open, told: list[str]
    ) -> None:
        sink = open_sink("sh -c 'sleep 3 & exit 0'")
        start = time.monotonic()
        sink.handle(change(0, "cat"))
        sink.close()
        assert time.monotonic() - start < patience(1.5)
        assert told == []


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # a zombie waits for its parent, which may be no longer there
