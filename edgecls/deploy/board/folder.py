"""A folder that only its owner can change, and files in it, all reached by descriptors.

Who deploys is often root. Whoever else may write to the folder, or to one above it, could put a
link there and let him write wherever it leads. So each step of the way is opened by itself and
looked at: it belongs to root or to this user, and nobody else may write to it. From then on names
count within the open folder only, and no link is followed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shlex
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO

from edgecls.deploy.board.telling import Refusal

# Where setup.sh puts it. Earlier versions gave it to the service, and systemd did so at each start.
DEFAULT = "/var/lib/edgecls"
TEMPORARY = ".deploy-"
_MOST_LINKS = 40
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH  # the bits of the group are the limit of an ACL, too
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe is not waited for
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """An open folder; close it when done.

    Args:
        path: For messages, and for programs that are given a path.
        handle: Its descriptor, which is the folder's own from now on.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.handle = handle

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Open a folder, and make what is missing of it.

        Raises:
            Refusal: It, or one on the way to it, can be changed by others; or it cannot be made.
        """
        try:
            step, at = _walk(path)
            try:
                handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=step)
            finally:
                os.close(step)
        except OSError as wrong:
            raise _cannot_write(path, wrong.strerror) from None
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=handle):
            os.close(handle)
            raise _cannot_write(path, "Permission denied")
        return cls(at, handle)

    def close(self) -> None:
        """Close it."""
        os.close(self.handle)

    def has(self, name: str) -> bool:
        """Whether something goes by this name, a link among others."""
        try:
            os.stat(name, dir_fd=self.handle, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def open_file(self, name: str) -> BufferedReader:
        """Open a file for reading.

        Raises:
            FileNotFoundError: There is none.
            Refusal: It is no plain file, of another user, or has a name elsewhere, too.
        """
        try:
            handle = os.open(name, _READ, dir_fd=self.handle)
        except FileNotFoundError:
            raise
        except OSError as wrong:  # ELOOP: a link
            raise self._odd(name, wrong.strerror) from None
        try:
            self._check(os.fstat(handle), name)
        except Refusal:
            os.close(handle)
            raise
        return open(handle, "rb")

    def make_file(self, name: str, mode: int) -> IO[bytes]:
        """Make a file that was not there, and open it for writing."""
        handle = os.open(name, _MAKE, mode, dir_fd=self.handle)
        os.fchmod(handle, mode)  # whatever the umask is
        return open(handle, "wb")

    def open_lock(self, name: str) -> int:
        """A descriptor to lock; nobody else can open the file, and hold the lock for ever.

        Raises:
            Refusal: Something else goes by this name.
        """
        with contextlib.suppress(FileExistsError):
            self.make_file(name, 0o600).close()
        with self.open_file(name) as file:
            os.fchmod(file.fileno(), 0o600)
            return os.dup(file.fileno())

    def move(self, name: str, to: Folder, new_name: str) -> None:
        """Rename a file; what has the new name is replaced in the same moment."""
        os.replace(name, new_name, src_dir_fd=self.handle, dst_dir_fd=to.handle)

    def link(self, name: str, new_name: str) -> None:
        """Give a file a second name."""
        here = self.handle
        os.link(name, new_name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.handle)

    def sync(self) -> None:
        """Names that were changed are on the disk, too."""
        os.fsync(self.handle)

    def free_bytes(self) -> int:
        """What the disk still takes from this user."""
        found = os.statvfs(self.handle)
        return found.f_bavail * found.f_frsize

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Folder]:
        """A new folder in this one, of a name that nobody can guess; removed with all it holds."""
        name = TEMPORARY + secrets.token_hex(8)
        os.mkdir(name, 0o700, dir_fd=self.handle)
        try:
            made = Folder(self.path / name, os.open(name, _STEP & ~os.O_PATH, dir_fd=self.handle))
            try:
                yield made
            finally:
                made.close()
        finally:
            self._remove_folder(name)

    def sweep(self) -> None:
        """Remove the temporary folders of those that were cut off."""
        for name in os.listdir(self.handle):
            if name.startswith(TEMPORARY):
                self._remove_folder(name)

    def _remove_folder(self, name: str) -> None:
        """With the files in it; `shutil.rmtree` has no `dir_fd` before Python 3.11."""
        with contextlib.suppress(OSError):
            handle = os.open(name, _STEP & ~os.O_PATH, dir_fd=self.handle)
            try:
                for each in os.listdir(handle):
                    os.unlink(each, dir_fd=handle)
            finally:
                os.close(handle)
            os.rmdir(name, dir_fd=self.handle)

    def _check(self, found: os.stat_result, name: str) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self._odd(name, "it is no plain file")
        if found.st_uid not in (0, os.geteuid()):
            raise self._odd(name, f"it belongs to {_name_of(found.st_uid)}")
        with os.scandir(self.handle) as entries:
            here = sum(entry.inode() == found.st_ino for entry in entries)
        # A file of ours under a second name could be one that nobody else may read.
        if found.st_nlink > here:
            raise self._odd(name, "it has a name elsewhere, too")

    def _odd(self, name: str, reason: str | None) -> Refusal:
        path = self.path / name
        return Refusal(
            f"{path} on the board is not used: {reason}",
            f"look at it there, then remove it: rm -r {shlex.quote(str(path))}",
        )


def _walk(path: Path) -> tuple[int, Path]:
    """A descriptor of a folder, each step to it checked, and its path without links."""
    todo = list(reversed(Path(os.getcwd(), path).parts))
    here, at, links = os.open(os.sep, _STEP), Path(os.sep), 0
    try:
        while todo:
            name = todo.pop()
            if (target := _read_link(name, here)) is not None:
                links += 1
                if links > _MOST_LINKS:
                    raise Refusal(f"{path} on the board is a link that leads to itself")
                todo += reversed(Path(target).parts)
                continue
            step = _enter(name, here)
            os.close(here)
            here = step
            at = at.parent if name == ".." else at / name
            _check_step(os.fstat(here), at, is_last=not todo)
    except BaseException:
        os.close(here)
        raise
    return here, at


def _enter(name: str, here: int) -> int:
    """Open the next folder on the way (`/` is one, too); make it where it is missing."""
    try:
        return os.open(name, _STEP, dir_fd=here)
    except FileNotFoundError:
        os.mkdir(name, 0o755, dir_fd=here)
        return os.open(name, _STEP, dir_fd=here)


def _read_link(name: str, here: int) -> str | None:
    """Where a link leads; None for what is none."""
    try:
        found = os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(found.st_mode):
        return None
    if found.st_uid not in (0, os.geteuid()):  # in a folder like /tmp everybody can make one
        raise Refusal(f"the link {name!r} on the way belongs to {_name_of(found.st_uid)}")
    return os.readlink(name, dir_fd=here)


def _check_step(found: os.stat_result, at: Path, *, is_last: bool) -> None:
    """Nobody but root and this user may put something else in the way."""
    is_ours = found.st_uid in (0, os.geteuid())
    # In a sticky folder (/tmp) others can make names, and not change those of ours.
    is_shared = bool(found.st_mode & stat.S_ISVTX) and not is_last
    if is_ours and (is_shared or not found.st_mode & _OTHERS_WRITE):
        return
    me, sudo = _name_of(os.geteuid()), "" if os.geteuid() == 0 else "sudo "
    owner, place = _name_of(found.st_uid), shlex.quote(str(at))
    if is_ours:
        raise Refusal(
            f"others may write to {at} on the board, and so could lead the model elsewhere",
            _again(at, sudo) or f"run there: {'' if found.st_uid else sudo}chmod go-w {place}",
        )
    mend = f"{sudo}chown {me} {place} && {sudo}chmod go-w {place}"
    raise Refusal(
        f"{at} on the board belongs to {owner}, who could lead the model elsewhere",
        (found.st_mode & _OTHERS_WRITE and _again(at, sudo))
        or f"run there: {mend}; or log in as {owner}, or choose another --path",
    )


def _again(at: Path, sudo: str) -> str:
    """How to mend the folder of an earlier set-up, which systemd would give back to the service."""
    if str(at) != DEFAULT:
        return ""
    return (
        f"an earlier edgecls set it up so. Run there, in a checkout of this version:"
        f" {sudo}devices/common/setup.sh"
    )


def _cannot_write(path: Path, reason: str | None) -> Refusal:
    place = shlex.quote(str(path))
    mend = f"run there: sudo chown {_name_of(os.geteuid())} {place}; or log in as its owner; or "
    return Refusal(
        f"the folder {path} on the board cannot be written to: {reason}",
        f"{mend if os.geteuid() and os.path.isdir(path) else ''}choose another --path",
    )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
