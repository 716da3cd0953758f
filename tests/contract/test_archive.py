"""ZIP archives that lie about themselves take no more memory than they were allowed."""

from __future__ import annotations

import io
import resource
import struct
import zipfile

import pytest

from edgecls.contract.archive import MAX_ENTRIES, UNREADABLE_ZIP, TooLargeError, read_archive
from edgecls.contract.modelfile import parse_model_file
from edgecls.errors import DamagedModelError
from tests.support.tiny_model import tiny_model_bytes

LIMIT = 1 << 20


def packed(method: int = zipfile.ZIP_STORED, prefix: bytes = b"", **parts: bytes) -> bytes:
    """An archive, perhaps behind something else."""
    whole = io.BytesIO()
    whole.write(prefix)
    with zipfile.ZipFile(whole, "a", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return whole.getvalue()


def understated(content: bytes, size: int, start: int = 0) -> bytes:
    """The archive with its first entry claiming `size` bytes."""
    changed = bytearray(content)
    struct.pack_into("<I", changed, changed.index(b"PK\3\4", start) + 22, size)
    struct.pack_into("<I", changed, changed.rindex(b"PK\1\2") + 24, size)
    return bytes(changed)


def test_entries_come_by_name_and_with_the_place_where_they_begin() -> None:
    entries, start = read_archive(packed(prefix=b"12345678", a=b"one", b=b"two"), LIMIT)
    assert entries == {"a": b"one", "b": b"two"}
    assert start == 8


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_is_claimed_beyond_the_limit_is_refused(method: int) -> None:
    with pytest.raises(TooLargeError, match="more than 1 MiB"):
        read_archive(packed(method, a=bytes(LIMIT + 1)), LIMIT)


@pytest.mark.fault(7)
def test_an_entry_that_unpacks_to_a_thousand_times_its_claim_takes_no_memory() -> None:
    bomb = understated(packed(zipfile.ZIP_DEFLATED, a=bytes(100 << 20)), 100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(zipfile.BadZipFile, match="CRC-32"):
        read_archive(bomb, LIMIT)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 << 10


@pytest.mark.fault(7)
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_a_limit_are_refused(method: int) -> None:
    with pytest.raises(zipfile.BadZipFile, match=f"packed by method {method}"):
        read_archive(packed(method, a=b"hello"), LIMIT)


@pytest.mark.fault(7)
def test_more_entries_than_anybody_needs_are_refused() -> None:
    parts = {f"{number}": b"" for number in range(MAX_ENTRIES + 1)}
    with pytest.raises(TooLargeError, match="1001 parts, at most 1000"):
        read_archive(packed(**parts), LIMIT)


@pytest.mark.fault(7)
def test_a_directory_that_is_enormous_is_refused_before_it_is_read() -> None:
    content = bytearray(packed(a=b""))
    struct.pack_into("<I", content, content.rindex(b"PK\5\6") + 12, 500 << 20)
    with pytest.raises(TooLargeError, match="a directory of more than 1024 KiB"):
        read_archive(bytes(content), LIMIT)


@pytest.mark.fault(7)
def test_a_mark_inside_the_last_record_does_not_hide_it() -> None:
    content = bytearray(packed(a=b""))
    end = content.rindex(b"PK\5\6")
    struct.pack_into("<L4s", content, end + 12, 500 << 20, b"PK\5\6")
    with pytest.raises(TooLargeError, match="a directory"):
        read_archive(bytes(content), LIMIT)


@pytest.mark.parametrize("kept", [0, 1, 10, 21, 40, 80])
def test_what_is_no_archive_any_more_is_unreadable(kept: int) -> None:
    with pytest.raises(UNREADABLE_ZIP):
        read_archive(packed(a=b"one", b=b"two")[:kept], LIMIT)


@pytest.mark.fault(7)
def test_a_model_with_a_bomb_behind_it_is_damaged() -> None:
    flatbuffer = tiny_model_bytes((4, 4), "GRAY", 3)
    bomb = packed(zipfile.ZIP_DEFLATED, prefix=flatbuffer, a=bytes(10 << 20))
    with pytest.raises(DamagedModelError, match="cut off or damaged"):
        parse_model_file(understated(bomb, 100, len(flatbuffer)), "bomb.tflite")
