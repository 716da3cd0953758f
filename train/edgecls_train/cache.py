"""A bounded cache of arrays on disk, safe against crashes and between processes.

An entry is a folder `<root>/<key>` of raw arrays and an `entry.json` with their shapes and CRC-32
sums. It is written under another name, synced, and renamed, so it is there whole or not at all.
One whose bytes do not fit its sums is removed and made anew. What was used longest ago goes first
when all entries together grow beyond the limit; arrays that a process has open stay readable.

The folder is `EDGECLS_CACHE`, else `$XDG_CACHE_HOME/edgecls`, else `~/.cache/edgecls`. The limit is
`EDGECLS_CACHE_GB`, else 20. The whole folder may be removed at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy.typing as npt

from edgecls.errors import EdgeclsError, InvalidValueError
from edgecls_train.cache_entry import INDEX, Array, EntryWriter, explaining, open_array

DEFAULT_LIMIT_GB: Final = 20.0

_LOCK: Final = "lock"
_UNFINISHED: Final = ".part-"


@dataclass(frozen=True, slots=True)
class Cache:
    """Where entries are and how much they may take together.

    Args:
        root: The folder; made when something is written.
        limit_bytes: Of all entries. A single entry may be larger; it stays until the next.
    """

    root: Path
    limit_bytes: int

    def load(self, key: str) -> dict[str, Array] | None:
        """The arrays of an entry, read-only and memory-mapped; None when there is no sound one."""
        folder = self.root / key
        if not (folder / INDEX).is_file():
            return None
        try:
            index = json.loads((folder / INDEX).read_bytes())
            arrays = {name: open_array(folder / name, facts) for name, facts in index.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self._discard(folder)
            return None
        with contextlib.suppress(OSError):  # another process has just removed it: no harm
            os.utime(folder)
        return arrays

    def has(self, prefix: str) -> bool:
        """Whether there is an entry whose key begins so."""
        return any(folder.name.startswith(prefix) for folder in self._entries())

    @contextlib.contextmanager
    def write(self, key: str = "") -> Iterator[EntryWriter]:
        """Write an entry; it appears when the block ends without an error.

        Args:
            key: Letters, digits and dashes; empty when the block itself sets the writer's `key`.

        Raises:
            EdgeclsError: The folder cannot be written or the disk is full; nothing is left.
        """
        with explaining(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            self._remove_unfinished()
            folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.root))
        lock = None
        try:
            with explaining(self.root):
                lock = open(folder / _LOCK, "wb")  # noqa: SIM115  # held until the entry is there
                fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.ExitStack() as files:
                writer = EntryWriter(folder, key, files)
                yield writer
                with explaining(self.root):
                    writer.finish()
            (folder / _LOCK).unlink()
            self._publish(folder, writer.key)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                lock.close()
        self.shrink(keep=writer.key)

    def shrink(self, keep: str = "") -> None:
        """Remove what was used longest ago until the rest fits the limit; `keep` always stays."""
        entries = []
        for folder in self._entries():
            with contextlib.suppress(OSError):
                entries.append((folder.stat().st_mtime_ns, folder, _measure(folder)))
        total = sum(size for _, _, size in entries)
        for _, folder, size in sorted(entries):
            if total <= self.limit_bytes:
                return
            if folder.name != keep:
                self._discard(folder)
                total -= size

    def _publish(self, folder: Path, key: str) -> None:
        with explaining(self.root):
            # Another process may have been faster; what it wrote has the same content.
            if not (self.root / key / INDEX).is_file():
                self._discard(self.root / key)
                with contextlib.suppress(FileExistsError):
                    os.rename(folder, self.root / key)
            handle = os.open(self.root, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _entries(self) -> Iterator[Path]:
        if self.root.is_dir():
            for folder in self.root.iterdir():
                if not folder.name.startswith(".") and (folder / INDEX).is_file():
                    yield folder

    def _discard(self, folder: Path) -> None:
        # Renamed first: a half-removed entry must not be found under its key.
        with contextlib.suppress(OSError):
            hidden = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.root))
            with contextlib.suppress(OSError):
                os.rename(folder, hidden / "old")
            shutil.rmtree(hidden, ignore_errors=True)

    def _remove_unfinished(self) -> None:
        """Remove what processes that are gone have left: their locks are free."""
        for folder in self.root.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(OSError), open(folder / _LOCK, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


def cached_arrays(
    key: str,
    wanted: Sequence[tuple[tuple[int, ...], npt.DTypeLike]],
    fill: Callable[[Sequence[Array]], None],
) -> list[Array]:
    """Arrays from the cache of this user, computed when they are not there.

    Args:
        key: Names everything that decides the content; letters, digits and dashes.
        wanted: Shape and dtype of each array.
        fill: Writes into arrays of these shapes.

    Returns:
        Read-only and memory-mapped.

    Raises:
        EdgeclsError: The cache cannot be written.
    """
    cache = default_cache()
    names = [f"array{number}" for number in range(len(wanted))]
    arrays = cache.load(key)
    if arrays is None or set(arrays) != set(names):
        with cache.write(key) as entry:
            fill([entry.allocate(name, *each) for name, each in zip(names, wanted, strict=True)])
        arrays = cache.load(key)
    if arrays is None:
        raise EdgeclsError(
            f"the cache '{cache.root}' lost what was just written to it",
            hint="is another program clearing it? Set EDGECLS_CACHE to another folder",
        )
    return [arrays[name] for name in names]


def default_cache() -> Cache:
    """The cache of this user.

    Raises:
        InvalidValueError: `EDGECLS_CACHE_GB` is no positive number.
    """
    text = os.environ.get("EDGECLS_CACHE_GB") or str(DEFAULT_LIMIT_GB)
    try:
        limit_gb = float(text)
    except ValueError:
        limit_gb = math.nan
    if not 0.0 < limit_gb < math.inf:
        raise InvalidValueError(
            f"EDGECLS_CACHE_GB is {text!r}, wanted a number above 0",
            hint=f"unset it for {DEFAULT_LIMIT_GB:g} GB",
        )
    named = os.environ.get("EDGECLS_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(named) if named else Path(base) / "edgecls"
    return Cache(root.expanduser().absolute(), int(limit_gb * 1e9))


def _measure(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder))
