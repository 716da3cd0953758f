"""The files of one entry of the cache: raw arrays, and an index with their shapes and sums."""

from __future__ import annotations

import contextlib
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.contract.files import write_json
from edgecls.errors import EdgeclsError, InvalidValueError

Array: TypeAlias = npt.NDArray[Any]

INDEX: Final = "entry.json"
_FORMAT: Final = 1
_CHUNK_BYTES: Final = 1 << 24


class EntryWriter:
    """Takes the arrays of one entry, row by row or at once; `key` may be set until the end."""

    def __init__(self, folder: Path, key: str, files: contextlib.ExitStack) -> None:
        self.key = key
        self._folder = folder
        self._files = files
        self._columns: dict[str, _Column] = {}

    def append(self, name: str, rows: Array) -> None:
        """Write more rows of the array `name`: (n, ...), every time of the same dtype and shape.

        Raises:
            EdgeclsError: The disk is full.
            InvalidValueError: The rows do not fit those before.
        """
        rows = np.ascontiguousarray(rows)
        with explaining(self._folder.parent):
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = _Column(self._open(name), rows.dtype, rows.shape[1:])
            column.append(rows)

    def allocate(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """A writable, memory-mapped array of zeros, to be filled before the block ends.

        Raises:
            EdgeclsError: The disk is full.
        """
        kind = np.dtype(dtype)
        size = kind.itemsize * math.prod(shape)
        with explaining(self._folder.parent):
            file = self._open(name)
            if size:
                # Reserved now: a full disk would end the process when the array is written to.
                os.posix_fallocate(file.fileno(), 0, size)
            filled: Array = np.memmap(file, kind, "r+", 0, shape) if size else np.empty(shape, kind)
        self._columns[name] = _Column(file, kind, shape[1:], shape[0], filled=filled)
        return filled

    def finish(self) -> None:
        """Sync every array and write the index."""
        for column in self._columns.values():
            column.seal()
            os.fsync(column.file.fileno())
        write_json(
            self._folder / INDEX,
            {name: column.facts() for name, column in self._columns.items()},
        )

    def _open(self, name: str) -> IO[bytes]:
        file = (self._folder / name).open("w+b")
        self._files.callback(_close, file)
        return file


def _close(file: IO[bytes]) -> None:
    # What a full disk left in the buffer cannot be written now either, and was told before; an
    # entry that is kept has been flushed and synced.
    with contextlib.suppress(OSError):
        file.close()


@dataclass(slots=True)
class _Column:
    file: IO[bytes]
    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    rows: int = 0
    crc32: int = 0
    filled: Array | None = None

    def seal(self) -> None:
        if isinstance(self.filled, np.memmap):
            self.filled.flush()
            self.crc32 = _checksum(self.filled)
        self.file.flush()

    def append(self, rows: Array) -> None:
        if rows.dtype != self.dtype or rows.shape[1:] != self.row_shape:
            raise InvalidValueError(
                f"rows of {rows.dtype} {rows.shape[1:]} do not fit {self.dtype} {self.row_shape}"
            )
        content = rows.tobytes()
        self.file.write(content)
        self.crc32 = zlib.crc32(content, self.crc32)
        self.rows += len(rows)

    def facts(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "dtype": self.dtype.str,
            "shape": [self.rows, *self.row_shape],
            "crc32": self.crc32,
        }


def open_array(path: Path, facts: dict[str, Any]) -> Array:
    """An array of an entry, read-only and memory-mapped.

    Raises:
        ValueError: It is not what was written.
    """
    dtype, shape = np.dtype(facts["dtype"]), tuple(facts["shape"])
    size = dtype.itemsize * math.prod(shape)
    if facts["format"] != _FORMAT or path.stat().st_size != size:
        raise ValueError("of another format or length")
    if not size:
        return np.empty(shape, dtype)
    array = np.memmap(path, dtype, mode="r", shape=shape)
    # Some 0.2 to 1 s a gigabyte, and the bytes are about to be read anyhow.
    if _checksum(array) != facts["crc32"]:
        raise ValueError("of another content")
    return np.asarray(array)


def _checksum(array: Array) -> int:
    content = np.asarray(array).reshape(-1).view(np.uint8)
    crc32 = 0
    for start in range(0, len(content), _CHUNK_BYTES):
        crc32 = zlib.crc32(content[start : start + _CHUNK_BYTES].data, crc32)
    return crc32


@contextlib.contextmanager
def explaining(root: Path) -> Iterator[None]:
    """Say what a failed write to the cache means to its user."""
    try:
        yield
    except OSError as wrong:
        raise EdgeclsError(
            f"the cache '{root}' cannot be written: {wrong.strerror or wrong}",
            hint="free some space, or set EDGECLS_CACHE to a folder on a larger disk",
        ) from wrong
