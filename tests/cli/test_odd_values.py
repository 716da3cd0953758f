"""No option, argument or variable has a value that ends a command in any way but its own.

`python -m tests.support.odd_values COMMAND` tries all values; here it is a few of them.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

import pytest

from tests.support import odd_values
from tests.support.odd_values import (
    VALUES,
    find_faults,
    make_inputs,
    make_odd_files,
    sound_words,
)

LONGER: Final = int(os.environ.get("EDGECLS_FUZZ", "1"))
# What takes long gets few.
COUNTS: Final = {
    **dict.fromkeys(("camera", "collect", "review", "bench", "doctor", "deploy", "check"), 1),
    **dict.fromkeys(("train", "convert", "tune", "explain", "label"), 2),
}
WORKSTATION: Final = ("train", "convert", "tune", "check", "explain", "label")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    return folder


@pytest.mark.slow
@pytest.mark.fault(168)
@pytest.mark.parametrize("command", sorted(sound_words(Path())))
def test_no_value_is_a_crash(command: str, inputs: Path, tmp_path: Path) -> None:
    if command in WORKSTATION:
        pytest.importorskip("edgecls_train", reason="edgecls-train is not installed")
    chance = random.Random(command)
    known = [*VALUES, *make_odd_files(tmp_path)]
    values = chance.sample(known, min(len(known), LONGER * COUNTS.get(command, 5)))
    tries = list(odd_values.tries_of(command, inputs, values))
    assert [(str(one), what) for one, what in find_faults(iter(tries), tmp_path)] == []
    assert len(tries) >= len(values)


@pytest.mark.slow
@pytest.mark.fault(168)
def test_no_variable_is_a_crash(inputs: Path, tmp_path: Path) -> None:
    values = random.Random(1).sample(VALUES, min(len(VALUES), LONGER))
    tries = odd_values.tries_of_variables(inputs, values)
    assert [(str(one), what) for one, what in find_faults(tries, tmp_path)] == []


class TestTheJudge:
    """It would be of no use if it let all of them pass."""

    @pytest.mark.parametrize(
        ("code", "said", "found"),
        [
            (None, "", "it does not end"),
            (-11, "", "it died of SIGSEGV"),
            (70, "KeyError: 'x'", "a bug: KeyError: 'x'"),
            (3, "", "exit status 3"),
            (1, "no", "exit 1 without an error: no"),
            (0, "\x1b[31m", "control characters are printed"),
            (1, "error: no file 'x'\n  hint: look", ""),
        ],
    )
    def test_an_end(self, code: int | None, said: str, found: str) -> None:
        assert odd_values.judge(odd_values.Try(("camera",)), code, said) == found
