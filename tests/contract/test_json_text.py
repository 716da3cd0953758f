"""JSON of strangers: what breaks a limit is refused in one printable line, and the rest counts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgecls.contract.json_text import JsonObject, read_lines, read_object
from edgecls.errors import InvalidValueError


def read(content: bytes | str) -> JsonObject:
    return read_object(content, "the answer", most_bytes=1 << 20)


def holding(value: Any) -> JsonObject:
    return read(json.dumps({"x": value}))


@pytest.mark.fault(102)
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "no JSON", id="nothing"),
        pytest.param(b"[1]", "wanted an object", id="a list"),
        pytest.param(b"17", "wanted an object", id="a number"),
        pytest.param(b'{"x": 1', "no JSON", id="cut off"),
        pytest.param(b'{"x": NaN}', "NaN", id="what is no number"),
        pytest.param(b'{"x": -Infinity}', "-Infinity", id="infinity"),
        pytest.param(b'{"x": 1e999}', "too large", id="a number beyond all floats"),
        pytest.param(b'{"x": ' + b"9" * 4000 + b"}", "too large", id="4,000 digits"),
        pytest.param(b'{"x": ' + b"9" * 400_000 + b"}", "too large", id="400,000 digits"),
        pytest.param(b'{"x":' + b"[" * 40 + b"]" * 40 + b"}", "too deep", id="40 lists"),
        pytest.param(b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "too deep", id="50,000"),
        pytest.param(b'{"x":' * 50_000 + b"1" + b"}" * 50_000, "too deep", id="50,000 objects"),
        pytest.param(b'{"x": "\xff\xfe"}', "not UTF-8", id="bytes of no character"),
        pytest.param('{"x": 1}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(b'{"x": "' + b"y" * (1 << 20) + b'"}', "at most", id="a mebibyte"),
        pytest.param(b'{"\x1b[31m": 1}', "no JSON", id="a control character in a name"),
    ],
)
def test_what_breaks_a_limit_is_refused_in_one_printable_line(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem) as refused:
        read(content)
    assert refused.value.problem.startswith("the answer: ")
    assert refused.value.problem.isascii()
    assert refused.value.problem.isprintable()
    assert len(refused.value.problem) < 200


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b'\xef\xbb\xbf{"x": 1}', 1, id="a byte order mark"),
        pytest.param(b'{"x": -18446744073709551616}', -(2**64), id="64 bits and a sign"),
        pytest.param(b'{"x": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}', "[" * 36, id="brackets"),
        pytest.param(b'{"x": "\\"[' + b"[" * 40 + b'"}', '"[' + "[" * 40, id="behind a quote"),
    ],
)
def test_what_keeps_the_limits_is_read(content: bytes, value: Any) -> None:
    assert read(content).fields["x"] == value


@pytest.mark.fault(102)
@pytest.mark.parametrize("value", [None, 1, True, [], {}, "\ud800", "y" * 1001])
def test_what_is_no_text(value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"'x' is .*wanted "):
        holding(value).text("x")


@pytest.mark.fault(102)
@pytest.mark.parametrize("value", [None, "1", True, [1], {}, 1.5, -1, 11, 1e300])
def test_what_is_no_whole_number_from_0_to_10(value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"'x' is .*wanted "):
        holding(value).whole("x", 0, 10)


@pytest.mark.fault(102)
@pytest.mark.parametrize("value", [None, "1", True, [1], {}, -0.001, 1.001, 2**63])
def test_what_is_no_number_from_0_to_1(value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"'x' is .*wanted "):
        holding(value).number("x", 0.0, 1.0)


@pytest.mark.fault(102)
@pytest.mark.parametrize("value", [None, {}, "cat", [1], [{}, "x"], [None]])
def test_what_is_no_list_of_objects(value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"'x' is .*wanted a list"):
        holding(value).children("x")


@pytest.mark.parametrize("value", [None, 0, 1, "true", []])
def test_what_is_neither_true_nor_false(value: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"'x' is .*wanted true or false"):
        holding(value).flag("x")


def test_a_missing_field_is_named_unless_there_is_a_default() -> None:
    found = read(b"{}")
    with pytest.raises(InvalidValueError, match=r"^the answer: 'x' is missing, wanted text$"):
        found.text("x")
    assert found.text("x", "none") == "none"
    assert found.number("x", 0.0, 1.0, 0.5) == 0.5
    assert found.children("x") == []


def test_an_error_in_a_child_names_the_way_to_it() -> None:
    found = read(b'{"predictions": [{"score": 1}, {"score": "high"}]}')
    with pytest.raises(InvalidValueError, match=r"'predictions'\[1\]: 'score' is 'high'"):
        found.children("predictions")[1].number("score", 0.0, 1.0)


@pytest.mark.parametrize("name", ["cat/1.jpg", os.fsdecode(b"cat/\xff.jpg"), "Grüße 🦆.jpg"])
def test_the_name_of_a_file_need_not_be_utf_8(name: str) -> None:
    assert holding(name).path("x") == name


@pytest.mark.parametrize("name", ["cat/\0.jpg", "\ud800.jpg", 1])
def test_what_no_file_can_be_called(name: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"the name of a file|text"):
        holding(name).path("x")


@pytest.mark.fault(102)
def test_a_bad_line_is_told_by_its_number_and_the_others_are_read(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    lines = [
        b'{"n": 1}',
        b"{",
        b"",
        b'{"n": 4}',
        b'{"n": "' + b"y" * 5_000_000 + b'"}',
        b'{"n": 6}',
    ]
    log.write_bytes(b"\n".join(lines))
    wrong: list[str] = []
    assert [line.whole("n", 0, 9) for line in read_lines(log, wrong.append)] == [1, 4, 6]
    assert [text.partition(":")[0] for text in wrong] == ["log.jsonl line 2", "log.jsonl line 5"]


@pytest.mark.fault(102)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, Path.absolute])
def test_what_is_no_file_has_no_lines_and_is_never_waited_for(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "log.jsonl")
    wrong: list[str] = []
    assert list(read_lines(tmp_path / "log.jsonl", wrong.append)) == []
    assert wrong == []
