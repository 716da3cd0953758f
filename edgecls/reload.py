"""A new model file under the same name: checked in the background, taken up when it is sound."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from edgecls.classifier import Classifier
from edgecls.contract.modelfile import ModelFile
from edgecls.errors import EdgeclsError, EngineError, is_strict
from edgecls.verification import verify

_POLL_S: Final = 0.5

Found: TypeAlias = Classifier | EdgeclsError


class Reloader:
    """Watches the name of a model file.

    A file that is renamed over it, or a link that is set anew, is another file and gets its chance.
    One that is written over in place is the same file, half written for a while: nothing changes.

    Args:
        path: The model file; make the reloader before the model is loaded, so that no file is
            missed in between.
        load: Reads and checks a model file.
        open_engine: Loads a model into the engine that the loop uses, after a child process ran it
            there: a file that crashes the engine must not take the loop with it.
        is_verified: Whether golden vectors must come out right, where the model has some.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], ModelFile],
        open_engine: Callable[[ModelFile], Classifier],
        *,
        is_verified: bool = True,
        poll_s: float = _POLL_S,
    ) -> None:
        self.path = path
        self._load = load
        self._open_engine = open_engine
        self._is_verified = is_verified
        self._poll_s = poll_s
        # Kept open: as long as it is, no other file can be given its number.
        self._handle = _open(path)
        self._found: Found | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def take(self) -> Found | None:
        """A new model that passed every gate, or why it did not; None where there is no news."""
        if self._found is None:
            return None
        found, self._found = self._found, None
        return found

    def close(self) -> None:
        """Watch no more; a model that nobody took is closed."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        left = self.take()
        if isinstance(left, Classifier):
            left.close()

    def _work(self) -> None:
        while not self._stop.wait(self._poll_s):
            if self._found is None and self._is_another():
                self._found = self._examine()

    def _is_another(self) -> bool:
        """Whether the name leads to another file; if so, that one is watched from now on."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False  # deleted, for the moment or for good: the old model is in memory
        if self._handle is not None:
            known = os.fstat(self._handle)
            if (known.st_dev, known.st_ino) == (status.st_dev, status.st_ino):
                return False
        handle = _open(self.path)
        if handle is None:
            return False  # gone again, or not readable yet
        if self._handle is not None:
            os.close(self._handle)
        self._handle = handle
        return True

    def _examine(self) -> Found:
        """The gates: its bytes, a probe in a child process, the engine, the golden vectors."""
        try:
            model = self._load(self.path)
            classifier = self._open_engine(model)
        except EdgeclsError as wrong:
            return wrong
        except Exception as wrong:  # the loop goes on with the old model
            if is_strict():
                raise
            return EngineError(f"it cannot be loaded: {wrong!r}")
        try:
            if self._is_verified and model.golden is not None:
                verify(classifier)
        except EdgeclsError as wrong:
            classifier.close()
            return wrong
        return classifier


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
