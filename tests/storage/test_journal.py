"""A file of lines that grows: whole lines only, whatever happens to the disk."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgecls.errors import SinkError
from edgecls.storage.journal import Journal, LineFormat
from edgecls.storage.outage import Outage

LINES = LineFormat(begins=b'{"')
TABLE = LineFormat(begins=b"", header=b"a,b\r\n", end=b"\r\n")


def line(number: int) -> bytes:
    return b'{"n": %d}\n' % number


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@contextmanager
def files_no_larger_than(limit: int) -> Iterator[None]:
    """A disk that is full, as far as one file is concerned."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestTornTail:
    @pytest.mark.fault(67)
    @pytest.mark.parametrize("kept", range(1, len(line(2))))
    def test_a_line_cut_anywhere_is_cut_off_at_the_start(self, path: Path, kept: int) -> None:
        path.write_bytes(line(1) + line(2)[:kept])
        journal = Journal(path, LINES)
        journal.append(line(3))
        assert path.read_bytes() == line(1) + line(3)
        assert journal.repaired_bytes == kept

    def test_a_file_that_is_whole_stays_as_it_is(self, path: Path) -> None:
        path.write_bytes(line(1) + line(2))
        journal = Journal(path, LINES)
        assert path.read_bytes() == line(1) + line(2)
        assert journal.repaired_bytes == 0

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"\xff\xd8\xff\xe0 a picture", id="a picture"),
            pytest.param(b"a letter\nto somebody", id="a text whose last line does not end"),
            pytest.param(b"\0" * (2 << 20), id="a large file without lines"),
        ],
    )
    def test_a_file_of_another_kind_is_refused_and_left_alone(
        self, path: Path, content: bytes
    ) -> None:
        path.write_bytes(content)
        with pytest.raises(SinkError, match="is there and holds something else"):
            Journal(path, LINES)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("kept", range(len(TABLE.header) + 1))
    def test_a_header_that_was_cut_is_written_again(self, path: Path, kept: int) -> None:
        path.write_bytes(TABLE.header[:kept])
        Journal(path, TABLE).append(b"1,2\r\n")
        assert path.read_bytes() == b"a,b\r\n1,2\r\n"

    def test_another_table_is_refused(self, path: Path) -> None:
        path.write_bytes(b"x,y\r\n1,2\r\n")
        with pytest.raises(SinkError, match="its first line is another one"):
            Journal(path, TABLE)

    @pytest.mark.fault(67)
    def test_a_row_that_was_cut_inside_a_quoted_line_feed_is_cut_off(self, path: Path) -> None:
        path.write_bytes(b'a,b\r\n1,2\r\n3,"two\nli')
        Journal(path, TABLE).close()
        assert path.read_bytes() == b"a,b\r\n1,2\r\n"


class TestRotation:
    def test_older_files_move_up_and_the_oldest_goes(self, path: Path) -> None:
        journal = Journal(path, LINES, max_bytes=2 * len(line(1)), keep=2)
        for number in range(1, 9):
            journal.append(line(number))
        assert path.read_bytes() == line(7) + line(8)
        assert path.with_name("log.jsonl.1").read_bytes() == line(5) + line(6)
        assert path.with_name("log.jsonl.2").read_bytes() == line(3) + line(4)
        assert len(os.listdir(path.parent)) == 3

    def test_without_older_files_it_begins_anew(self, path: Path) -> None:
        journal = Journal(path, LINES, max_bytes=2 * len(line(1)), keep=0)
        for number in range(1, 4):
            journal.append(line(number))
        assert path.read_bytes() == line(3)
        assert os.listdir(path.parent) == [path.name]

    def test_each_file_of_a_table_has_its_header(self, path: Path) -> None:
        journal = Journal(path, TABLE, max_bytes=10, keep=1)
        journal.append(b"1,2\r\n")
        journal.append(b"3,4\r\n")
        assert path.read_bytes() == b"a,b\r\n3,4\r\n"
        assert path.with_name("log.jsonl.1").read_bytes() == b"a,b\r\n1,2\r\n"

    def test_no_limit_is_no_limit(self, path: Path) -> None:
        journal = Journal(path, LINES)
        for number in range(100):
            journal.append(line(number))
        assert os.listdir(path.parent) == [path.name]


