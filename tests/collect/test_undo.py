"""The last thing first: what was kept, moved and deleted is taken back, after a restart too."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.collect.collection import Collection
from edgecls.collect.history import Change
from tests.collect.test_collection import contents, keep, reopened


def test_everything_in_its_turn(collection: Collection, root: Path) -> None:
    cats = keep(collection, "cat", b"1", b"2", b"3")
    collection.relabel(cats[:1], "dog")
    collection.discard(cats[1:2])
    assert contents(root) == {"cat": [b"3"], "dog": [b"1"]}
    assert collection.undo() == Change("discard", 1)
    assert contents(root) == {"cat": [b"2", b"3"], "dog": [b"1"]}
    assert collection.undo() == Change("relabel", 1)
    assert contents(root) == {"cat": [b"1", b"2", b"3"]}
    assert collection.undo() == Change("keep", 1)
    assert contents(root) == {"cat": [b"1", b"2"]}


def test_there_may_be_nothing_to_take_back(collection: Collection) -> None:
    assert collection.undo() is None


def test_a_burst_is_one_thing(collection: Collection, root: Path) -> None:
    keep(collection, "dog", b"0")
    keep(collection, "cat", b"1", b"2", b"3", burst="a")
    assert collection.last is not None
    assert collection.last.count == 3
    assert collection.undo() == Change("keep", 3)
    assert contents(root) == {"dog": [b"0"]}


def test_two_bursts_at_once_are_two_things(collection: Collection, root: Path) -> None:
    for content in (b"1", b"2"):
        keep(collection, "cat", b"cat" + content, burst="a")
        keep(collection, "dog", b"dog" + content, burst="b")
    collection.undo()
    assert contents(root) == {"cat": [b"cat1", b"cat2"]}


def test_what_was_taken_back_is_in_the_trash(collection: Collection, root: Path) -> None:
    keep(collection, "cat", b"1")
    collection.undo()
    assert [file.read_bytes() for file in (root / ".trash").rglob("*.jpg")] == [b"1"]
    assert collection.last is None


@pytest.mark.parametrize("kind", ["relabel", "discard"])
def test_it_works_after_a_restart(collection: Collection, root: Path, kind: str) -> None:
    cats = keep(collection, "cat", b"1", b"2", b"3")
    if kind == "relabel":
        collection.relabel(cats[:2], "dog")
    else:
        collection.discard(cats[:2])
    again = reopened(collection)
    assert again.undo() == Change(kind, 2)
    assert contents(root) == {"cat": [b"1", b"2", b"3"]}
    assert again.counts == {"cat": 3, "dog": 0}
    again.close()


def test_after_a_restart_what_was_taken_back_does_not_come_again(collection: Collection) -> None:
    keep(collection, "cat", b"1")
    collection.undo()
    again = reopened(collection)
    assert again.undo() is None
    again.close()


def test_discarded_pictures_come_back_with_their_burst(collection: Collection) -> None:
    cats = keep(collection, "cat", b"1", b"2", burst="a")
    collection.discard(cats)
    collection.undo()
    assert collection.counts["cat"] == 2
    assert collection.moments("cat") == 1


def test_an_emptied_trash_cannot_be_taken_back(collection: Collection, root: Path) -> None:
    cats = keep(collection, "cat", b"1", b"2")
    collection.discard(cats[:1])
    collection.relabel(cats[1:], "dog")
    collection.empty_trash()
    assert collection.trash_bytes == 0
    assert collection.undo() == Change("relabel", 1)
    assert collection.last is not None
    assert collection.last.kind == "keep"
    assert contents(root) == {"cat": [b"2"]}


def test_a_picture_that_came_back_can_be_taken_back_itself(
    collection: Collection, root: Path
) -> None:
    collection.discard(keep(collection, "cat", b"1"))
    assert collection.undo() == Change("discard", 1)
    assert collection.undo() == Change("keep", 1)
    assert contents(root) == {}


def test_what_is_gone_for_good_is_passed_over(collection: Collection, root: Path) -> None:
    keep(collection, "dog", b"1")
    collection.discard(keep(collection, "cat", b"2"))
    collection.empty_trash()
    assert collection.undo() == Change("keep", 1)
    assert contents(root) == {}
