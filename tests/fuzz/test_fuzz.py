"""Each fuzzer for a moment, with a seed of its own; `python -m tests.fuzz` runs them for long.

EDGECLS_FUZZ=20 makes them twenty times as long.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

import pytest

from edgecls.runtimes import installed_runtimes
from tests.fuzz.__main__ import FOUND, to_row, write_report
from tests.fuzz.mutations import mutate
from tests.fuzz.supervisor import Report, fuzz
from tests.fuzz.target import TARGETS, input_of, load_target

LONGER: Final = int(os.environ.get("EDGECLS_FUZZ", "1"))
# Of each, a second or two: a model that passes the walk costs a process.
COUNTS: Final = {
    "models": 40,
    "inspect": 300,
    "pictures": 2000,
    "multipart": 300,
    "cards": 2000,
    "golden": 1000,
    "labels": 2000,
    "recipes": 1000,
    "profiles": 1000,
    "records": 100,
    "checkpoints": 1000,
    "answers": 1000,
    "redirects": 200,
    "rtsp": 200,
    "weights": 30,
}
ROWS: Final = {"models": 7, "inspect": 7, "pictures": 23, "multipart": 54, "cards": 7, "golden": 7,
               "labels": 19, "recipes": 79, "profiles": 79, "records": 169, "checkpoints": 169,
               "answers": 169, "redirects": 169, "rtsp": 169, "weights": 169}  # fmt: skip


def fuzzed(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.fault(ROWS[name]), id=name)


def needs(name: str) -> None:
    """Skip where what reads is not installed."""
    if name == "models" and not installed_runtimes():
        pytest.skip("no engine is installed")
    if name in ("recipes", "checkpoints"):
        pytest.importorskip("edgecls_train", reason="edgecls-train is not installed")
    if name == "weights":
        pytest.importorskip("edgecls_convert", reason="edgecls-convert is not installed")


@pytest.mark.parametrize("name", [fuzzed(name) for name in TARGETS])
def test_nothing_that_is_damaged_does_harm(name: str) -> None:
    needs(name)
    report = fuzz(name, COUNTS[name] * LONGER, seed=7)
    assert [found.what for found in report.findings] == []
    assert report.count == COUNTS[name] * LONGER
    assert len(report.outcomes) > 1  # it is no fuzzer whose every input is refused alike


@pytest.mark.parametrize("name", sorted(path.name for path in FOUND.iterdir()))
def test_what_was_found_once_stays_mended(name: str) -> None:
    needs(name)
    files = sorted((FOUND / name).iterdir())
    report = fuzz(name, 0, seed=0, files=files)
    assert [found.what for found in report.findings] == []
    assert report.count == len(files)


class TestInputs:
    def test_the_same_seed_gives_the_same_inputs(self) -> None:
        target = load_target("cards")
        seeds = target.seeds()
        once, again, other = (
            [input_of(target, seeds, seed, index) for index in range(50)] for seed in (1, 1, 2)
        )
        assert once == again
        assert once != other

    def test_the_first_inputs_are_sound(self) -> None:
        target = load_target("labels")
        seeds = target.seeds()
        assert [input_of(target, seeds, 1, index) for index in range(len(seeds))] == list(seeds)

    def test_damage_is_done(self) -> None:
        chance = random.Random(1)
        changed = [mutate(chance, bytes(100), head=10) != bytes(100) for _ in range(200)]
        assert sum(changed) > 150


BAD_READER: Final = """
import os, signal, time
from tests.fuzz.target import Target
from edgecls.errors import InvalidValueError

def read(content):
    what = content[:1]
    if what == b"s": os.kill(os.getpid(), signal.SIGSEGV)
    if what == b"h": time.sleep(60)
    if what == b"m": grown.append(b"x" * (80 << 20))
    if what == b"e": raise KeyError("not one of ours")
    if what == b"r": raise InvalidValueError("one of ours")
    return "fine"

grown = []
TARGET = Target("a bad reader", lambda: [b"ok"], lambda chance, seeds: b"", read, 1.0, 40)
"""


class TestSupervisor:
    """A reader that does everything that none may do."""

    @pytest.fixture
    def report(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
        (tmp_path / "a_bad_reader.py").write_text(BAD_READER)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}")
        files = []
        for number, what in enumerate("oshmero"):
            files.append(tmp_path / f"{number}")
            files[-1].write_text(what)
        return fuzz("a_bad_reader", 0, seed=0, files=files)

    def test_a_crash_a_hang_too_much_memory_and_another_error_are_found(
        self, report: Report
    ) -> None:
        found = {each.index: each.what for each in report.findings}
        assert found[1] == "the process died: SIGSEGV"
        assert found[2] == "the process died: hang"
        assert "80" in found[3]
        assert "KeyError: 'not one of ours'" in found[4]
        assert sorted(found) == [1, 2, 3, 4]

    def test_it_goes_on_behind_what_killed_the_process(self, report: Report) -> None:
        assert report.count == 7
        assert report.outcomes["fine"] >= 2
        assert report.outcomes["refused, InvalidValueError"] == 1

    def test_the_report_says_what_was_seen_and_how_to_see_it_again(self, report: Report) -> None:
        row = to_row(report)
        assert row.startswith("| a bad reader | 7 | 4 | ")
        assert "`python -m tests.fuzz --target a_bad_reader --count 7 --seed 0`" in row


def test_each_target_has_one_row_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "fuzz.md"
    for name, count in (("labels", 1), ("cards", 2), ("labels", 3)):
        write_report(path, Report(name, seed=1, count=count))
    rows = [line for line in path.read_text().splitlines() if "--target" in line]
    assert [row.split(" | ")[:2] for row in rows] == [["| cards", "2"], ["| label files", "3"]]
