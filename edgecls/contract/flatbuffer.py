"""A bounds-checked reader of flatbuffers: a hostile file raises, it never reads out of bounds."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from edgecls.errors import DamagedModelError

# In all lists together: a small file can name one long list a million times, and reading it as
# often would take days. The largest classifiers have some ten thousand.
MAX_ENTRIES: Final = 1_000_000


def damaged(what: str) -> DamagedModelError:
    """The error for a file whose structure contradicts itself."""
    return DamagedModelError(
        f"the model file is cut off or damaged: {what}",
        hint="copy or convert it again, in binary mode, and compare the sizes",
    )


class Table:
    """One table of a flatbuffer, its fields asked for by number.

    Source:
        FlatBuffers internals, flatbuffers.dev/internals (tables, vtables, vectors).
    """

    __slots__ = ("_budget", "_content", "_position", "_size", "_vtable", "_vtable_size")

    def __init__(self, content: bytes, position: int, budget: list[int] | None = None) -> None:
        end = len(content)
        if position < 4 or position + 4 > end:
            raise damaged("a table lies beyond its end")
        vtable = position - struct.unpack_from("<i", content, position)[0]
        if vtable < 0 or vtable + 4 > end:
            raise damaged("a table's layout lies beyond its end")
        vtable_size, size = struct.unpack_from("<HH", content, vtable)
        if vtable_size < 4 or vtable + vtable_size > end or position + size > end:
            raise damaged("a table reaches beyond its end")
        self._budget = [MAX_ENTRIES] if budget is None else budget  # shared by the whole file
        self._content = content
        self._position = position
        self._vtable = vtable
        self._vtable_size = vtable_size
        self._size = size

    @classmethod
    def root(cls, content: bytes) -> Table:
        """The table that the first four bytes point to."""
        if len(content) < 8:
            raise damaged(f"it has {len(content)} bytes")
        return cls(content, struct.unpack_from("<I", content, 0)[0])

    def _at(self, field: int) -> int:
        slot = 4 + 2 * field
        if slot + 2 > self._vtable_size:
            return 0
        offset: int = struct.unpack_from("<H", self._content, self._vtable + slot)[0]
        if offset >= self._size:
            if offset:
                raise damaged("a field lies outside its table")
            return 0
        return self._position + offset if offset else 0

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """A scalar field; `kind` is its struct letter."""
        position = self._at(field)
        if not position:
            return default
        if position + struct.calcsize("<" + kind) > self._position + self._size:
            raise damaged("a number lies outside its table")
        return int(struct.unpack_from("<" + kind, self._content, position)[0])

    def _target(self, field: int) -> int:
        position = self._at(field)
        if not position:
            return 0
        return self._follow(position)

    def _follow(self, position: int) -> int:
        if position + 4 > len(self._content):
            raise damaged("an offset lies beyond its end")
        target: int = position + struct.unpack_from("<I", self._content, position)[0]
        if target + 4 > len(self._content):
            raise damaged("an offset points beyond its end")
        return target

    def _vector(self, field: int, item_size: int) -> tuple[int, int]:
        target = self._target(field)
        if not target:
            return 0, 0
        count: int = struct.unpack_from("<I", self._content, target)[0]
        if target + 4 + count * item_size > len(self._content):
            raise damaged("a list reaches beyond its end")
        return target + 4, count

    def has(self, field: int) -> bool:
        """Whether the field is there at all."""
        return bool(self._at(field))

    def raw(self, field: int) -> bytes:
        """A vector of bytes, or a string; empty when absent."""
        start, count = self._vector(field, 1)
        self._spend(count // 64)
        return self._content[start : start + count]

    def text(self, field: int) -> str:
        """A string; what is not UTF-8 in it is replaced."""
        return self.raw(field).decode("utf-8", "replace")

    def numbers(self, field: int, dtype: str) -> list[float]:
        """A vector of scalars of a little-endian numpy dtype, such as `<f4`."""
        start, count = self._vector(field, np.dtype(dtype).itemsize)
        self._spend(count)
        values: list[float] = np.frombuffer(self._content, dtype, count, start).tolist()
        return values

    def integers(self, field: int, dtype: str = "<i4") -> list[int]:
        """A vector of integers."""
        return [int(value) for value in self.numbers(field, dtype)]

    def length(self, field: int) -> int:
        """How many bytes a vector of bytes holds, without copying them."""
        return self._vector(field, 1)[1]

    def table(self, field: int) -> Table | None:
        """A table that this one refers to."""
        target = self._target(field)
        return Table(self._content, target, self._budget) if target else None

    def tables(self, field: int) -> list[Table]:
        """A vector of tables; empty when absent."""
        start, count = self._vector(field, 4)
        self._spend(count)
        targets = (self._follow(start + 4 * entry) for entry in range(count))
        return [Table(self._content, target, self._budget) for target in targets]

    def _spend(self, entries: int) -> None:
        self._budget[0] -= entries
        if self._budget[0] < 0:
            raise damaged(f"its lists claim more than {MAX_ENTRIES} entries")
