"""A folder of pictures: durable, one writer, the oldest out first, nothing else ever."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgecls.errors import SinkError
from edgecls.storage.album import LOG_NAME, Album, folder_name
from edgecls.storage.quota import Quota
from tests.support.frames import NOON

FACTS: dict[str, Any] = {"time": NOON, "label": "cat"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "records"


def add(album: Album, count: int = 1, label: str = "cat", size: int = 10) -> list[str]:
    return [album.add(label, b"x" * size, "jpg", FACTS) for _ in range(count)]


def pictures(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob("*/*"))


class TestNames:
    def test_a_picture_lies_in_the_folder_of_its_label(self, root: Path) -> None:
        assert add(Album(root, Quota())) == ["cat/000000001-20261105T120000Z.jpg"]
        assert pictures(root) == ["cat/000000001-20261105T120000Z.jpg"]

    @pytest.mark.fault(74)
    def test_a_clock_that_jumps_back_a_day_changes_no_order(self, root: Path) -> None:
        album = Album(root, Quota())
        names = [
            album.add("cat", b"x", "jpg", {"time": NOON + jump})
            for jump in (0.0, -86_400.0, 86_400.0, 0.0)
        ]
        assert names == sorted(names)
        assert len(set(names)) == 4

    @pytest.mark.fault(74)
    def test_numbers_go_on_after_a_restart(self, root: Path) -> None:
        first = Album(root, Quota())
        add(first, 3)
        first.close()
        assert add(Album(root, Quota())) == ["cat/000000004-20261105T120000Z.jpg"]

    def test_numbers_go_on_when_the_pictures_were_taken_away(self, root: Path) -> None:
        first = Album(root, Quota())
        add(first, 3)
        first.close()
        shutil.rmtree(root / "cat")
        assert add(Album(root, Quota())) == ["cat/000000004-20261105T120000Z.jpg"]

    @pytest.mark.parametrize(
        ("label", "folder"),
        [
            pytest.param("cat", "cat", id="a plain one stays"),
            pytest.param("level 7", "level 7", id="so does a space"),
            pytest.param("Käfer", "Käfer", id="and a letter with dots"),
            pytest.param("a/b", "a%2Fb", id="a slash makes no folder below"),
            pytest.param("..", "%2E.", id="two dots lead nowhere"),
            pytest.param(".hidden", "%2Ehidden", id="a dot hides nothing"),
            pytest.param("a\nb", "a%0Ab", id="a line feed is quoted"),
            pytest.param("100%", "100%25", id="so is the sign that quotes"),
            pytest.param("", "_", id="no name is a name"),
            pytest.param("x" * 300, "x" * 100, id="a long one is cut"),
        ],
    )
    def test_a_label_as_the_name_of_a_folder(self, label: str, folder: str) -> None:
        assert folder_name(label) == folder


class TestLog:
    def test_each_picture_has_a_line(self, root: Path) -> None:
        names = add(Album(root, Quota()), 2)
        lines = [json.loads(line) for line in (root / LOG_NAME).read_text().splitlines()]
        digest = hashlib.sha256(b"x" * 10).hexdigest()
        assert lines == [{"file": name, "bytes": 10, "sha256": digest, **FACTS} for name in names]

    @pytest.mark.fault(67)
    def test_a_torn_line_is_cut_off(self, root: Path) -> None:
        album = Album(root, Quota())
        add(album)
        album.close()
        with (root / LOG_NAME).open("a") as log:
            log.write('{"file": "cat/0000')
        assert Album(root, Quota()).repaired_bytes == 18
        assert len((root / LOG_NAME).read_text().splitlines()) == 1

    @pytest.mark.fault(72)
    def test_what_a_crash_left_half_written_is_swept(self, root: Path) -> None:
        (root / "cat").mkdir(parents=True)
        ours = root / "cat" / "000000007-20261105T120000Z.jpg.part"
        other = root / "cat" / "holiday.jpg.part"
        ours.write_bytes(b"x")
        other.write_bytes(b"x")
        assert Album(root, Quota()).swept == 1
        assert (ours.exists(), other.exists()) == (False, True)

    @pytest.mark.fault(66)
    def test_the_order_that_survives_a_power_cut(self, root: Path, tmp_path: Path) -> None:
        strace = shutil.which("strace")
        if strace is None:
            pytest.skip("strace is not installed: it shows in which order the disk is written")
        script = tmp_path / "add.py"
        script.write_text(
            "from pathlib import Path\n"
            "from edgecls.storage.album import Album\n"
            "from edgecls.storage.quota import Quota\n"
            f"album = Album(Path({str(root)!r}), Quota())\n"
            "album.add('cat', b'x' * 10, 'jpg', {'time': 0.0})\n"
            "print('acknowledged', flush=True)\n"
        )
        calls = "trace=write,fsync,fdatasync,rename,renameat,renameat2"
        traced = subprocess.run(
            [strace, "-f", "-y", "-e", calls, "python3", str(script)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            executable=strace,
        )
        if "acknowledged" not in traced.stdout:
            pytest.skip(f"strace cannot trace here: {traced.stderr[-200:]}")
        place = str(root)
        steps = [row for row in traced.stderr.splitlines() if place in row or "acknow" in row]
        kinds = [row.split("(")[0].rpartition(" ")[2].removesuffix("at") for row in steps]
        first = kinds.index("write")
        assert kinds[first:] == [
            "write",  # the picture, as .part
            "fsync",
            "rename",
            "fsync",  # the folder
            "write",  # the line
            "fdatasync",
            "write",  # only now is it said
        ]


class TestOneWriter:
    @pytest.mark.fault(73)
    def test_a_second_one_is_refused(self, root: Path) -> None:
        first = Album(root, Quota())
        with pytest.raises(SinkError, match="another edgecls records into") as refused:
            Album(root, Quota())
        assert refused.value.hint == "give this one a folder of its own"
        first.close()
        Album(root, Quota()).close()

    def test_the_folder_above_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(SinkError, match=r"cannot record into .*No such file or directory"):
            Album(tmp_path / "not mounted" / "records", Quota())


class TestQuota:
    @pytest.mark.fault(69)
    def test_the_oldest_go_first(self, root: Path) -> None:
        quota = Quota(max_bytes=30)
        album = Album(root, quota)
        add(album, 2, "cat")
        add(album, 3, "dog")
        assert [name[:13] for name in pictures(root)] == [
            "dog/000000003",
            "dog/000000004",
            "dog/000000005",
        ]
        assert (quota.deleted, quota.bytes) == (2, 30)

    @pytest.mark.fault(69)
    def test_what_lies_there_from_before_counts(self, root: Path) -> None:
        first = Album(root, Quota())
        add(first, 3)
        first.close()
        add(Album(root, Quota(max_bytes=30)))
        assert [name[:13] for name in pictures(root)] == [
            "cat/000000002",
            "cat/000000003",
            "cat/000000004",
        ]

    @pytest.mark.fault(69)
    def test_pictures_of_others_are_never_deleted(self, root: Path) -> None:
        first = Album(root, Quota())
        add(first)
        first.close()
        holiday = root / "cat" / "holiday.jpg"
        holiday.write_bytes(b"x" * 1000)
        add(Album(root, Quota(max_bytes=20)), 5)
        assert holiday.exists()
        assert len(pictures(root)) == 3

    @pytest.mark.fault(69)
    def test_nothing_outside_the_folder_is_deleted_through_a_link(
        self, root: Path, tmp_path: Path
    ) -> None:
        first = Album(root, Quota())
        add(first, 3)
        first.close()
        outside = tmp_path / "outside"
        (root / "cat").rename(outside)
        (root / "cat").symlink_to(outside)
        album = Album(root, Quota(max_bytes=20))
        add(album, 4, "dog")
        assert len(list(outside.iterdir())) == 3
        assert len(list((root / "dog").iterdir())) == 2

    @pytest.mark.fault(69)
    def test_a_folder_that_became_a_link_while_running_is_not_followed(
        self, root: Path, tmp_path: Path
    ) -> None:
        album = Album(root, Quota(max_bytes=30))
        add(album, 3)
        outside = tmp_path / "outside"
        (root / "cat").rename(outside)
        (root / "cat").symlink_to(outside)
        add(album, 3, "dog")
        assert len(list(outside.iterdir())) == 3
        with pytest.raises(OSError, match="is a link or a file"):
            add(album, 1, "cat")

    def test_a_picture_that_the_user_took_away_is_no_error(self, root: Path) -> None:
        album = Album(root, Quota(max_bytes=30))
        (name, *_) = add(album, 3)
        (root / name).unlink()
        add(album, 1)
        assert len(pictures(root)) == 3

    def test_a_picture_larger_than_the_quota_deletes_nothing(self, root: Path) -> None:
        album = Album(root, Quota(max_bytes=30))
        add(album, 3)
        with pytest.raises(OSError, match="over the quota alone"):
            add(album, 1, size=31)
        assert len(pictures(root)) == 3

    def test_what_must_stay_free_is_left_to_others(self, root: Path) -> None:
        album = Album(root, Quota(min_free_bytes=1 << 60))
        with pytest.raises(OSError, match="MB are left to others"):
            add(album)
        assert pictures(root) == []


class TestDisk:
    @pytest.mark.fault(68)
    def test_a_full_disk_leaves_nothing_behind_and_works_again(self, tmp_path: Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip("no small disk can be mounted here: only root may")
        try:
            album = Album(disk / "records", Quota())
            with pytest.raises(OSError, match="No space left on device"):
                add(album, 100, size=5000)
            kept = pictures(disk / "records")
            assert kept
            assert all((disk / "records" / name).stat().st_size == 5000 for name in kept)
            (disk / "records" / kept[0]).unlink()
            add(album, size=3000)
            album.close()
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=False)

    @pytest.mark.fault(71)
    def test_a_folder_that_was_deleted_is_not_made_again(self, root: Path) -> None:
        album = Album(root, Quota())
        add(album)
        shutil.rmtree(root)
        with pytest.raises(OSError, match="No such file or directory"):
            add(album)
        assert not root.exists()

    @pytest.mark.fault(71)
    def test_a_folder_that_is_back_is_recorded_into(self, root: Path) -> None:
        album = Album(root, Quota())
        add(album)
        shutil.rmtree(root)
        root.mkdir()
        add(album)
        assert len(pictures(root)) == 1


class TestLogStaysBounded:
    """The quota deletes pictures; their lines go later, many at once."""

    def fill(self, root: Path, count: int) -> list[str]:
        """Record with room for 5 pictures of 10 bytes."""
        album = Album(root, Quota(max_bytes=50), spare_lines=20)
        names = add(album, count)
        album.close()
        return names

    def lines(self, root: Path) -> list[str]:
        return [json.loads(line)["file"] for line in (root / LOG_NAME).read_text().splitlines()]

    @pytest.mark.fault(69)
    def test_it_holds_the_pictures_that_are_there_and_not_many_more(self, root: Path) -> None:
        names = self.fill(root, 100)
        assert pictures(root) == names[-5:]
        lines = self.lines(root)
        assert lines == names[-len(lines) :]
        assert 5 <= len(lines) <= 31

    def test_restarting_makes_no_difference(self, root: Path) -> None:
        for _ in range(6):
            names = self.fill(root, 15)
        assert self.lines(root)[-5:] == pictures(root) == names[-5:]
        assert len(self.lines(root)) <= 31

    def test_without_a_quota_every_line_stays(self, root: Path) -> None:
        album = Album(root, Quota(), spare_lines=20)
        names = add(album, 50)
        assert self.lines(root) == names

    def test_a_line_of_others_stays(self, root: Path) -> None:
        self.fill(root, 1)
        with (root / LOG_NAME).open("a") as log:
            log.write('{"file": "cat/mine.jpg", "why": "said by hand"}\n')
        self.fill(root, 60)
        assert "cat/mine.jpg" in self.lines(root)

    def test_what_a_crash_left_of_a_new_log_is_swept(self, root: Path) -> None:
        self.fill(root, 3)
        (root / f"{LOG_NAME}.part").write_text('{"file": "cat/0')
        self.fill(root, 1)
        assert sorted(path.name for path in root.iterdir()) == [".edgecls.lock", "cat", LOG_NAME]

    @pytest.mark.fault(68)
    def test_where_no_new_log_can_be_written_the_old_one_goes_on(self, root: Path) -> None:
        self.fill(root, 5)
        (root / f"{LOG_NAME}.part").mkdir()  # it cannot be made
        names = self.fill(root, 60)
        assert self.lines(root)[-60:] == names


@pytest.mark.parametrize("number", ["999999999", "1000000000", "123456789012"])
def test_a_file_of_a_high_number_is_not_written_over(tmp_path: Path, number: str) -> None:
    first = Album(tmp_path / "seen", Quota())
    first.add("cat", b"ours", "jpg", {"time": 1793880000.0})
    first.close()
    there = tmp_path / "seen" / "cat" / f"{number}-20261105T120000Z.jpg"
    there.write_bytes(b"theirs")
    names = []
    for _ in range(2):
        album = Album(tmp_path / "seen", Quota())
        names.append(album.add("cat", b"ours", "jpg", {"time": 1793880000.0}))
        album.close()
    assert there.read_bytes() == b"theirs"
    assert len({there.name, *names}) == 3
