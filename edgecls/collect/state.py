"""How things stand, told to pages once as a whole, and from then on by what has changed.

Each state has a number. A change says which state it changes: a page that has another one, since it
missed something, asks for the whole again. So a press costs each page some hundred bytes, however
many labels there are.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import string
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from edgecls.collect.catalog import Overview

# The other letters do something else: undo and new.
KEYS: Final = string.digits[1:] + "".join(c for c in string.ascii_lowercase if c not in "nu")
# Of one event: a page may miss a few of them before its connection is given up.
_MOST_BYTES: Final = 32 << 10
_Event: TypeAlias = tuple[str, dict[str, Any]]


class State:
    """Knows what pages were told. Safe for several threads."""

    def __init__(self) -> None:
        self._number = 0
        self._plain: dict[str, Any] = {}
        self._labels: dict[str, tuple[Overview, dict[str, Any]]] = {}
        self._hello: _Event | None = None
        self._lock = threading.Lock()

    @property
    def overviews(self) -> Mapping[str, Overview]:
        """The labels that pages know, each as it was when they were told."""
        with self._lock:
            return {label: known for label, (known, _) in self._labels.items()}

    def update(self, plain: Mapping[str, Any], labels: Sequence[Overview]) -> _Event | None:
        """Take in how things stand.

        Args:
            plain: All but the labels.
            labels: In order; those that are as they were may be the same objects as before.

        Returns:
            The event to be told; None where nothing has changed.
        """
        with self._lock:
            changed = {name: value for name, value in plain.items() if self._is_new(name, value)}
            before, self._labels = self._labels, {}
            entries = []
            keys = itertools.chain(KEYS, itertools.repeat(""))
            for overview, key in zip(labels, keys, strict=False):
                known = before.get(overview.label)
                if known is None or known[0] is not overview or known[1]["key"] != key:
                    known = overview, dataclasses.asdict(overview) | {"key": key}
                    entries.append(known[1])
                self._labels[overview.label] = known
            is_other_order = list(before) != list(self._labels)
            if not changed and not entries and not is_other_order:
                return None
            self._plain = dict(plain)
            self._number += 1
            self._hello = None
            return self._to_event(changed, entries, is_other_order=is_other_order)

    def whole(self) -> dict[str, Any]:
        """All of it."""
        with self._lock:
            return self._whole()

    def hello(self) -> _Event:
        """The event that a page is told first: all of it, or where that is too much, to ask."""
        with self._lock:
            if self._hello is None:
                self._hello = self._bounded("state", self._whole())
            return self._hello

    def _whole(self) -> dict[str, Any]:
        labels = [entry for _, entry in self._labels.values()]
        return {"labels": labels, **self._plain, "number": self._number}

    def _to_event(
        self, changed: Mapping[str, Any], entries: Sequence[Any], *, is_other_order: bool
    ) -> _Event:
        change = {"from": self._number - 1, "number": self._number, "set": changed}
        more = {"labels": entries} if entries else {}
        more |= {"order": list(self._labels)} if is_other_order else {}
        return self._bounded("change", change | more)

    def _bounded(self, name: str, value: dict[str, Any]) -> _Event:
        if len(json.dumps(value)) > _MOST_BYTES:
            return "stale", {"number": self._number}
        return name, value

    def _is_new(self, name: str, value: Any) -> bool:
        return name not in self._plain or self._plain[name] != value
