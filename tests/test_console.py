"""What every command prints with cannot be broken by an odd label or file name."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from edgecls.console import json_line, printable, progress

ODD_NAMES = [
    pytest.param("line\nbreak\r.jpg", r"line\nbreak\r.jpg", id="line breaks"),
    pytest.param("\x1b[31mred\x07", r"\x1b[31mred\x07", id="terminal escapes"),
    pytest.param("csi\x9b2J", r"csi\x9b2J", id="8-bit terminal escapes"),
    pytest.param("caf\udce9.jpg", r"caf\udce9.jpg", id="bytes that are not UTF-8"),
    pytest.param("a\u2028b\u202ec", r"a\u2028b\u202ec", id="Unicode's own breaks and reversals"),
    pytest.param("[red]bold[/red]", "[red]bold[/red]", id="markup is text"),
    pytest.param("żółw 🐢", "żółw 🐢", id="letters and emoji stay"),
]


@pytest.mark.fault(20)
@pytest.mark.parametrize(("name", "shown"), ODD_NAMES)
def test_a_terminal_is_shown_what_it_must_not_obey(name: str, shown: str) -> None:
    assert printable(name) == shown


@pytest.mark.fault(20)
@pytest.mark.fault(34)
@pytest.mark.parametrize(("name", "_shown"), ODD_NAMES)
def test_a_json_line_is_one_line_of_ascii_and_loses_nothing(name: str, _shown: str) -> None:
    line = json_line({"file": name})
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {"file": name}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_word_for_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_line({"score": value})


def test_progress_is_told_in_plain_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("evaluate", 3) as advance:
        for done in (1, 2, 3):
            advance(done, "fine")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "evaluate: 3/3 fine\n")


def test_progress_is_a_bar_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    script = (
        "from edgecls.console import progress\n"
        "with progress('[red]count', 2) as advance: advance(2, '[blue]done')"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        stderr=theirs,
        check=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "━" in shown
    assert "2/2" in shown
    assert "[red]count" in shown  # markup is text
    assert "[blue]done" in shown