class TestDisk:
    @pytest.mark.fault(68)
    def test_half_a_line_is_taken_back_when_the_disk_is_full(self, path: Path) -> None:
        journal = Journal(path, LINES)
        journal.append(line(1))
        with files_no_larger_than(len(line(1)) + 4), pytest.raises(OSError, match=r"left|large"):
            journal.append(line(2))
        assert path.read_bytes() == line(1)
        journal.append(line(3))
        assert path.read_bytes() == line(1) + line(3)

    @pytest.mark.fault(71)
    def test_a_file_that_was_moved_away_is_begun_anew(self, path: Path) -> None:
        journal = Journal(path, LINES)
        journal.append(line(1))
        path.rename(path.with_name("moved"))
        journal._checked_s = 0.0  # a second later
        journal.append(line(2))
        assert path.read_bytes() == line(2)

    @pytest.mark.fault(71)
    def test_a_folder_that_is_gone_is_not_made_but_found_when_it_is_back(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "disk"
        folder.mkdir()
        journal = Journal(folder / "log", LINES)
        journal.append(line(1))
        (folder / "log").unlink()
        folder.rmdir()
        journal._checked_s = 0.0
        with pytest.raises(OSError, match="No such file"):
            journal.append(line(2))
        assert not folder.exists()
        folder.mkdir()
        journal.append(line(3))
        assert (folder / "log").read_bytes() == line(3)

    def test_a_pipe_of_that_name_is_refused_at_once(self, path: Path) -> None:
        os.mkfifo(path)
        with pytest.raises(SinkError, match="a device, a pipe or a socket"):
            Journal(path, LINES)


class TestOutage:
    def test_it_is_told_once_counted_and_told_again_when_it_works(self) -> None:
        told: list[str] = []
        outage = Outage("log", told.append, retry_s=0.0)

        def fail() -> None:
            raise OSError(28, "No space left on device")

        assert [outage.attempt(fail) for _ in range(3)] == [False] * 3
        assert outage.attempt(lambda: None)
        assert outage.attempt(lambda: None)
        assert outage.missed == 3
        assert told == [
            "log: No space left on device; classifying goes on without it",
            "log: works again, 3 missed",
        ]

    def test_a_place_that_failed_is_left_alone_for_a_while(self) -> None:
        tries: list[int] = []

        def fail() -> None:
            tries.append(1)
            raise OSError(5, "Input/output error")

        outage = Outage("log", lambda _: None, retry_s=60.0)
        for _ in range(100):
            outage.attempt(fail)
        assert (len(tries), outage.missed) == (1, 100)


class TestWhatOthersWrote:
    @pytest.mark.fault(110)
    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"bread\nmilk\n", id="a list whose last line ends"),
            pytest.param(b'["a"]\n{"n": 1}\n', id="JSON of another kind"),
            pytest.param(b"x", id="one letter"),
        ],
    )
    def test_nothing_is_added_to_a_file_of_another_kind(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(SinkError, match="holds something else"):
            Journal(path, LINES)
        assert path.read_bytes() == content

    @pytest.mark.fault(109)
    @pytest.mark.parametrize("keep", [1, 2], ids=["the oldest", "one in between"])
    def test_a_file_of_others_under_an_older_name_stays(self, path: Path, keep: int) -> None:
        journal = Journal(path, LINES, max_bytes=2 * len(line(1)), keep=keep)
        mine = path.with_name("log.jsonl.1")
        mine.write_bytes(b"what I wrote\n")
        journal.append(line(1))
        journal.append(line(2))
        with pytest.raises(OSError, match="holds what others wrote, and is left as it is"):
            journal.append(line(3))
        assert mine.read_bytes() == b"what I wrote\n"
        mine.unlink()
        journal.append(line(3))
        assert mine.read_bytes() == line(1) + line(2)

    @pytest.mark.fault(109)
    def test_a_note_in_a_log_that_would_be_deleted_stays(self, path: Path) -> None:
        journal = Journal(path, LINES, max_bytes=2 * len(line(1)), keep=0)
        journal.append(line(1))
        with path.open("ab") as log:
            log.write(b"# this is when the lamp broke\n")
        journal.append(line(2))
        with pytest.raises(OSError, match="holds what others wrote"):
            journal.append(line(3))
        assert b"when the lamp broke" in path.read_bytes()

    @pytest.mark.fault(108)
    def test_a_header_comes_with_the_first_line_and_is_not_cut_but_completed(
        self, path: Path
    ) -> None:
        journal = Journal(path, TABLE)
        assert path.read_bytes() == b""
        journal.append(b"1,2\r\n")
        assert path.read_bytes() == b"a,b\r\n1,2\r\n"
