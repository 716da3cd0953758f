"""Models that a probe found sound, remembered on this machine: a probe takes a while."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgecls.contract.modelfile import ModelFile

FOLDER: Final = "verdicts"
MOST_VERDICTS: Final = 500
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not in a file, for machines whose disk takes none: for as long as the process lives.
_IN_MEMORY: Final[set[str]] = set()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One small file for each model that runs soundly on an engine of a version.

    Only good verdicts are kept. A bad one may be the fault of a moment, a machine without memory
    or too busy to answer in time, and asking again costs half a second. The name of a file is its
    content, too: what a power cut or another program left there is no verdict, and writers at the
    same time write the same.

    Args:
        folder: Made when it is needed; None for memory alone. One that others may write to counts
            for nothing.
        known: What is remembered where the folder cannot be written.
    """

    folder: Path | None
    known: set[str] = field(default_factory=set)

    def has(self, key: str) -> bool:
        """Whether this was found sound before."""
        if key in self.known:
            return True
        with self._opened() as place:
            return place is not None and _holds(place, key)

    def add(self, key: str) -> None:
        """Remember that this is sound; without an error, wherever it can be kept."""
        self.known.add(key)
        with contextlib.suppress(OSError):
            if self.folder is not None:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._opened() as place:
                if place is not None:
                    _shrink(place)
                    _write(place, key)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        """A descriptor of the folder; None where there is none, or others can write to it.

        They could call a model sound that never was tried, and have our files removed elsewhere.
        """
        handle = -1
        with contextlib.suppress(OSError):
            handle = -1 if self.folder is None else os.open(self.folder, _FOLDER)
        if handle < 0:
            yield None
            return
        try:
            found = os.fstat(handle)
            is_ours = found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022
            yield handle if is_ours else None
        finally:
            os.close(handle)


def _holds(place: int, key: str) -> bool:
    """Whether a file of this name holds its name, and is ours."""
    try:
        # O_NONBLOCK: whoever put a pipe there must not stop us.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(key, flags, dir_fd=place)
    except OSError:
        return False
    try:
        is_ours = os.fstat(handle).st_uid in (0, os.geteuid())
        return is_ours and os.read(handle, len(key) + 2) == _content_of(key)
    except OSError:
        return False
    finally:
        os.close(handle)


def _write(place: int, key: str) -> None:
    part = f".part-{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, 0o600, dir_fd=place), "wb") as file:
            file.write(_content_of(key))
        os.replace(part, key, src_dir_fd=place, dst_dir_fd=place)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=place)


def _shrink(place: int) -> None:
    """Make room for one more; the oldest go, and what a crash left half-written."""
    with os.scandir(place) as entries:
        files = [entry for entry in entries if not entry.is_dir(follow_symlinks=False)]
        if len(files) < MOST_VERDICTS:
            return
        by_age = sorted(files, key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns)
    for entry in by_age[: len(files) - MOST_VERDICTS + 1]:
        with contextlib.suppress(OSError):
            os.unlink(entry.name, dir_fd=place)


def key_of(model: ModelFile, engine: str, version: str) -> str:
    """What a verdict is about: these bytes, on this engine, on this kind of machine."""
    # The card's sum was compared with the bytes when the file was read.
    sha256 = model.card.sha256 or hashlib.sha256(model.flatbuffer).hexdigest()
    rest = f"{engine}-{version}-{os.uname().machine}"
    return f"{sha256}-{''.join(c if c.isalnum() or c in '-._' else '_' for c in rest)[:100]}"


def default_verdicts() -> Verdicts:
    """Those of this user, or of the service that this process is.

    In `EDGECLS_CACHE`, else `CACHE_DIRECTORY` (set by systemd), else `$XDG_CACHE_HOME/edgecls`,
    else `~/.cache/edgecls`; without any of them in memory alone.
    """
    named = os.environ.get("EDGECLS_CACHE") or os.environ.get("CACHE_DIRECTORY", "").split(":")[0]
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "edgecls"
        root = Path(named).expanduser() if named else base
    except RuntimeError:  # a user without a home
        return Verdicts(None, _IN_MEMORY)
    return Verdicts(root.absolute() / FOLDER, _IN_MEMORY)


def _content_of(key: str) -> bytes:
    return f"{key}\n".encode("ascii")
