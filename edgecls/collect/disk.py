"""Whether the disk takes pictures: said once when it stops, and once when it does again."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final, TypeVar

from edgecls.collect.index import Picture
from edgecls.errors import EdgeclsError

_Result = TypeVar("_Result")
# What a look at the disk would find, too.
_FORESEEN: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT)
_HINT: Final = "free some space; emptying the trash helps, if there is something in it"


class NotKeptError(EdgeclsError, OSError):
    """The disk did not take a picture, or did not move one; nothing that was there is lost."""


class StillReadingError(EdgeclsError):
    """What was asked for needs all of the folder, which is not read yet."""


class Disk:
    """Remembers why pictures cannot be kept.

    Args:
        tell: Takes a line for people.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.problem = ""
        self._tell = tell
        self._is_foreseen = True

    def attempt(self, keep: Callable[[], Picture]) -> Picture:
        """Keep a picture.

        Raises:
            NotKeptError: The disk does not take it.
        """
        try:
            picture = keep()
        except OSError as wrong:
            self._is_foreseen = wrong.errno in _FORESEEN
            self._fail(reason_of(wrong))
            raise NotKeptError(f"not kept: {self.problem}", hint=_HINT) from wrong
        self._work()
        return picture

    def look(self, check: Callable[[], None]) -> None:
        """Look whether it would take one."""
        try:
            check()
        except OSError as wrong:
            self._is_foreseen = True
            self._fail(reason_of(wrong))
        else:
            if self._is_foreseen:  # of a disk that fails otherwise, only a picture tells
                self._work()

    def _fail(self, problem: str) -> None:
        if not self.problem:
            self._tell(f"collecting stops: {problem}; the live picture goes on")
        self.problem = problem

    def _work(self) -> None:
        if self.problem:
            self.problem = ""
            self._tell("collecting goes on: the disk takes pictures again")


def change(work: Callable[[], _Result]) -> _Result:
    """Move or delete pictures.

    Raises:
        NotKeptError: The disk does not let it be done.
    """
    try:
        return work()
    except OSError as wrong:
        raise NotKeptError(f"not done: {reason_of(wrong)}", hint=_HINT) from wrong


def reason_of(wrong: OSError) -> str:
    """Why, in a few words."""
    if isinstance(wrong, EdgeclsError):
        return wrong.problem
    if isinstance(wrong, FileNotFoundError):
        return "the folder is not there any more"
    return wrong.strerror or str(wrong)
