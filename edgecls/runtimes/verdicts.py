"""Models that a probe found sound, remembered on this machine: a probe takes a while."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgecls.contract.modelfile import ModelFile

FOLDER: Final = "verdicts"
MOST_VERDICTS: Final = 500
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
        folder: Made when it is needed; None for memory alone.
        known: What is remembered where the folder cannot be written.
    """

    folder: Path | None
    known: set[str] = field(default_factory=set)

    def has(self, key: str) -> bool:
        """Whether this was found sound before."""
        if key in self.known:
            return True
        if self.folder is None:
            return False
        try:
            # O_NONBLOCK: whoever put a pipe there must not stop us.
            handle = os.open(self.folder / key, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return os.read(handle, len(key) + 2) == _content_of(key)
        except OSError:
            return False
        finally:
            os.close(handle)

    def add(self, key: str) -> None:
        """Remember that this is sound; without an error, wherever it can be kept."""
        self.known.add(key)
        if self.folder is None:
            return
        import tempfile  # only a model that is new here gets so far

        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._shrink()
            handle, name = tempfile.mkstemp(prefix=".part-", dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_content_of(key))
                os.replace(name, self.folder / key)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(name)

    def _shrink(self) -> None:
        """Make room for one more; the oldest go, and what a crash left half-written."""
        assert self.folder is not None
        files = [entry for entry in os.scandir(self.folder) if not entry.is_dir()]
        if len(files) < MOST_VERDICTS:
            return
        by_age = sorted(files, key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns)
        for entry in by_age[: len(files) - MOST_VERDICTS + 1]:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


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
