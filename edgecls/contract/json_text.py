"""JSON that a stranger wrote: read within limits, its fields asked for by type.

    found = read_object(answer, "the board's answer")
    state = found.text("state", most=40)
    score = found.number("score", 0.0, 1.0)
    for number, line in read_lines(path, wrong.append): ...

Whatever is wrong becomes one `InvalidValueError` whose text is plain ASCII, safe for a terminal:
too long, not UTF-8, nested too deep, NaN, a number of four thousand digits, another type. What came
back holds no number that `float`, a clock or JSON would stumble over; a text may still be any text.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from edgecls.errors import InvalidValueError

MOST_BYTES: Final = 1 << 20
# Cards and events have five levels; beyond a thousand Python's own readers and writers give up.
_MOST_DEPTH: Final = 32
_MOST_WHOLE: Final = 1 << 64
_MOST_DIGITS: Final = 21
_BRACKETS: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')
# Such halves of characters stand for bytes of a file name that is not UTF-8.
_OF_NAME: Final = re.compile("[\udc80-\udcff]")
_HALVES: Final = re.compile("[\ud800-\udfff]")


class JsonObject:
    """An object of JSON whose fields are asked for by name and type.

    A field that is missing is an error, unless the default is given: `found.text("x", "")`.

    Args:
        fields: As they were read.
        where: What they stand in, for messages; plain ASCII.
    """

    def __init__(self, fields: Mapping[str, Any], where: str) -> None:
        self.fields = fields
        self.where = where

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def text(self, name: str, default: str | None = None, *, most: int = 1000) -> str:
        """A text that can be written anywhere: valid Unicode of at most `most` characters.

        Raises:
            InvalidValueError: It is missing, none, or too long.
        """
        text = self._text(name, default, most)
        if _HALVES.search(text):
            raise self._wrong(name, "text of whole characters")
        return text

    def path(self, name: str, default: str | None = None, *, most: int = 4096) -> str:
        """The name of a file, which need not be UTF-8 (see `os.fsencode`) and holds no NUL.

        Raises:
            InvalidValueError: It is missing, none, or too long.
        """
        text = self._text(name, default, most)
        if "\0" in text or _HALVES.search(_OF_NAME.sub("", text)):
            raise self._wrong(name, "the name of a file")
        return text

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A number from `low` to `high`.

        Raises:
            InvalidValueError: It is missing, none, or outside.
        """
        value = self._get(name, default)
        # bool is an int in Python, here it is not.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number")
        if not low <= value <= high:
            raise self._wrong(name, f"{low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`.

        Raises:
            InvalidValueError: It is missing, none, or outside.
        """
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, "a whole number")
        if not low <= value <= high:
            raise self._wrong(name, f"{low} to {high}")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false.

        Raises:
            InvalidValueError: It is missing, or neither.
        """
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def child(self, name: str, default: Mapping[str, Any] | None = None) -> JsonObject:
        """An object in this one.

        Raises:
            InvalidValueError: It is missing, or none.
        """
        value = self._get(name, default)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "an object")
        return JsonObject(value, f"{self.where}: {name!a}")

    def children(self, name: str, *, most: int = 100_000) -> list[JsonObject]:
        """A list of objects; empty where it is missing.

        Raises:
            InvalidValueError: It is something else, or longer than `most`.
        """
        where = f"{self.where}: {name!a}"
        found = self._list(name, most, dict, "objects")
        return [JsonObject(value, f"{where}[{i}]") for i, value in enumerate(found)]

    def texts(self, name: str, *, most: int = 100_000) -> list[str]:
        """A list of texts, each as `path` has it; empty where it is missing.

        Raises:
            InvalidValueError: It is something else, or longer than `most`.
        """
        found = self._list(name, most, str, "texts")
        return [JsonObject({name: text}, self.where).path(name) for text in found]

    def _list(self, name: str, most: int, kind: type, wanted: str) -> list[Any]:
        value = self.fields.get(name, [])
        if not isinstance(value, list) or not all(type(each) is kind for each in value):
            raise self._wrong(name, f"a list of {wanted}")
        if len(value) > most:
            raise self._wrong(name, f"at most {most} {wanted}")
        return value

    def _text(self, name: str, default: str | None, most: int) -> str:
        value = self._get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        if len(value) > most:
            raise self._wrong(name, f"at most {most} characters")
        return value

    def _get(self, name: str, default: Any) -> Any:
        return self.fields.get(name, default)

    def _wrong(self, name: str, wanted: str) -> InvalidValueError:
        found = f"is {_short(self.fields[name])}" if name in self.fields else "is missing"
        return InvalidValueError(f"{self.where}: {name!a} {found}, wanted {wanted}")


