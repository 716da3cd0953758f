"""The folder of a collection: its labels, how it is opened, and what others do in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgecls.collect.collection import Collection
from edgecls.errors import DatasetError, InvalidValueError, SinkError
from tests.collect.test_collection import contents, keep, reopened


class TestLabels:
    def test_they_stay_in_their_order_without_a_picture(self, collection: Collection) -> None:
        collection.add_label("bird")
        again = reopened(collection)
        assert again.labels.names == ("cat", "dog", "bird")
        again.close()

    def test_those_of_the_command_line_come_first(self, collection: Collection) -> None:
        again = reopened(collection, "dog", "ant")
        assert again.labels.names == ("dog", "ant", "cat")
        again.close()

    def test_folders_are_labels(self, root: Path) -> None:
        (root / "bird").mkdir(parents=True)
        (root / "bird" / "1.jpg").write_bytes(b"1")
        (root / ".git").mkdir()
        assert Collection(root, ["cat"]).counts == {"cat": 0, "bird": 1}

    def test_a_new_one_is_refused_that_looks_like_another(self, collection: Collection) -> None:
        with pytest.raises(InvalidValueError, match="differs from the label 'cat'"):
            collection.add_label("CAT")

    def test_one_that_is_there_is_added_again_without_harm(self, collection: Collection) -> None:
        assert collection.add_label(" cat ") == "cat"
        assert collection.labels.names == ("cat", "dog")

    def test_one_without_pictures_can_be_removed(self, collection: Collection) -> None:
        keep(collection, "cat", b"1")
        collection.remove_label("dog")
        with pytest.raises(InvalidValueError, match="'cat' has 1 pictures"):
            collection.remove_label("cat")
        again = reopened(collection)
        assert again.labels.names == ("cat",)
        again.close()

    def test_a_list_that_is_damaged_is_made_anew(self, collection: Collection, root: Path) -> None:
        keep(collection, "cat", b"1")
        (root / ".labels.json").write_text("{")
        again = reopened(collection, "dog")
        assert again.labels.names == ("dog", "cat")
        again.close()


class TestOpening:
    @pytest.mark.fault(73)
    def test_two_instances_the_second_is_refused(self, collection: Collection, root: Path) -> None:
        keep(collection, "cat", b"1")
        with pytest.raises(SinkError, match="another edgecls"):
            Collection(root, ["cat"])

    def test_a_data_set_with_subsets_is_refused(self, root: Path) -> None:
        for part in ("train", "test"):
            (root / part / "cat").mkdir(parents=True)
        with pytest.raises(DatasetError, match="divided into train, test") as refused:
            Collection(root, ["cat"])
        assert refused.value.hint == f"collect into one of them: {root / 'train'}"

    def test_a_folder_that_is_no_label_is_refused(self, root: Path) -> None:
        (root / "a\nb").mkdir(parents=True)
        with pytest.raises(DatasetError, match="cannot be a class"):
            Collection(root, ["cat"])

    @pytest.mark.fault(72)
    def test_half_written_pictures_are_swept_and_told(self, root: Path) -> None:
        (root / "cat").mkdir(parents=True)
        (root / "cat" / "000000001-20261105T120000Z.jpg.part").write_bytes(b"half")
        said: list[str] = []
        Collection(root, ["cat"], tell=said.append).close()
        assert said == ["half-written pictures are swept away: 1"]
        assert contents(root) == {"cat": []}

    def test_a_folder_of_which_there_is_no_parent(self, tmp_path: Path) -> None:
        with pytest.raises(SinkError, match="cannot record into"):
            Collection(tmp_path / "no" / "pictures", ["cat"])


class TestOthers:
    """What other programs do in the folder meanwhile."""

    def test_a_picture_that_was_put_there_is_found(
        self, collection: Collection, root: Path
    ) -> None:
        keep(collection, "cat", b"1")
        (root / "cat" / "mine.jpg").write_bytes(b"2")
        assert collection.refresh()
        assert not collection.refresh()
        assert collection.counts == {"cat": 2, "dog": 0}

    def test_a_folder_that_was_put_there_is_a_label(
        self, collection: Collection, root: Path
    ) -> None:
        (root / "bird").mkdir()
        (root / "bird" / "1.jpg").write_bytes(b"1")
        collection.refresh()
        assert collection.counts == {"cat": 0, "dog": 0, "bird": 1}

    def test_one_that_cannot_be_a_label_is_passed_over(
        self, collection: Collection, root: Path
    ) -> None:
        (root / "CAT").mkdir()
        collection.refresh()
        assert collection.labels.names == ("cat", "dog")

    @pytest.mark.fault(71)
    def test_a_folder_that_was_deleted_takes_no_picture_and_is_not_made_again(
        self, collection: Collection, root: Path
    ) -> None:
        keep(collection, "cat", b"1")
        shutil.rmtree(root)
        with pytest.raises(OSError, match="No such file"):
            keep(collection, "cat", b"2")
        assert not root.exists()

    def test_when_it_is_back_collecting_goes_on(self, collection: Collection, root: Path) -> None:
        keep(collection, "cat", b"1")
        shutil.rmtree(root)
        root.mkdir()
        collection.refresh()
        assert collection.counts == {"cat": 0, "dog": 0}
        keep(collection, "cat", b"2")
        assert contents(root) == {"cat": [b"2"]}
