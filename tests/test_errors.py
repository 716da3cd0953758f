"""The tree of errors is the one its docstring draws, and every error can carry a hint."""

from __future__ import annotations

import builtins
import inspect
import re

import pytest

from edgecls import errors
from edgecls.errors import EdgeclsError

DRAWN = re.findall(r"[├└]── (\w+) +.*?(?:\((\w+)\))?$", errors.__doc__ or "", re.MULTILINE)
DEFINED = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}


def test_every_error_is_drawn_in_the_docstring() -> None:
    assert {"EdgeclsError", *(name for name, _ in DRAWN)} == set(DEFINED)


@pytest.mark.parametrize(("name", "builtin"), [row for row in DRAWN if row[1]])
def test_an_error_is_also_the_builtin_that_fits(name: str, builtin: str) -> None:
    assert issubclass(DEFINED[name], EdgeclsError)
    assert issubclass(DEFINED[name], getattr(builtins, builtin))


@pytest.mark.parametrize("name", DEFINED)
def test_an_error_shows_its_problem_and_then_its_hint(name: str) -> None:
    wrong = DEFINED[name]("the sky fell", hint="hold it up")
    assert (wrong.problem, wrong.hint) == ("the sky fell", "hold it up")
    assert str(wrong) == "the sky fell\n  hint: hold it up"


def test_an_error_without_a_hint_is_its_problem_alone() -> None:
    assert str(EdgeclsError("the sky fell")) == "the sky fell"


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ("ShapeError", "InvalidValueError"),
        ("DamagedModelError", "ModelFileError"),
        ("NotAClassifierError", "ModelFileError"),
        ("SinkClosedError", "SinkError"),
    ],
)
def test_the_branches_are_as_drawn(child: str, parent: str) -> None:
    assert issubclass(DEFINED[child], DEFINED[parent])
