"""ZIP archives of others: read without ever taking more memory than they were allowed."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from typing import Final

# ZIP has no "no date"; its first one keeps equal contents equal bytes.
FIXED_DATE: Final = (1980, 1, 1, 0, 0, 0)
# All that reading a damaged ZIP was seen to raise; RuntimeError: it claims to be encrypted.
UNREADABLE_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    KeyError,
    ValueError,
    EOFError,
    OSError,
    RuntimeError,
    MemoryError,
)
MAX_ENTRIES: Final = 1_000
# Names and dates of the entries; Python makes half a kilobyte of each of them.
_MAX_DIRECTORY_BYTES: Final = 1 << 20
_END: Final = struct.Struct("<4s4H2LH")  # end of central directory record (APPNOTE 4.3.16)
_END_MARK: Final = b"PK\5\6"
_LARGE_END_MARK: Final = b"PK\6\7"  # ZIP64, for archives beyond 4 GiB
_LARGE_END_BYTES: Final = 20
_MAX_COMMENT_BYTES: Final = 1 << 16
# The others, bzip2 and LZMA, are unpacked by Python without a limit.
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class TooLargeError(Exception):
    """An archive that claims, or unpacks to, more than was allowed; the text says what."""


def read_archive(content: bytes, limit_bytes: int) -> tuple[dict[str, bytes], int]:
    """Unpack the archive at the end of some bytes.

    Args:
        content: The archive, or something with one behind it.
        limit_bytes: Of all entries together, unpacked.

    Returns:
        The entries by name, and where the first of them begins (the end where there is none).

    Raises:
        TooLargeError: More entries or more bytes than allowed.
        zipfile.BadZipFile: There is none; others of `UNREADABLE_ZIP`: it is damaged.
    """
    _check_directory(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise TooLargeError(f"{len(entries)} parts, at most {MAX_ENTRIES} are read")
        if sum(entry.file_size for entry in entries) > limit_bytes:
            raise TooLargeError(f"more than {limit_bytes >> 20} MiB")
        start = min((entry.header_offset for entry in entries), default=len(content))
        return {entry.filename: _read(archive, entry) for entry in entries}, start


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type not in _BOUNDED:
        raise zipfile.BadZipFile(
            f"{entry.filename!r:.60} is packed by method {entry.compress_type}"
        )
    # Not `archive.read`: it unpacks whatever comes before it looks at the size that was claimed.
    with archive.open(entry) as file:
        return file.read(entry.file_size + 1)


def _check_directory(content: bytes) -> None:
    """Look at the size of the directory before Python makes objects of all of it."""
    tail = content[-_MAX_COMMENT_BYTES - _END.size :]
    place = len(tail) - _END.size  # looked for as `zipfile` does it: without a comment, else before
    if not (tail[place : place + 4] == _END_MARK and tail.endswith(b"\0\0")):
        place = tail.rfind(_END_MARK)
    if place < 0 or place + _END.size > len(tail):
        return  # no archive: `zipfile` says so
    directory_bytes = _END.unpack_from(tail, place)[5]
    is_large = tail[:place][-_LARGE_END_BYTES:].startswith(_LARGE_END_MARK)
    if directory_bytes > _MAX_DIRECTORY_BYTES or is_large:
        raise TooLargeError(f"a directory of more than {_MAX_DIRECTORY_BYTES >> 10} KiB")
