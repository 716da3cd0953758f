"""The folder that is collected into: kept, relabelled, discarded, taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecls.collect.collection import Collection
from edgecls.errors import InvalidValueError, SinkError
from edgecls.pictures.bursts import read_bursts
from edgecls.pictures.folder import FolderPictures
from tests.support.frames import NOON

FACTS = {"time": NOON}


def keep(collection: Collection, label: str, *contents: bytes, burst: str = "") -> list[str]:
    return [collection.keep(label, content, FACTS, burst).id for content in contents]


def reopened(collection: Collection, *labels: str) -> Collection:
    collection.close()
    return Collection(collection.folder, labels)


def contents(root: Path) -> dict[str, list[bytes]]:
    """What lies in each folder that training would see."""
    return {
        folder.name: sorted(file.read_bytes() for file in folder.iterdir())
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }


class TestKeeping:
    def test_a_picture_lies_in_the_folder_of_its_label(
        self, collection: Collection, root: Path
    ) -> None:
        keep(collection, "cat", b"1", b"2")
        keep(collection, "dog", b"3")
        assert contents(root) == {"cat": [b"1", b"2"], "dog": [b"3"]}
        assert collection.counts == {"cat": 2, "dog": 1}

    def test_its_line_says_when_it_was_taken_and_in_which_burst(
        self, collection: Collection, root: Path
    ) -> None:
        picture = collection.keep("cat", b"1", {**FACTS, "frame": 7}, "burst-1")
        line = json.loads((root / "records.jsonl").read_text())
        assert line["file"] == picture.name
        assert (line["label"], line["frame"], line["time"]) == ("cat", 7, NOON)
        assert read_bursts(root) == {picture.file_name: "burst-1"}

    def test_a_label_that_nobody_has_added_is_refused(self, collection: Collection) -> None:
        with pytest.raises(InvalidValueError, match="no label 'bird'"):
            collection.keep("bird", b"1", FACTS)

    @pytest.mark.parametrize("label", ["50%", "a\\b", "<b>", "Käfer", "-rf", "a b", "train"])
    def test_the_folder_has_the_very_name_of_the_label(self, root: Path, label: str) -> None:
        collection = Collection(root, [label, "other"])
        keep(collection, label, b"1")
        keep(collection, "other", b"2")
        collection.close()
        assert FolderPictures(root).labels.names == tuple(sorted([label, "other"]))

    def test_the_folder_can_be_trained_on_with_a_trash_in_it(
        self, collection: Collection, root: Path
    ) -> None:
        cats = keep(collection, "cat", b"1", b"2", b"3")
        keep(collection, "dog", b"4", b"5")
        collection.discard(cats[:1])
        pictures = FolderPictures(root)
        assert pictures.labels.names == ("cat", "dog")
        assert pictures.targets.tolist() == [0, 0, 1, 1]
        assert pictures.given_subsets is None


class TestQuota:
    @pytest.mark.fault(68)
    def test_what_does_not_fit_is_refused_and_nothing_is_deleted(self, root: Path) -> None:
        collection = Collection(root, ["cat"], quota_bytes=10, min_free_bytes=0)
        keep(collection, "cat", b"12345", b"1234")
        with pytest.raises(OSError, match="quota of 0 MB is used up"):
            keep(collection, "cat", b"xy")
        assert contents(root) == {"cat": [b"1234", b"12345"]}

    def test_the_trash_counts_until_it_is_emptied(self, root: Path) -> None:
        collection = Collection(root, ["cat"], quota_bytes=10, min_free_bytes=0)
        collection.discard(keep(collection, "cat", b"1234567890"))
        with pytest.raises(OSError, match="used up"):
            keep(collection, "cat", b"1")
        assert collection.empty_trash() == 1
        keep(collection, "cat", b"1")
        assert contents(root) == {"cat": [b"1"]}

    def test_a_disk_that_is_nearly_full_takes_nothing(self, root: Path) -> None:
        collection = Collection(root, ["cat"], min_free_bytes=1 << 60)
        with pytest.raises(OSError, match="are left to others"):
            collection.check_room()
        with pytest.raises(OSError, match="are left to others"):
            keep(collection, "cat", b"1")

    def test_pictures_that_were_there_count(self, root: Path) -> None:
        (root / "cat").mkdir(parents=True)
        (root / "cat" / "mine.jpg").write_bytes(b"1234567890")
        collection = Collection(root, ["cat"], quota_bytes=10, min_free_bytes=0)
        with pytest.raises(OSError, match="used up"):
            keep(collection, "cat", b"1")


class TestRelabelling:
    def test_pictures_move_and_keep_their_names(self, collection: Collection, root: Path) -> None:
        cats = keep(collection, "cat", b"1", b"2", b"3")
        name = collection.find(cats[0]).file_name
        change = collection.relabel(cats[:2], "dog")
        assert (change.count, change.missing) == (2, 0)
        assert contents(root) == {"cat": [b"3"], "dog": [b"1", b"2"]}
        assert collection.find(cats[0]).name == f"dog/{name}"

    def test_they_keep_their_burst(self, collection: Collection) -> None:
        cats = keep(collection, "cat", b"1", b"2", burst="b")
        collection.relabel(cats, "dog")
        assert collection.moments("dog") == 1
        again = reopened(collection)
        assert again.moments("dog") == 1

    def test_a_picture_of_the_same_name_is_not_overwritten(self, root: Path) -> None:
        for label in ("cat", "dog"):
            (root / label).mkdir(parents=True)
            (root / label / "1.jpg").write_text(label)
        collection = Collection(root)
        collection.relabel([picture.id for picture in collection.pictures("cat")], "dog")
        assert (root / "dog" / "1.jpg").read_text() == "dog"
        assert (root / "dog" / "1-2.jpg").read_text() == "cat"
        collection.undo()
        assert contents(root) == {"cat": [b"cat"], "dog": [b"dog"]}

    def test_what_is_there_already_stays(self, collection: Collection) -> None:
        dogs = keep(collection, "dog", b"1")
        assert collection.relabel(dogs, "dog").count == 0
        assert collection.last is not None
        assert collection.last.kind == "keep"

    def test_a_folder_without_pictures_is_removed(self, collection: Collection, root: Path) -> None:
        collection.relabel(keep(collection, "cat", b"1"), "dog")
        assert contents(root) == {"dog": [b"1"]}
        assert collection.counts == {"cat": 0, "dog": 1}

    def test_pictures_in_folders_of_folders_move_too(self, root: Path) -> None:
        (root / "cat" / "monday").mkdir(parents=True)
        (root / "cat" / "monday" / "1.jpg").write_bytes(b"1")
        collection = Collection(root, ["cat", "dog"])
        collection.relabel([collection.pictures("cat")[0].id], "dog")
        assert (root / "dog" / "1.jpg").read_bytes() == b"1"

    def test_one_that_somebody_has_deleted_is_told(
        self, collection: Collection, root: Path
    ) -> None:
        cats = keep(collection, "cat", b"1", b"2")
        (root / collection.find(cats[0]).name).unlink()
        change = collection.relabel(cats, "dog")
        assert (change.count, change.missing) == (1, 1)


@pytest.mark.fault(88)
class TestIds:
    @pytest.mark.parametrize(
        "identifier",
        ["../secret.jpg", "cat/1.jpg", "/etc/passwd", "", "1", "cat", "%2e%2e/secret.jpg"],
    )
    def test_an_id_is_never_a_path(self, collection: Collection, identifier: str) -> None:
        keep(collection, "cat", b"1")
        for act in (
            lambda: collection.discard([identifier]),
            lambda: collection.relabel([identifier], "dog"),
            lambda: collection.find(identifier),
        ):
            with pytest.raises(InvalidValueError, match="no such picture"):
                act()

    def test_those_of_an_earlier_run_mean_nothing(self, collection: Collection) -> None:
        cats = keep(collection, "cat", b"1", b"2")
        again = reopened(collection)
        with pytest.raises(InvalidValueError, match="no such picture"):
            again.discard(cats)
        assert again.counts["cat"] == 2

    def test_one_that_is_wrong_and_nothing_is_done(self, collection: Collection) -> None:
        cats = keep(collection, "cat", b"1", b"2")
        with pytest.raises(InvalidValueError, match="no such picture"):
            collection.discard([*cats, "other"])
        assert collection.counts["cat"] == 2

    def test_too_many_at_once_are_refused(self, collection: Collection) -> None:
        with pytest.raises(InvalidValueError, match="at most 2000"):
            collection.discard(str(number) for number in range(2001))


class TestLinks:
    def test_pictures_behind_links_are_passed_over(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret.jpg").write_bytes(b"secret")
        (root / "cat").mkdir(parents=True)
        (root / "cat" / "link.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
        (root / "dog").symlink_to(tmp_path / "outside")
        collection = Collection(root)
        assert collection.counts == {"cat": 0, "dog": 0}

    def test_nothing_is_kept_behind_one(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        root.mkdir()
        (root / "dog").symlink_to(tmp_path / "outside")
        collection = Collection(root, ["cat"])
        with pytest.raises(SinkError, match="link"):
            keep(collection, "dog", b"1")
        assert list((tmp_path / "outside").iterdir()) == []

    def test_a_link_in_the_place_of_a_picture_is_not_read(
        self, collection: Collection, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        picture = collection.find(keep(collection, "cat", b"1")[0])
        (root / picture.name).unlink()
        (root / picture.name).symlink_to(tmp_path / "secret")
        with pytest.raises(OSError, match="symbolic links"):
            collection.read(picture)