def read_object(content: bytes | str, where: str, *, most_bytes: int = MOST_BYTES) -> JsonObject:
    """Read an object of JSON.

    Args:
        content: UTF-8; a byte order mark is passed over.
        where: What it stands in, for messages, such as `records.jsonl line 17`.
        most_bytes: Longer ones are refused before they are looked at.

    Raises:
        InvalidValueError: It is none, or breaks one of the limits.
    """
    where = ascii(where)[1:-1]
    if len(content) > most_bytes:
        raise InvalidValueError(f"{where}: it has {len(content)} bytes, at most {most_bytes}")
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    except UnicodeDecodeError as wrong:
        raise InvalidValueError(f"{where}: it is not UTF-8") from wrong
    try:
        value = json.loads(
            text, parse_constant=_refuse, parse_int=_to_whole, parse_float=_to_number
        )
    except RecursionError as wrong:
        raise InvalidValueError(f"{where}: it is nested too deep") from wrong
    except ValueError as wrong:
        raise InvalidValueError(
            f"{where}: it is no JSON: {ascii(str(wrong))[1:-1][:100]}"
        ) from wrong
    if not isinstance(value, dict):
        raise InvalidValueError(f"{where}: it is {_short(value)}, wanted an object of JSON")
    if _depth(text) > _MOST_DEPTH:
        raise InvalidValueError(f"{where}: it is nested too deep")
    return JsonObject(value, where)


def read_lines(
    path: Path, complain: Callable[[str], None], *, most_bytes: int = MOST_BYTES, holds: bytes = b""
) -> Iterator[JsonObject]:
    """The objects of a file of JSON lines; a line that is none is passed over, the others count.

    Args:
        path: A file; where there is none, or something that is none, there are no lines.
        complain: Takes what is wrong with a line: `records.jsonl line 17: it is no JSON: ...`.
        most_bytes: Of a line.
        holds: Lines without these bytes are passed over unread.
    """
    try:
        file = _open_regular(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return
    with file:
        yield from objects_of(file, path.name, complain, most_bytes=most_bytes, holds=holds)


def objects_of(
    file: IO[bytes],
    name: str,
    complain: Callable[[str], None],
    *,
    most_bytes: int = MOST_BYTES,
    holds: bytes = b"",
) -> Iterator[JsonObject]:
    """`read_lines` of a file that is open; `name` is what it is called in messages."""
    for number, line in enumerate(_split(file, most_bytes), start=1):
        where = f"{name} line {number}"
        if line is None:
            complain(f"{ascii(where)[1:-1]}: it has more than {most_bytes} bytes")
        elif holds in line and line.strip():
            try:
                found = read_object(line, where, most_bytes=most_bytes)
            except InvalidValueError as wrong:
                complain(wrong.problem)
            else:
                yield found


class Complaints:
    """What is wrong with the lines of a file: the first few as they are, of the others how many."""

    def __init__(self, most: int = 3) -> None:
        self.first: list[str] = []
        self.count = 0
        self._most = most

    def __call__(self, problem: str) -> None:
        """Take one more."""
        self.count += 1
        if len(self.first) < self._most:
            self.first.append(problem)

    def tell(self, tell: Callable[[str], None]) -> None:
        """Say all of it, once, a line each."""
        for problem in self.first:
            tell(f"passed over: {problem}")
        if rest := self.count - len(self.first):
            tell(f"and {rest} more lines that cannot be used")
        self.first, self.count = [], 0


def _open_regular(path: Path) -> IO[bytes]:
    """A file that ends; a pipe of that name would wait for its writer, for ever."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no file")
    return open(handle, "rb", buffering=1 << 16)


def _split(file: IO[bytes], most_bytes: int) -> Iterator[bytes | None]:
    """The lines of a file; None for one that is too long, which is never held as a whole."""
    try:
        while line := file.readline(most_bytes + 1):
            if len(line) <= most_bytes:
                yield line
                continue
            while line and not line.endswith(b"\n"):
                line = file.readline(1 << 16)
            yield None
    except OSError:  # a disk that fails in the middle: what was read counts
        return


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _to_whole(digits: str) -> int:
    # `int` itself refuses only what has more than 4,300 digits, and takes its time below.
    if len(digits) > _MOST_DIGITS or abs(int(digits)) > _MOST_WHOLE:
        raise ValueError(f"the number {digits[:20]}... is too large")
    return int(digits)


def _to_number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:20]} is too large")
    return number


def _depth(text: str) -> int:
    """How deep brackets are nested outside of texts; exact only where there are many."""
    if text.count("[") + text.count("{") <= _MOST_DEPTH:
        return 0
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        if (mark := found[0]) in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _short(value: Any) -> str:
    """A value in a few characters of ASCII, however large or deep it is."""
    if isinstance(value, str):
        return ascii(value[:40])
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return ascii(value)[:40]
