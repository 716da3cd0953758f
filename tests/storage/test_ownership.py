"""What a recording may delete: pictures that it kept itself, as long as they are as they were."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgecls.errors import SinkError
from edgecls.storage.album import LOG_NAME, Album
from edgecls.storage.inside import Inside
from edgecls.storage.quota import Quota
from edgecls.storage.steps import STEPS_NAME, Steps
from tests.support.command_line import contents
from tests.support.frames import NOON

FACTS: dict[str, Any] = {"time": NOON, "label": "cat"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "records"


def record(root: Path, count: int, quota: Quota | None = None) -> Quota:
    """Keep so many pictures of 10 bytes each, all different."""
    quota = quota or Quota()
    album = Album(root, quota)
    for number in range(count):
        album.add("cat", b"%010d" % number, "jpg", FACTS)
    album.close()
    return quota


def first_of(root: Path) -> Path:
    return min((root / "cat").iterdir())


class TestWhatIsLeft:
    @pytest.mark.fault(106)
    def test_a_picture_of_other_bytes_and_the_same_size_stays(self, root: Path) -> None:
        record(root, 2)
        edited = first_of(root)
        edited.write_bytes(b"a person's")
        quota = record(root, 4, Quota(max_bytes=30))
        assert edited.read_bytes() == b"a person's"
        assert (quota.deleted, quota.left) == (2, {1})

    @pytest.mark.fault(106)
    def test_a_picture_that_was_edited_while_it_records_stays(self, root: Path) -> None:
        quota = Quota(max_bytes=30)
        album = Album(root, quota)
        names = [album.add("cat", b"%010d" % n, "jpg", FACTS) for n in range(3)]
        (root / names[0]).write_bytes(b"a person's")
        album.add("cat", b"a fourth..", "jpg", FACTS)
        album.add("cat", b"a fifth...", "jpg", FACTS)
        assert (root / names[0]).read_bytes() == b"a person's"
        assert not (root / names[1]).exists()

    @pytest.mark.fault(106)
    def test_a_picture_that_a_person_put_under_another_label_stays(self, root: Path) -> None:
        record(root, 2)
        sorted_by_hand = root / "dog" / first_of(root).name
        sorted_by_hand.parent.mkdir()
        first_of(root).rename(sorted_by_hand)
        record(root, 9, Quota(max_bytes=20))
        assert sorted_by_hand.exists()

    @pytest.mark.fault(106)
    def test_a_link_in_the_place_of_a_picture_stays_with_what_it_leads_to(
        self, root: Path, tmp_path: Path
    ) -> None:
        record(root, 2)
        picture = first_of(root)
        mine = tmp_path / "mine.jpg"
        shutil.move(picture, mine)
        picture.symlink_to(mine)
        record(root, 9, Quota(max_bytes=20))
        assert picture.is_symlink()
        assert mine.read_bytes() == b"0000000000"

    @pytest.mark.fault(106)
    def test_a_file_of_such_a_name_that_was_never_recorded_stays(self, root: Path) -> None:
        record(root, 2)
        mine = root / "cat" / "000000001-20200101T000000Z.jpg"
        mine.write_bytes(b"0000000000")
        record(root, 9, Quota(max_bytes=20))
        assert mine.exists()

    @pytest.mark.fault(106)
    def test_half_a_picture_of_a_number_that_was_given_is_no_leftover_of_ours(
        self, root: Path
    ) -> None:
        record(root, 2)
        mine = root / "cat" / "000000001-20200101T000000Z.jpg.part"
        mine.write_bytes(b"mine")
        record(root, 1)
        assert mine.exists()

    def test_a_picture_without_a_line_after_a_power_cut_does_not_stop_the_next_start(
        self, root: Path
    ) -> None:
        record(root, 1)
        (root / LOG_NAME).write_bytes(b"")
        quota = record(root, 3, Quota(max_bytes=20))
        assert quota.left == {1}
        assert first_of(root).name.startswith("000000001")

    def test_lines_of_pictures_that_stay_are_kept_when_the_log_is_shortened(
        self, root: Path
    ) -> None:
        record(root, 1)
        first_of(root).write_bytes(b"a person's")
        album = Album(root, Quota(max_bytes=20), spare_lines=3)
        for number in range(40):
            album.add("cat", b"%010d" % number, "jpg", FACTS)
        lines = [json.loads(line) for line in (root / LOG_NAME).read_text().splitlines()]
        assert len(lines) < 20
        assert lines[0]["file"] == "cat/000000001-20261105T120000Z.jpg"


OTHERS: dict[str, dict[str, bytes]] = {
    "a person's folders": {"cat/1.jpg": b"x", "dog/2.jpg": b"y"},
    "a divided data set": {"train/cat/1.jpg": b"x", "val/cat/2.jpg": b"y"},
    "a folder of photos": {"IMG_1.JPG": b"x"},
    "pictures copied out of a recording": {"cat/000000001-20261105T120000Z.jpg": b"x"},
    "a collection": {".labels.json": b"{}", "cat/000000001-20261105T120000Z.jpg": b"x"},
    "what collect kept": {
        "cat/000000001-20261105T120000Z.jpg": b"x",
        LOG_NAME: b'{"file": "cat/000000001-20261105T120000Z.jpg", "when": "collected"}\n',
    },
    "a collection into which was recorded": {
        "cat/000000001-20261105T120000Z.jpg": b"x",
        LOG_NAME: b'{"file": "a", "when": "all"}\n{"file": "b", "when": "collected"}\n',
    },
}


@pytest.mark.fault(107)
@pytest.mark.parametrize("files", OTHERS.values(), ids=OTHERS.keys())
def test_a_folder_of_others_is_refused_and_stays_as_it_is(
    files: dict[str, bytes], root: Path
) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    before = contents(root)
    with pytest.raises(SinkError, match="holds what no recording has put there"):
        Album(root, Quota(max_bytes=1))
    assert contents(root) == before


@pytest.mark.fault(111)
def test_a_trash_is_emptied_of_what_lies_in_it_alone(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.jpg").write_bytes(b"labelled")
    (tmp_path / ".trash" / "000000001").mkdir(parents=True)
    moves = [["cat/9.jpg", ".trash/000000001/9.jpg"], ["cat/8.jpg", "cat/1.jpg"]]
    lines = [{"step": 1, "kind": "discard", "moves": moves}, {"step": 1, "done": True}]
    journal = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / STEPS_NAME).write_text(journal)
    steps = Steps(tmp_path)
    steps.empty_trash()
    with Inside(tmp_path) as inside:
        assert inside.has("cat/1.jpg")
    assert os.listdir(tmp_path / "cat") == ["1.jpg"]
