"""The labels of a collection in their order, those without pictures among them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from edgecls.collect.names import KnownLabels, check_folders
from edgecls.contract.files import read_regular_file, write_json
from edgecls.contract.json_text import read_object
from edgecls.errors import EdgeclsError, InvalidValueError, SinkError
from edgecls.pictures.layout import list_folders

# Hidden, so that training passes over it. Folders alone could not say in which order the keys are.
LABELS_NAME: Final = ".labels.json"
_LIMIT_BYTES: Final = 1 << 20
# Of one page: more buttons than anybody finds.
_MOST: Final = 1000


class LabelList:
    """Knows the labels; not safe for several threads at once.

    Args:
        root: The folder of the data set.
        given: The first ones.

    Raises:
        InvalidValueError: One of the given ones can be none.
        DatasetError: A folder can be none.
        SinkError: The list cannot be written.
    """

    def __init__(self, root: Path, given: Sequence[str]) -> None:
        self._path = root / LABELS_NAME
        self.names: tuple[str, ...] = ()
        there = check_folders(list_folders(root), root)
        before = _load(self._path)
        # Folders first, since a label is called as its folder is; then in the right order.
        self._known = KnownLabels(there)
        order = []
        for text in (*given, *before):
            order.append(self._known.check(text))
            self._known.add(order[-1])
        self.names = tuple(before)  # a disk that is full need not be written to for nothing
        self._set(dict.fromkeys((*order, *there)))

    def take_in(self, root: Path) -> None:
        """Add the folders that somebody else has made, where they can be labels.

        However many there are, as at the start: pictures that are there are not passed over.
        """
        names = list(self.names)
        known = KnownLabels(names)
        for name in list_folders(root):
            with contextlib.suppress(InvalidValueError):
                if name not in known:
                    names.append(known.check(name))
                    known.add(names[-1])
        self._set(dict.fromkeys(names))

    def check(self, label: str) -> None:
        """Refuse what is none of them.

        Raises:
            InvalidValueError: It is none.
        """
        if label not in self._known:
            raise InvalidValueError(f"there is no label {label!r}", hint="add it first")

    def add(self, text: str) -> str:
        """Add a label; returns how it is written. One that is there already is fine.

        Raises:
            InvalidValueError: It can be none.
            SinkError: It cannot be written down.
        """
        label = self._known.check(text)
        if label not in self._known:
            if len(self.names) >= _MOST:
                raise InvalidValueError(f"there are {_MOST} labels already")
            self._set((*self.names, label))
        return label

    def remove(self, label: str) -> None:
        """Forget a label; for errors see `check` and `add`."""
        self.check(label)
        self._set(name for name in self.names if name != label)

    def _set(self, names: Iterable[str]) -> None:
        names = tuple(names)
        if names == self.names:
            return
        try:
            write_json(self._path, {"labels": names})
        except EdgeclsError as wrong:
            raise SinkError(wrong.problem, hint=wrong.hint) from wrong
        self.names = names
        self._known = KnownLabels(names)


def _load(path: Path) -> list[str]:
    """What an earlier time has left; nothing where there is none, or it is damaged."""
    try:
        content = read_regular_file(path, _LIMIT_BYTES, EdgeclsError)
        found = read_object(content, path.name).fields.get("labels")
    except EdgeclsError:
        return []
    known = KnownLabels()
    labels: list[str] = []
    for text in found if isinstance(found, list) else ():
        with contextlib.suppress(InvalidValueError):  # a hand has been at it: the others count
            if isinstance(text, str) and (label := known.check(text)) not in known:
                labels.append(label)
                known.add(label)
    return labels[:_MOST]
