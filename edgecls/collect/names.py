"""What a label may be called: whatever a folder can be named by, and nothing that misleads."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from edgecls.contract.labels import find_lookalike, lookalike_key
from edgecls.errors import DatasetError, InvalidValueError

# Names of folders have at most 255 bytes; there is room for what a copy of one is called.
MAX_LABEL_BYTES: Final = 200
# They join letters: of Persian and Indic words, of emoji made of several.
_JOINERS: Final = "\u200c\u200d"


class KnownLabels:
    """Labels that are there, so that another one is compared with all of them at once.

    Args:
        names: They.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._by_form: dict[str, str] = {}
        self._by_look: dict[str, str] = {}
        for name in names:
            self.add(name)

    def __contains__(self, label: str) -> bool:
        return self._by_form.get(unicodedata.normalize("NFC", label)) == label

    def add(self, label: str) -> None:
        """One more, as it is written."""
        self._by_form.setdefault(unicodedata.normalize("NFC", label), label)
        self._by_look.setdefault(lookalike_key(label), label)

    def check(self, text: str) -> str:
        """A label as it is to be written: see `check_label`."""
        label = unicodedata.normalize("NFC", text.strip())
        there = self._by_form.get(label)
        if there is not None:
            return there  # a folder keeps the form that its system has given it
        _refuse_bad_name(label)
        lookalike = self._by_look.get(lookalike_key(label))
        if lookalike is not None:
            raise InvalidValueError(
                f"{label!r} differs from the label {lookalike!r} in case or in invisible marks"
                " only",
                hint=f"use {lookalike!r}, or another name",
            )
        return label


def check_label(text: str, known: Iterable[str] = ()) -> str:
    """A label as it is to be written: without space around it, in Unicode's composed form.

    Args:
        text: What somebody typed.
        known: Labels that are there already; one of them itself is fine.

    Raises:
        InvalidValueError: No folder can be called that, or it looks like another label.
    """
    return KnownLabels(known).check(text)


def parse_labels(text: str) -> tuple[str, ...]:
    """The labels of `cat,dog, red bird`, in this order.

    Raises:
        InvalidValueError: One of them is none, or they cannot be told apart.
    """
    labels: list[str] = []
    known = KnownLabels()
    for part in text.split(","):
        label = known.check(part)
        if label in known:
            raise InvalidValueError(f"the label {label!r} is given twice")
        labels.append(label)
        known.add(label)
    return tuple(labels)


def check_folders(names: Iterable[str], root: object) -> tuple[str, ...]:
    """The folders that are there already, as labels.

    Raises:
        DatasetError: One of them cannot be one; training would refuse it too.
    """
    names = tuple(names)
    for name in names:
        try:
            _refuse_bad_name(name)
        except InvalidValueError as wrong:
            raise DatasetError(
                f"a folder in '{root}' cannot be a class: {wrong.problem}",
                hint="rename that folder",
            ) from wrong
    lookalike = find_lookalike(names)
    if lookalike is not None:
        raise DatasetError(
            f"the folders '{lookalike[0]}' and '{lookalike[1]}' in '{root}' differ in case or in"
            " invisible marks only",
            hint="put their pictures into one of the two",
        )
    return names


def _refuse_bad_name(label: str) -> None:
    if not label:
        raise InvalidValueError("a label is empty", hint="every class needs a name")
    for character in label:
        is_joiner = character in _JOINERS and not label.startswith(character)
        if not character.isprintable() and not is_joiner:
            raise InvalidValueError(
                f"the label {label!a} holds a character that cannot be seen",
                hint="labels are one line of printable text",
            )
    if "/" in label:
        raise InvalidValueError(
            f"the label {label!r} holds a '/'", hint="it is the name of one folder"
        )
    if label.startswith("."):
        raise InvalidValueError(
            f"the label {label!r} begins with a dot",
            hint="such folders are hidden, and training passes over them",
        )
    if len(label.encode()) > MAX_LABEL_BYTES:
        raise InvalidValueError(
            f"the label {label[:20]!r}... has {len(label.encode())} bytes, at most"
            f" {MAX_LABEL_BYTES} are allowed"
        )
