"""What a board answers that is not as agreed: refused, whatever it is, and waited for no longer."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from edgecls.deploy.answers import MOST_BYTES, read_answers
from edgecls.deploy.board.telling import MARK
from edgecls.deploy.connection import Patience, send
from edgecls.deploy.target import Target
from edgecls.errors import DeployError
from tests.support.patience import patience

REPORT: Final[dict[str, Any]] = {
    **{"model": "/m/model.tflite", "state": "deployed", "service": None, "previous": None},
    **{"vectors": 4, "runtime": "litert 2", "latency_ms": {"p50": 1.5}, "sha256": "0" * 64},
    "kept": ["model.tflite.1"],
}
COPIED: Final = {"step": "copied"}
VERIFIED: Final = {"step": "verified", "vectors": 4, "runtime": "litert 2"}
MEASURED: Final = {"step": "measured", "runtime": "litert 2", "latency_ms": {"p50": 1.5}}
SWAPPED: Final = {"step": "swapped"}
STARTED: Final = {"step": "started", "seconds": 1.5, "status": "well"}


def line(said: object) -> bytes:
    return MARK.encode() + json.dumps(said).encode() + b"\n"


def done(**more: object) -> bytes:
    return line({"done": {**REPORT, **more}})


class TestAgreed:
    def test_the_whole_course_of_a_deployment(self) -> None:
        steps = [COPIED, VERIFIED, MEASURED, SWAPPED, STARTED]
        said = [line({"alive": True}), *map(line, steps), done()]
        assert read_answers(b"".join(said)) == (steps, {"done": REPORT})

    def test_what_login_scripts_say_is_passed_over(self) -> None:
        assert read_answers(b"Welcome\xff\n\0\n" + done())[1] == {"done": REPORT}

    def test_the_last_line_may_lack_its_end(self) -> None:
        assert read_answers(done().rstrip())[1] == {"done": REPORT}

    def test_a_service_and_its_status(self) -> None:
        service = {"seconds": 1.5, "status": "cat (97%)"}
        assert read_answers(done(service=service))[1]["done"]["service"] == service

    def test_what_a_later_version_adds_is_left_out(self) -> None:
        assert read_answers(done(more="x"))[1] == {"done": REPORT}

    def test_a_refusal_needs_no_hint(self) -> None:
        assert read_answers(line({"problem": "no"}))[1] == {"problem": "no", "hint": ""}

    def test_nothing_at_all_is_no_answer(self) -> None:
        assert read_answers(b"") == ([], {})


@pytest.mark.fault(117)
@pytest.mark.parametrize(
    ("said", "problem"),
    [
        pytest.param(MARK.encode() + b"{nope\n", "no JSON", id="no JSON"),
        pytest.param(MARK.encode() + b"\n", "no JSON", id="nothing"),
        pytest.param(MARK.encode() + b'{"problem":"\xff"}\n', "not UTF-8", id="not UTF-8"),
        pytest.param(MARK.encode() + b"[" * 9000, "no JSON|too deep", id="too deep"),
        pytest.param(MARK.encode() + b'{"a":' * 900 + b"1", "no JSON|too deep", id="deep objects"),
        pytest.param(MARK.encode() + b"{" + b" " * 20_000 + b"}", "20002 bytes", id="too long"),
        pytest.param(line([1]), "wanted an object", id="a list"),
        pytest.param(line({"hello": 1}), "none of the known", id="an unknown message"),
        pytest.param(line({"done": None}), "'done' is None", id="a report that is none"),
        pytest.param(line({"done": []}), "'done' is a list", id="a list as the report"),
        pytest.param(line({"done": {}}), "'state' is missing", id="an empty report"),
        pytest.param(line({"problem": {"a": 1}}), "'problem' is an object", id="an odd problem"),
        pytest.param(line({"problem": "x", "hint": []}), "'hint' is a list", id="an odd hint"),
        pytest.param(line({"problem": "x" * 5000}), "at most 4096", id="an endless problem"),
        pytest.param(line({"step": 17}), "'step' is 17", id="a step that is no word"),
        pytest.param(line({"step": "jumped"}), "'jumped' is no step", id="an unknown step"),
        pytest.param(line({"step": "verified"}), "'vectors' is missing", id="a bare step"),
        pytest.param(line({**MEASURED, "latency_ms": "x"}), "wanted an object", id="odd latency"),
        pytest.param(line({**STARTED, "seconds": "1"}), "wanted a number", id="text as a number"),
        pytest.param(line({**STARTED, "seconds": True}), "wanted a number", id="true as a number"),
        pytest.param(line({**VERIFIED, "vectors": 1.5}), "a whole number", id="half a vector"),
        pytest.param(line(COPIED) * 2, "comes twice", id="a step twice"),
        pytest.param(line(SWAPPED) + line(COPIED), "too late", id="the wrong order"),
        pytest.param(done() * 2, "behind the last", id="two reports"),
        pytest.param(done() + line({"problem": "x"}), "behind the last", id="a report, a problem"),
        pytest.param(done() + line(SWAPPED), "behind the last", id="a step after the end"),
        pytest.param(done(state="???"), "is no state", id="an unknown state"),
        pytest.param(done(state=["deployed"]), "'state' is a list", id="a list as the state"),
        pytest.param(done(service="yes"), "'service' is 'yes'", id="an odd service"),
        pytest.param(done(service={}), "'seconds' is missing", id="an empty service"),
        pytest.param(done(kept=[1, 2]), "a list of texts", id="numbers as names"),
        pytest.param(done(kept=["\x1b[31m"]), "no earlier models", id="escapes as names"),
        pytest.param(done(kept=["x"] * 3), "at most 2", id="too many names"),
        pytest.param(done(sha256="\x1b[31m"), "no SHA-256", id="an odd sum"),
        pytest.param(done(sha256=None), "'sha256' is None", id="no sum"),
        pytest.param(done(previous=7), "'previous' is 7", id="an odd earlier sum"),
        pytest.param(done(model=7), "'model' is 7", id="an odd place"),
        pytest.param(done(model="\ud800"), "the name of a file", id="half a character"),
        pytest.param(done(latency_ms={}), "wanted 'p50'", id="no latency"),
        pytest.param(done(latency_ms={"p50": None}), "wanted a number", id="an odd latency"),
        pytest.param(done(latency_ms={"p50": float("nan")}), "NaN", id="NaN"),
        pytest.param(done(latency_ms={"p50": -1}), "wanted 0 to", id="faster than light"),
        pytest.param(done(vectors=9**40), "too large", id="an enormous number"),
        pytest.param(b"x" * MOST_BYTES + b"x", "more than 1 MB", id="an endless banner"),
    ],
)
def test_what_is_not_as_agreed_is_refused(said: bytes, problem: str) -> None:
    with pytest.raises(DeployError, match=problem) as refused:
        read_answers(said)
    assert refused.value.problem.isprintable()
    assert refused.value.hint


# A board behind a stand-in for ssh: what it does when it is asked.
_ODD_BOARD: Final = """#!{python}
import os, sys, time
mark = {mark!r}
def say(text): os.write(1, text)
{script}
"""
SHORT: Final = Patience(first_s=1.5, silence_s=1.5, total_s=4.0, end_s=1.0)
ALIVE: Final = f"say({line({'alive': True})!r})"

Ask = Callable[[str], float]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Asks a board that does what a script says; how long it took to be refused."""

    def do(script: str) -> float:
        ssh = tmp_path / "ssh"
        text = _ODD_BOARD.format(python=sys.executable, mark=MARK.encode(), script=script)
        ssh.write_text(text)
        ssh.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        began_s = time.monotonic()
        try:
            # More than a pipe holds: who does not read is written to in vain.
            send(Target("board"), {}, bytes(1 << 20), patience=SHORT)
        finally:
            took_s = time.monotonic() - began_s
        return took_s

    return do


