"""The folder that is reviewed: by one process at a time, with a trash."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing
from pathlib import Path
from typing import Final

from edgecls.errors import DatasetError, SinkError
from edgecls.storage.steps import Steps

LOCK_NAME: Final = ".review.lock"


def lock_folder(root: Path) -> int:
    """The handle of a lock that one review has at a time; closing it lets go.

    Raises:
        SinkError: Another one has it, or the folder cannot be written.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(root / LOCK_NAME, flags, 0o666)
    except OSError as wrong:
        raise SinkError(
            f"cannot review '{root}': {wrong.strerror}",
            hint="what is accepted leaves that folder: it must be writable",
        ) from wrong
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as wrong:
        os.close(handle)
        raise SinkError(f"another edgecls reviews '{root}'", hint="end that one first") from wrong
    return handle


def empty_trash(root: Path) -> int:
    """Delete what was decided about in a folder, for good; returns how many files.

    Raises:
        DatasetError: There is no such folder.
        SinkError: Somebody reviews it now, or it cannot be written.
        OSError: It cannot be deleted.
    """
    if not root.is_dir():
        raise DatasetError(f"there is no folder '{root}'", hint="give one that was reviewed")
    handle = lock_folder(root)
    try:
        with closing(Steps(root)) as steps:
            return steps.empty_trash()
    finally:
        os.close(handle)
