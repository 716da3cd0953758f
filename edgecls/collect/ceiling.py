"""How much may be kept: what does not fit is refused, for nothing acknowledged is ever deleted."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from typing import ClassVar

from edgecls.storage.quota import Kept, Quota


class Ceiling(Quota):
    """A quota that refuses the new where a recording would delete the old.

    Args:
        max_bytes: All pictures together, those in the trash among them; 0 for no limit.
        min_free_bytes: What must stay free on the disk.
        used: Bytes of what is kept.
    """

    deletes: ClassVar[bool] = False

    def __init__(self, max_bytes: int, min_free_bytes: int, used: Callable[[], int]) -> None:
        super().__init__(max_bytes, min_free_bytes)
        self._used = used
        self._newest = 0

    def begin(self, found: Iterable[Kept]) -> None:
        """Take note of the highest number; how much there is, is asked for when it is needed."""
        self._newest = max((kept.number for kept in found), default=0)

    @property
    def newest(self) -> int:
        """The highest number of a picture; 0 without one."""
        return self._newest

    def add(self, kept: Kept) -> None:
        """Remember that it was added."""
        self._newest = kept.number

    def make_room(self, root: int, size_bytes: int) -> None:
        """Refuse a picture that does not fit.

        Raises:
            OSError: It is too much, or there is too little room on the disk.
        """
        used = self._used()
        if self._max_bytes and used + size_bytes > self._max_bytes:
            raise OSError(
                errno.EDQUOT,
                f"the quota of {self._max_bytes / 1e6:.0f} MB is used up",
            )
        super().make_room(root, size_bytes)
