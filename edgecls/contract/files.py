"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, Final

from edgecls.errors import EdgeclsError

_LEAST_BYTES: Final = 1 << 16  # files of /proc and /sys have no size


def write_atomically(path: Path, content: bytes) -> None:
    """Write through a temporary file, fsync and rename, so no reader ever sees half a file.

    Raises:
        EdgeclsError: The disk is full, the folder is missing or not writable; nothing is left.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except (OSError, ValueError) as wrong:  # ValueError: a NUL in the name
        raise _cannot_write(path, wrong) from wrong
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
            # mkstemp makes it readable for its owner only. By its descriptor: whoever else may
            # write to the folder could have put a link in its place.
            os.fchmod(out.fileno(), 0o666 & ~_umask())
        os.replace(name, path)
        _sync_folder(path.parent)
    except OSError as wrong:
        raise _cannot_write(path, wrong) from wrong
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def read_regular_file(path: Path, limit_bytes: int, error: type[EdgeclsError]) -> bytes:
    """All bytes of a regular file; never waits on a FIFO or a device.

    Args:
        path: Any name the system allows.
        limit_bytes: A larger file is refused before it is read.
        error: What to raise.
    """
    try:
        # O_NONBLOCK: opening a FIFO for reading would wait for a writer, for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as wrong:
        raise error(f"there is no file {str(path)!r}", hint="check the path") from wrong
    except (OSError, ValueError) as wrong:  # ValueError: a NUL in the name
        reason = wrong.strerror if isinstance(wrong, OSError) else wrong
        raise error(f"cannot open {str(path)!r}: {reason}") from wrong
    # Looked at before `open`, which fails on a folder with an error of its own.
    with contextlib.ExitStack() as closing:
        closing.callback(os.close, handle)
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
            raise error(f"{str(path)!r} is {kind}, wanted a file")
        if status.st_size > limit_bytes:
            raise error(
                f"{str(path)!r} has {status.st_size >> 20} MiB, at most {limit_bytes >> 20} MiB"
            )
        try:
            with open(handle, "rb", closefd=False) as file:
                # As much as it has, not as it may have: so much is allocated before it is read.
                return file.read(min(limit_bytes, max(status.st_size, _LEAST_BYTES)) + 1)
        except OSError as wrong:
            raise error(f"cannot read {str(path)!r}: {wrong.strerror}") from wrong


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_write(path: Path, wrong: OSError | ValueError) -> EdgeclsError:
    reason = wrong.strerror if isinstance(wrong, OSError) else None
    return EdgeclsError(
        f"cannot write {str(path)!r}: {reason or wrong}",
        hint="check that the folder exists, is writable and has free space",
    )
