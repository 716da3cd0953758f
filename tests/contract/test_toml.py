"""TOML is read, or refused in one line."""

from __future__ import annotations

import pytest

from edgecls.contract.toml import parse_toml


def test_tables_are_read() -> None:
    assert parse_toml("a = 1\n[b]\nc = 'd'\n") == {"a": 1, "b": {"c": "d"}}


@pytest.mark.fault(168)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a = " + "[" * 100_000, id="brackets without end"),
        pytest.param("a = " + "{b = " * 100_000, id="tables without end"),
        pytest.param("a = " + "9" * 5000, id="a number that Python does not read"),
        pytest.param("[a]\nb = [1, {c = 0x1" + "0" * 16 + "}]", id="a number of 65 bits"),
        pytest.param("a = 1\na = 2", id="a key that stands twice"),
        pytest.param("a = 1979-99-99", id="a day that no calendar has"),
    ],
)
def test_what_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        parse_toml(text)