@pytest.mark.fault(118)
@pytest.mark.parametrize(
    ("script", "problem"),
    [
        pytest.param("time.sleep(99)", "gave no answer within 2 s", id="never answers"),
        pytest.param(
            "while True: say(b'x'); time.sleep(.1)", "gave no answer within", id="drips a banner"
        ),
        pytest.param(f"{ALIVE}; time.sleep(99)", "fell silent for", id="falls silent"),
        pytest.param(
            f"{ALIVE}\nwhile True: say(mark[:5]); time.sleep(.1)", "fell silent", id="drips lines"
        ),
        pytest.param(
            f"while True: {ALIVE}; time.sleep(.1)", "is not done after 4 s", id="is never done"
        ),
        pytest.param(
            "os.close(1); time.sleep(99)",
            "gave no answer: ssh ended",
            id="says it is over, and stays",
        ),
    ],
)
def test_a_board_that_does_not_end_is_given_up(ask: Ask, script: str, problem: str) -> None:
    began_s = time.monotonic()
    with pytest.raises(DeployError, match=problem) as refused:
        ask(script)
    assert time.monotonic() - began_s < patience(9.0)
    assert refused.value.hint


@pytest.mark.fault(119)
@pytest.mark.parametrize(
    ("script", "problem"),
    [
        pytest.param("while True: say(b'x' * 65536)", "more than 1 MB", id="a line"),
        pytest.param("while True: say(b'x\\n' * 30000)", "more than 1 MB", id="lines"),
        pytest.param(f"while True: {ALIVE}", "more than 1 MB", id="signs of life"),
        pytest.param("while True: os.write(2, b'x' * 65536)", "end complaining", id="complaints"),
    ],
)
def test_a_board_that_talks_without_end_is_not_listened_to(
    ask: Ask, script: str, problem: str
) -> None:
    began_s = time.monotonic()
    with pytest.raises(DeployError, match=problem):
        ask(script)
    assert time.monotonic() - began_s < patience(4.0)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        pytest.param("sys.exit(7)", "gave no answer: ssh ended with 7", id="an exit code"),
        pytest.param("os.kill(os.getpid(), 9)", "gave no answer: ssh ended with -9", id="a signal"),
        pytest.param("say(bytes(range(256)) * 100)", "gave no answer", id="binary"),
        pytest.param(
            "os.write(2, b'\\x1b]0;x\\x07 boom\\xff'); sys.exit(1)", "boom", id="odd complaints"
        ),
    ],
)
def test_a_board_that_ends_without_an_answer(ask: Ask, script: str, problem: str) -> None:
    with pytest.raises(DeployError, match=problem):
        ask(script)


def test_what_comes_behind_the_report_is_heard(ask: Ask) -> None:
    with pytest.raises(DeployError, match="more comes behind the last message"):
        ask(f"say({done()!r}); time.sleep(.3); say({done()!r})")


def test_a_report_is_taken_also_from_a_board_that_does_not_hang_up(ask: Ask) -> None:
    assert ask(f"say({done()!r}); time.sleep(99)") < patience(4.0)
