"""The names of the classes, in the order of the model's outputs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edgecls.errors import InvalidValueError

MAX_LABEL_CHARACTERS = 200
# Coral and TensorFlow Lite ship label files whose lines are "index  name".
_INDEXED_LINE = re.compile(r"\s*(\d{1,9})[\s:,]+(\S.*)")
# Up to 0x9f: terminals obey the 8-bit control characters as they do the 7-bit ones.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Labels:
    """Class names by class index; refuses empty, repeated, endless or multi-line names."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise InvalidValueError("a model needs at least one label, none were given")
        for index, name in enumerate(self.names):
            _refuse_bad_name(index, name)
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise InvalidValueError(
                f"label {twice[0]!r} is given to more than one class",
                hint="every class needs a name of its own",
            )

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, index: int) -> str:
        return self.names[index]

    def to_text(self) -> str:
        """One label a line, as `labels.txt` in a model file holds them."""
        return "".join(f"{name}\n" for name in self.names)

    @classmethod
    def numbered(cls, count: int) -> Labels:
        """Stand-ins for a model that says nothing of its classes: `class 0`, `class 1`, ..."""
        return cls(tuple(f"class {index}" for index in range(count)))

    @classmethod
    def from_text(cls, text: str | bytes) -> Labels:
        """Read a label file: one name a line, or "index  name" lines in any order.

        A byte order mark, CRLF and blank lines at the end are ignored. A name that stands twice
        (ImageNet has two `crane`) is made distinct by its class index, and an index that is
        left out is called `class N`.

        Raises:
            InvalidValueError: Not UTF-8, empty, or a name that no label may have.
        """
        lines = _decode(text).splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        indexed = [_INDEXED_LINE.fullmatch(line) for line in lines if line.strip()]
        if indexed and all(indexed) and _are_indices([int(m[1]) for m in indexed if m]):
            by_index = {int(match[1]): match[2].strip() for match in indexed if match}
            names = [by_index.get(i, f"class {i}") for i in range(max(by_index) + 1)]
        else:
            names = [line.strip() for line in lines]
        return cls(tuple(_distinct(names)))


def find_lookalike(names: Iterable[str]) -> tuple[str, str] | None:
    """The first two names that differ only in case, in Unicode's forms or in invisible marks.

    Some file systems take them for one folder, and people for one class.
    """
    first: dict[str, str] = {}
    for name in names:
        key = lookalike_key(name)
        if key in first:
            return first[key], name
        first[key] = name
    return None


def lookalike_key(name: str) -> str:
    """The same text for names that differ as `find_lookalike` says."""
    key = _INVISIBLE.sub("", unicodedata.normalize("NFKC", name).casefold())
    return unicodedata.normalize("NFKC", key)


def _decode(text: str | bytes) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise InvalidValueError(
            f"the labels are not UTF-8 text (byte {wrong.start} is 0x{text[wrong.start]:02x})",
            hint="save the label file as UTF-8, one name a line",
        ) from wrong


def _are_indices(numbers: list[int]) -> bool:
    # A file of house numbers ("12 Main Street") repeats or leaps; class indices do neither.
    return len(set(numbers)) == len(numbers) and max(numbers) < 2 * len(numbers) + 10


def _distinct(names: list[str]) -> list[str]:
    counts = Counter(names)
    return [f"{name} ({i})" if counts[name] > 1 else name for i, name in enumerate(names)]


def _refuse_bad_name(index: int, name: str) -> None:
    if not name.strip():
        raise InvalidValueError(f"label {index} is empty", hint="every class needs a name")
    if len(name) > MAX_LABEL_CHARACTERS:
        raise InvalidValueError(
            f"label {index} has {len(name)} characters, at most {MAX_LABEL_CHARACTERS} are allowed"
        )
    if _CONTROL.search(name):
        raise InvalidValueError(
            f"label {index} ({name!r}) holds a line break or a control character",
            hint="labels are one line of printable text",
        )
    if _SURROGATE.search(name):
        raise InvalidValueError(
            f"label {index} ({name!a}) is not valid Unicode and no file can hold it",
            hint="a label from a folder's name: rename the folder in UTF-8",
        )
