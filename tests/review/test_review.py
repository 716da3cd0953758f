"""Reviewing: exactly the chosen files go where they were sent, and come back when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.collect.collection import Collection
from edgecls.errors import InvalidValueError, SinkError
from edgecls.imaging.opencv import cv2
from edgecls.pictures.bursts import read_bursts
from edgecls.review.folder import empty_trash
from edgecls.review.review import Review
from tests.review.recording import (
    SHOWN,
    close,
    contents,
    groups_of,
    ids_of,
    jpeg_of,
    open_review,
    record,
    scene,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record(tmp_path / "seen", SHOWN)
    return tmp_path / "seen"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


def labelled(into: Path) -> dict[str, list[str]]:
    """Label -> hashes of its pictures in a data set."""
    found: dict[str, list[str]] = {}
    for digest, name in contents(into).items():
        found.setdefault(name.partition("/")[0], []).append(digest)
    return {label: sorted(digests) for label, digests in found.items()}


def test_the_least_certain_group_comes_first_and_a_burst_is_one_group(folder: Path) -> None:
    groups = groups_of(folder)
    assert [len(group.candidates) for group in groups] == [2, 1, 1]
    scores = [[c.guess.score for c in group.candidates] for group in groups]
    assert scores == [[0.55, 0.6], [0.7], [0.9]]


def test_the_same_scene_much_later_is_a_copy_and_belongs_to_its_group(tmp_path: Path) -> None:
    record(tmp_path / "seen", [("cat", 0.5, 1, 0.0), ("dog", 0.6, 2, 50.0), ("cat", 0.9, 1, 900.0)])
    assert [len(group.candidates) for group in groups_of(tmp_path / "seen")] == [2, 1]


def test_scenes_that_follow_each_other_closely_are_groups_of_their_own(tmp_path: Path) -> None:
    record(tmp_path / "seen", [("cat", 0.5, seed, seed / 10) for seed in range(5)])
    assert [len(group.candidates) for group in groups_of(tmp_path / "seen")] == [1] * 5


def test_accepted_pictures_are_in_the_data_set_byte_for_byte(folder: Path, into: Path) -> None:
    before = contents(folder)
    review = open_review(folder, into)
    change = review.accept(ids_of(review)[:2])
    assert (change.kind, change.count, change.labels) == ("accept", 2, ("cat",))
    assert review.left == 2
    close(review)
    put = {digest for digest, name in before.items() if "000000002" in name or "000000003" in name}
    assert labelled(into) == {"cat": sorted(put)}
    assert {name for name in contents(folder).values() if not name.startswith(".")} == {
        name for digest, name in before.items() if digest not in put
    }


def test_what_came_from_one_burst_stays_one_for_the_split(folder: Path, into: Path) -> None:
    review = open_review(folder, into)
    first, second, *others = ids_of(review)
    review.relabel([first], "cat")
    review.relabel([second], "dog")
    review.accept(others)
    close(review)
    bursts = sorted(read_bursts(into).values())
    assert [bursts.count(burst) for burst in dict.fromkeys(bursts)].count(2) == 1
    assert len(set(bursts)) == 3


def test_a_picture_may_get_a_label_that_is_new(folder: Path, into: Path) -> None:
    review = open_review(folder, into)
    review.relabel(ids_of(review)[-1:], "  <img src=x onerror=alert(1)>  ")
    close(review)
    assert list(labelled(into)) == ["<img src=x onerror=alert(1)>"]


@pytest.mark.parametrize("label", ["", "a/b", ".hidden", "x" * 300])
def test_what_can_be_no_folder_can_be_no_label(folder: Path, into: Path, label: str) -> None:
    review = open_review(folder, into)
    with pytest.raises(InvalidValueError, match="label"):
        review.relabel(ids_of(review), label)
    assert review.left == 4
    close(review)


def test_rejected_pictures_are_in_the_trash_until_it_is_emptied(folder: Path, into: Path) -> None:
    before = contents(folder)
    review = open_review(folder, into)
    review.reject(ids_of(review)[:3])
    assert (review.left, review.trash) == (1, 3)
    assert contents(folder).keys() == before.keys()
    close(review)
    assert empty_trash(folder) == 3
    assert len(contents(folder)) == 1
    assert labelled(into) == {}


def test_undo_takes_back_the_last_thing_and_then_the_one_before(folder: Path, into: Path) -> None:
    before = contents(folder)
    review = open_review(folder, into)
    review.accept(ids_of(review)[:2])
    review.reject(ids_of(review)[:1])
    undone = review.undo()
    assert undone is not None
    assert (undone.kind, undone.count, review.left) == ("reject", 1, 2)
    undone = review.undo()
    assert undone is not None
    assert (undone.kind, undone.count, review.left) == ("accept", 2, 4)
    assert review.undo() is None
    close(review)
    assert contents(folder) == before
    assert {name.partition("/")[0] for name in contents(into).values()} == {".trash"}


def test_undo_works_after_a_restart(folder: Path, into: Path) -> None:
    before = contents(folder)
    review = open_review(folder, into)
    review.relabel(ids_of(review)[:1], "dog")
    close(review)
    review = open_review(folder, into)
    assert review.left == 3
    assert review.undo() is not None
    close(review)
    review = open_review(folder, into)
    assert (review.left, contents(folder)) == (4, before)
    close(review)


def test_a_folder_that_is_reviewed_to_its_end_can_be_undone(folder: Path, into: Path) -> None:
    before = contents(folder)
    review = open_review(folder, into)
    review.reject(ids_of(review))
    close(review)
    review = open_review(folder, into)
    assert (review.total, review.left) == (0, 0)
    assert review.undo() is not None
    assert (review.unseen, review.left) == (4, 0)
    close(review)
    assert contents(folder) == before
    assert len(groups_of(folder)) == 3


def test_what_a_crash_left_in_both_is_put_right_at_the_next_start(folder: Path, into: Path) -> None:
    review = open_review(folder, into)
    review.accept(ids_of(review)[:2])
    close(review)
    # As if it had ended before the pictures left the folder.
    for path in (folder / ".trash").rglob("*.jpg"):
        path.rename(folder / "cat" / path.name)
    (folder / ".steps.jsonl").unlink()
    told: list[str] = []
    groups = groups_of(folder)
    collection = Collection(into, quota_bytes=0, min_free_bytes=0)
    review = Review(folder.resolve(), groups, collection, told.append)
    assert review.left == 2
    assert told == ["2 pictures were accepted when it ended: they are not shown again"]
    close(review)
    assert sum(map(len, labelled(into).values())) == 2


def test_what_came_into_the_data_set_without_a_line_in_its_log_is_shown_again(
    folder: Path, into: Path
) -> None:
    review = open_review(folder, into)
    review.accept(ids_of(review)[:1])
    close(review)
    for path in (folder / ".trash").rglob("*.jpg"):
        path.rename(folder / "cat" / path.name)
    (folder / ".steps.jsonl").unlink()
    (into / "records.jsonl").write_text("")
    review = open_review(folder, into)
    assert review.left == 4
    close(review)
    assert labelled(into).keys() == {".trash"}


def test_what_is_decided_cannot_be_decided_again(folder: Path, into: Path) -> None:
    review = open_review(folder, into)
    first = ids_of(review)[:1]
    review.reject(first)
    with pytest.raises(InvalidValueError, match="decided already"):
        review.accept(first)
    with pytest.raises(InvalidValueError, match="decided already"):
        review.accept(["../../etc/passwd"])
    close(review)


def test_a_full_disk_is_said_and_loses_nothing(folder: Path, into: Path) -> None:
    before = contents(folder)
    first = next(iter(sorted((folder / "cat").iterdir())))
    collection = Collection(into, quota_bytes=first.stat().st_size * 2, min_free_bytes=0)
    review = Review(folder.resolve(), groups_of(folder), collection)
    change = review.accept(ids_of(review))
    assert change.problem.startswith("the quota")
    assert change.count + review.left == 4
    assert change.count >= 1
    close(review)
    assert before.keys() <= contents(folder).keys() | contents(into).keys()
    assert sum(map(len, labelled(into).values())) == change.count


def test_a_picture_that_vanished_is_counted(folder: Path, into: Path) -> None:
    review = open_review(folder, into)
    (folder / "dog").rename(folder.parent / "elsewhere")
    change = review.accept(ids_of(review))
    assert (change.count, change.missing, review.left) == (3, 1, 0)
    close(review)


def test_a_picture_nobody_guessed_about_needs_a_label(tmp_path: Path, into: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "one.jpg").write_bytes(jpeg_of(1))
    review = open_review(plain, into)
    with pytest.raises(InvalidValueError, match="nobody has guessed"):
        review.accept(ids_of(review))
    assert review.relabel(ids_of(review), "cat").count == 1
    close(review)


def test_pictures_of_other_kinds_are_kept_without_loss(tmp_path: Path, into: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    cv2.imwrite(str(plain / "one.png"), scene(1))
    cv2.imwrite(str(plain / "two.bmp"), scene(2))
    png = (plain / "one.png").read_bytes()
    review = open_review(plain, into)
    review.relabel(ids_of(review), "cat")
    close(review)
    kept = sorted((into / "cat").iterdir())
    assert [path.suffix for path in kept] == [".png", ".png"]
    assert png in {path.read_bytes() for path in kept}
    assert any((cv2.imread(str(path)) == scene(2)).all() for path in kept)


def test_a_second_review_of_the_same_folder(folder: Path, into: Path) -> None:
    review = open_review(folder, into)
    with pytest.raises(SinkError, match="another edgecls reviews"):
        open_review(folder, into.with_name("others"))
    close(review)
