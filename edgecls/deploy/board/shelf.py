"""The model and those before it in their folder on the board, changed by renaming only.

`model.tflite` is a plain file, not a link: whoever opens it sees either the old model or the new
one, and a file that was copied there by hand is one like any other. `model.tflite.1` and `.2` are
the two before it, `model.tflite.undone` is what was rolled back last. While a new model has not
proved itself, the old one waits in `.model.tflite.before`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgecls.deploy.board.folder import Folder
from edgecls.deploy.board.telling import Refusal

NAME = "model.tflite"
_BEFORE, _UNDONE = f".{NAME}.before", f"{NAME}.undone"
_FIRST, _SECOND = f"{NAME}.1", f"{NAME}.2"
_LOCK = ".lock-of-deploy"


class Shelf:
    """What lies in a folder.

    Args:
        folder: Stays the caller's.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    @property
    def model(self) -> Path:
        """Where the model lies."""
        return self.folder.path / NAME

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else deploys here meanwhile; the kernel frees the lock of the dead.

        What a power cut has left is put in order first: the new model stays, the old one is kept.
        """
        with contextlib.ExitStack() as closing:
            handle = self.folder.open_lock(_LOCK)
            closing.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refusal(
                    f"another deployment into {self.folder.path} is at work on the board",
                    "wait until it is done",
                ) from None
            self.folder.sweep()
            before = self.fingerprint(_BEFORE)
            if before is not None and before == self.fingerprint():
                self.folder.remove(_BEFORE)
            elif before is not None:
                self.settle()
            yield

    @property
    def kept(self) -> list[str]:
        """Names of the earlier models, the newest first."""
        return [name for name in (_FIRST, _SECOND) if self.folder.has(name)]

    def fingerprint(self, name: str = NAME) -> str | None:
        """SHA-256 of a file; None where there is none."""
        try:
            found = hashlib.sha256()
            with self.folder.open_file(name) as file:
                while chunk := file.read(1 << 20):
                    found.update(chunk)
            return found.hexdigest()
        except FileNotFoundError:
            return None

    def copy(self, name: str, to: Folder, new_name: str) -> None:
        """A copy in another folder, on the disk when this returns, that everybody may read."""
        with self.folder.open_file(name) as old, to.make_file(new_name, 0o644) as new:
            shutil.copyfileobj(old, new)
            new.flush()
            os.fsync(new.fileno())

    def copy_previous(self, to: Folder) -> None:
        """The model to go back to."""
        if not self.folder.has(_FIRST):
            raise Refusal(f"no earlier model is kept in {self.folder.path} on the board")
        self.copy(_FIRST, to, NAME)

    def swap(self, place: Folder) -> None:
        """Put the model of another folder in the place of this one's, in one step for everybody."""
        if self.folder.has(NAME):
            self._keep(place)
        place.move(NAME, self.folder, NAME)
        self.folder.sync()

    def _keep(self, place: Folder) -> None:
        """Let the old model wait until the new one has proved itself."""
        self.folder.open_file(NAME).close()  # a link or a pipe is refused here
        try:
            self.folder.link(NAME, _BEFORE)
        except OSError:  # a file system without links, or root's file
            self.copy(NAME, place, _BEFORE)  # half a copy never gets the name in this folder
            place.move(_BEFORE, self.folder, _BEFORE)

    def swap_back(self) -> None:
        """To what was there before `swap`."""
        if self.folder.has(_BEFORE):
            self.folder.move(_BEFORE, self.folder, NAME)
        else:
            self.folder.remove(NAME)
        self.folder.sync()

    def settle(self) -> None:
        """The new model has proved itself: the old one becomes the first of those before it."""
        folder = self.folder
        if folder.has(_BEFORE):
            if folder.has(_FIRST):
                folder.move(_FIRST, folder, _SECOND)
            folder.move(_BEFORE, folder, _FIRST)
        folder.sync()

    def settle_back(self) -> None:
        """The model before has taken the place of a newer one, which is kept aside."""
        folder = self.folder
        if folder.has(_BEFORE):
            folder.move(_BEFORE, folder, _UNDONE)
        folder.remove(_FIRST)
        if folder.has(_SECOND):
            folder.move(_SECOND, folder, _FIRST)
        folder.sync()
