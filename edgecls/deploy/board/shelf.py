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

from edgecls.deploy.board.telling import Refusal

NAME = "model.tflite"


class Shelf:
    """What lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / NAME
        self._before = folder / f".{NAME}.before"
        self._undone = folder / f"{NAME}.undone"
        self._first, self._second = folder / f"{NAME}.1", folder / f"{NAME}.2"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else deploys here meanwhile; the kernel frees the lock of the dead.

        What a power cut has left is put in order first: the new model stays, the old one is kept.
        """
        with contextlib.ExitStack() as closing:
            handle = self._open_lock()
            closing.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refusal(
                    f"another deployment into {self.folder} is at work on the board",
                    "wait until it is done",
                ) from None
            for stale in self.folder.glob(".deploy-*"):
                shutil.rmtree(stale, ignore_errors=True)
            if fingerprint(self._before) == fingerprint(self.model):
                self._before.unlink(missing_ok=True)
            elif self._before.exists():
                self.settle()
            yield

    def _open_lock(self) -> int:
        lock = self.folder / ".lock-of-deploy"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o664)
        except OSError as wrong:
            raise self._cannot_write(wrong.strerror) from None
        if not os.access(self.folder, os.W_OK):
            os.close(handle)
            raise self._cannot_write("Permission denied")
        return handle

    def _cannot_write(self, reason: str | None) -> Refusal:
        return Refusal(
            f"the folder {self.folder} on the board cannot be written to: {reason}",
            "let the user into the group edgecls (setup.sh does), or choose another --path",
        )

    @property
    def kept(self) -> list[str]:
        """Names of the earlier models, the newest first."""
        return [path.name for path in (self._first, self._second) if path.exists()]

    def copy_previous(self, to: Path) -> None:
        """The model to go back to."""
        if not self._first.exists():
            raise Refusal(f"no earlier model is kept in {self.folder} on the board")
        copy(self._first, to)

    def swap(self, candidate: Path) -> None:
        """Put a file in the model's place, in one step for everybody who opens the name."""
        if self.model.exists():
            try:
                os.link(self.model, self._before)
            except OSError:  # of another user, or on a file system that has no links
                copy(self.model, self._before)
        os.replace(candidate, self.model)
        sync(self.folder)

    def swap_back(self) -> None:
        """To what was there before `swap`."""
        if self._before.exists():
            os.replace(self._before, self.model)
        else:
            self.model.unlink()
        sync(self.folder)

    def settle(self) -> None:
        """The new model has proved itself: the old one becomes the first of those before it."""
        if self._before.exists():
            if self._first.exists():
                os.replace(self._first, self._second)
            os.replace(self._before, self._first)
        sync(self.folder)

    def settle_back(self) -> None:
        """The model before has taken the place of a newer one, which is kept aside."""
        if self._before.exists():
            os.replace(self._before, self._undone)
        self._first.unlink()
        if self._second.exists():
            os.replace(self._second, self._first)
        sync(self.folder)


def fingerprint(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def copy(path: Path, to: Path) -> None:
    """A copy that is on the disk when this returns, and that everybody may read."""
    with path.open("rb") as old, to.open("wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())
    to.chmod(0o644)


def sync(folder: Path) -> None:
    """Names that were changed are on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
