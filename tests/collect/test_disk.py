"""What is said of a disk that takes nothing: once when it stops, once when it does again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from edgecls.collect.collection import Collection
from edgecls.collect.disk import Disk, NotKeptError, change
from edgecls.collect.index import Picture
from edgecls.errors import SinkError
from tests.collect.test_collection import contents, keep
from tests.sinks.test_disk import SmallDisk, disk

__all__ = ["disk"]

PICTURE = Picture("id", "cat/1.jpg", 1, 0)


def failing(number: int) -> Callable[[], Picture]:
    def fail() -> Picture:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_full_disk_is_said_once_and_when_it_is_over() -> None:
    said: list[str] = []
    disk = Disk(said.append)
    for _ in range(3):
        with pytest.raises(NotKeptError, match="not kept: No space left on device"):
            disk.attempt(failing(errno.ENOSPC))
    assert disk.problem == "No space left on device"
    disk.look(lambda: None)
    assert disk.problem == ""
    assert said == [
        "collecting stops: No space left on device; the live picture goes on",
        "collecting goes on: the disk takes pictures again",
    ]


def test_a_disk_that_fails_otherwise_is_believed_only_when_it_took_a_picture() -> None:
    disk = Disk(lambda _: None)
    with pytest.raises(NotKeptError, match="Input/output error"):
        disk.attempt(failing(errno.EIO))
    disk.look(lambda: None)
    assert disk.problem == "Input/output error"
    assert disk.attempt(lambda: PICTURE) is PICTURE
    assert disk.problem == ""


def test_a_folder_that_is_gone_is_said_in_words() -> None:
    with pytest.raises(NotKeptError, match="not done: the folder is not there any more"):
        change(failing(errno.ENOENT))


def test_what_edgecls_says_itself_is_said_as_it_is() -> None:
    def refuse() -> Picture:
        raise SinkError("'dog' in the folder of records is a link or a file")

    with pytest.raises(NotKeptError, match="not done: 'dog' in the folder"):
        change(refuse)


class TestRealDisks:
    """64 kB of memory, mounted as a disk."""

    @pytest.mark.fault(68)
    def test_a_full_one_takes_nothing_more_and_later_again(self, disk: SmallDisk) -> None:
        collection = Collection(disk.path / "pictures", ["cat"], min_free_bytes=0)
        keep(collection, "cat", b"1" * 3000)
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            keep(collection, "cat", b"2" * 9000)
        assert contents(disk.path / "pictures") == {"cat": [b"1" * 3000]}
        disk.free()
        keep(collection, "cat", b"3" * 9000)
        assert contents(disk.path / "pictures") == {"cat": [b"1" * 3000, b"3" * 9000]}
        collection.close()

    @pytest.mark.fault(68)
    def test_emptying_the_trash_makes_room_on_a_full_one(self, disk: SmallDisk) -> None:
        collection = Collection(disk.path / "pictures", ["cat"], min_free_bytes=0)
        collection.discard(keep(collection, "cat", *(b"1" * 4000 for _ in range(5))))
        disk.fill()
        # The journal's last page takes some lines yet; then nothing does.
        with (disk.path / "pictures" / ".steps.jsonl").open("ab", buffering=0) as journal:
            journal.write(b"{}\n".rjust(4096))
        assert collection.empty_trash() == 5
        keep(collection, "cat", b"2" * 4000)
        collection.close()
        again = Collection(disk.path / "pictures", min_free_bytes=0)
        assert (again.counts, again.last) == ({"cat": 1}, None)
        again.close()

    @pytest.mark.fault(70)
    def test_a_read_only_one_is_refused_and_later_taken(self, disk: SmallDisk) -> None:
        collection = Collection(disk.path / "pictures", ["cat", "dog"], min_free_bytes=0)
        keep(collection, "cat", b"1")
        collection.close()
        disk.remount("ro")
        with pytest.raises(SinkError, match="Read-only file system"):
            Collection(disk.path / "pictures")
        disk.remount("rw")
        collection = Collection(disk.path / "pictures", min_free_bytes=0)
        collection.check_room()
        cats = [picture.id for picture in collection.pictures("cat")]
        assert collection.relabel(cats, "dog").count == 1
        collection.close()
