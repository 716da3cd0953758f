"""Many files moved as one step: whole whatever happens, and taken back on request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecls.errors import InvalidValueError, SinkError
from edgecls.storage.steps import STEPS_NAME, TRASH, Steps

CATS = [f"cat/{number}.jpg" for number in range(5)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "cat").mkdir(parents=True)
    for name in CATS:
        (tmp_path / "root" / name).write_text(name)
    return tmp_path / "root"


def files(root: Path) -> list[str]:
    """Names below the folder, without those that begin with a dot."""
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*.jpg")
        if not str(path.relative_to(root)).startswith(".")
    )


def to_dogs(names: list[str]) -> list[tuple[str, str]]:
    return [(name, name.replace("cat", "dog")) for name in names]


class TestTaking:
    def test_files_move(self, root: Path) -> None:
        Steps(root).take("relabel", to_dogs(CATS[:2]))
        assert files(root) == [*CATS[2:], "dog/0.jpg", "dog/1.jpg"]

    def test_a_step_is_remembered_with_its_facts(self, root: Path) -> None:
        Steps(root).take("relabel", to_dogs(CATS[:1]), label="dog")
        step = Steps(root).done[-1]
        assert (step.kind, step.facts) == ("relabel", {"label": "dog"})
        assert step.moves == (("cat/0.jpg", "dog/0.jpg"),)

    def test_a_file_in_the_way_stays_and_so_does_the_one_that_wanted_there(
        self, root: Path
    ) -> None:
        (root / "dog").mkdir()
        (root / "dog" / "0.jpg").write_text("another one")
        Steps(root).take("relabel", to_dogs(CATS[:2]))
        assert (root / "dog" / "0.jpg").read_text() == "another one"
        assert (root / "cat" / "0.jpg").read_text() == "cat/0.jpg"
        assert (root / "dog" / "1.jpg").read_text() == "cat/1.jpg"

    def test_too_many_are_refused_before_the_first_moves(self, root: Path) -> None:
        steps = Steps(root)
        with pytest.raises(InvalidValueError, match="too many files"):
            steps.take("relabel", to_dogs(CATS * 10_000))
        assert files(root) == CATS
        assert list(steps.done) == []

    def test_what_fails_in_the_middle_is_moved_back(self, root: Path) -> None:
        (root / "dog").write_text("a file of that name")  # no folder can be made of it
        steps = Steps(root)
        moves = [("cat/0.jpg", "bird/0.jpg"), ("cat/1.jpg", "dog/1.jpg")]
        with pytest.raises(NotADirectoryError):
            steps.take("relabel", moves)
        assert files(root) == CATS
        assert list(steps.done) == []
        steps.take("relabel", [("cat/0.jpg", "bird/0.jpg")])
        assert files(root) == ["bird/0.jpg", *CATS[1:]]


class TestUndoing:
    def test_a_step_is_taken_back(self, root: Path) -> None:
        steps = Steps(root)
        step = steps.take("relabel", to_dogs(CATS))
        steps.undo(step.number)
        assert files(root) == CATS
        assert list(steps.done) == []

    def test_so_is_one_of_an_earlier_run(self, root: Path) -> None:
        Steps(root).discard("discard", CATS[:3])
        steps = Steps(root)
        assert files(root) == CATS[3:]
        steps.undo(steps.done[-1].number)
        assert files(root) == CATS
        assert (root / "cat" / "0.jpg").read_text() == "cat/0.jpg"
        assert list(Steps(root).done) == []

    def test_what_somebody_has_deleted_meanwhile_is_gone(self, root: Path) -> None:
        steps = Steps(root)
        step = steps.take("relabel", to_dogs(CATS[:2]))
        (root / "dog" / "1.jpg").unlink()
        assert len(steps.undo(step.number).moves) == 1
        assert files(root) == ["cat/0.jpg", *CATS[2:]]

    def test_what_somebody_has_put_in_its_place_stays(self, root: Path) -> None:
        steps = Steps(root)
        step = steps.take("relabel", to_dogs(CATS[:1]))
        (root / "cat" / "0.jpg").write_text("another one")
        assert steps.undo(step.number).moves == ()
        assert (root / "cat" / "0.jpg").read_text() == "another one"
        assert (root / "dog" / "0.jpg").read_text() == "cat/0.jpg"


class TestTrash:
    def test_what_is_discarded_keeps_its_folder_and_its_name(self, root: Path) -> None:
        Steps(root).discard("discard", CATS[:1])
        assert (root / TRASH / "000000001" / "cat" / "0.jpg").read_text() == "cat/0.jpg"

    def test_nothing_is_left_of_it_after_an_undo(self, root: Path) -> None:
        steps = Steps(root)
        steps.undo(steps.discard("discard", CATS).number)
        assert not (root / TRASH).exists()

    def test_emptying_it_deletes_only_what_a_step_put_there(self, root: Path) -> None:
        steps = Steps(root)
        steps.discard("discard", CATS[:2])
        (root / TRASH / "mine.jpg").write_text("of somebody else")
        assert steps.empty_trash() == 2
        assert [path.name for path in (root / TRASH).iterdir()] == ["mine.jpg"]
        assert list(steps.done) == []
        assert list(Steps(root).done) == []

    def test_what_came_after_can_still_be_taken_back(self, root: Path) -> None:
        steps = Steps(root)
        steps.discard("discard", CATS[:1])
        later = steps.take("relabel", to_dogs(CATS[1:2]))
        steps.empty_trash()
        assert [step.number for step in steps.done] == [later.number]
        assert [step.number for step in Steps(root).done] == [later.number]


class TestCrashes:
    """What a process leaves that was killed: its journal, and some of the files moved."""

    def begin(self, root: Path, moves: list[tuple[str, str]], moved: int) -> None:
        line = {"step": 1, "kind": "relabel", "moves": moves}
        (root / STEPS_NAME).write_text(json.dumps(line) + "\n")
        for name, to in moves[:moved]:
            (root / to).parent.mkdir(exist_ok=True)
            (root / name).rename(root / to)

    @pytest.mark.parametrize("moved", range(6))
    def test_a_step_is_completed_by_the_next_start(self, root: Path, moved: int) -> None:
        self.begin(root, to_dogs(CATS), moved)
        steps = Steps(root)
        assert steps.is_repaired
        assert files(root) == [f"dog/{number}.jpg" for number in range(5)]
        steps.undo(steps.done[-1].number)
        assert files(root) == CATS

    def test_a_torn_line_began_nothing(self, root: Path) -> None:
        line = json.dumps({"step": 1, "kind": "relabel", "moves": to_dogs(CATS)})
        (root / STEPS_NAME).write_text(line[:50])
        steps = Steps(root)
        assert files(root) == CATS
        assert not steps.is_repaired
        steps.take("relabel", to_dogs(CATS[:1]))
        assert [step.kind for step in Steps(root).done] == ["relabel"]

    def test_a_trash_that_was_being_emptied_is_emptied(self, root: Path) -> None:
        steps = Steps(root)
        steps.discard("discard", CATS[:3])
        with (root / STEPS_NAME).open("a") as journal:
            journal.write(json.dumps({"step": 1, "emptied": True}) + "\n")
        Steps(root)
        assert not (root / TRASH).exists()

    def test_a_journal_that_leads_outside_moves_nothing(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "secret.jpg").write_text("secret")
        self.begin(root, [("../secret.jpg", "cat/secret.jpg")], 0)
        steps = Steps(root)
        assert steps.wrong.first == [
            ".steps.jsonl line 1: 'moves' is no list of moves inside the folder"
        ]
        assert (tmp_path / "secret.jpg").exists()

    @pytest.mark.fault(102)
    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(
                '{"step": 1e99, "kind": "x", "moves": []}', id="a number that is no count"
            ),
            pytest.param('{"step": 9, "kind": {}, "moves": []}', id="a kind that is no text"),
            pytest.param('{"step": 9, "kind": "x", "moves": [["a"]]}', id="half a move"),
            pytest.param('{"step": 9, "kind": "x", "moves": [[1, 2]]}', id="numbers for names"),
            pytest.param('{"step": 9, "kind": "x", "moves": [["a", "b\\u0000"]]}', id="a NUL"),
            pytest.param('{"step": 9, "kind": "x", "moves": [["\\ud800", "b"]]}', id="half a pair"),
            pytest.param(
                '{"step": 9, "kind": "x", "moves": [], "facts": 3}', id="facts of a number"
            ),
            pytest.param(
                '{"step": 9, "kind": "x", "moves": [], "of": "x"}', id="an undo of a text"
            ),
            pytest.param('{"step": ' + "[" * 50_000 + "]" * 50_000 + "}", id="50,000 lists"),
            pytest.param('{"step": NaN}', id="no number"),
        ],
    )
    def test_a_bad_line_is_told_and_the_others_count(self, root: Path, line: str) -> None:
        Steps(root).take("relabel", to_dogs(CATS[:1]))
        with (root / STEPS_NAME).open("a") as journal:
            journal.write(line + "\n")
        steps = Steps(root)
        assert steps.wrong.count == 1
        assert steps.wrong.first[0].startswith(".steps.jsonl line 3: ")
        steps.undo(steps.done[-1].number)
        assert files(root) == CATS

    @pytest.mark.fault(102)
    def test_emptying_the_trash_deletes_nothing_that_does_not_lie_in_it(self, root: Path) -> None:
        moves = [("x.jpg", f"{TRASH}/1/x.jpg"), ("y.jpg", CATS[0])]
        lines = [{"step": 1, "kind": "discard", "moves": moves}, {"step": 1, "done": True}]
        lines += [{"step": 1, "emptied": True}]
        (root / STEPS_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
        Steps(root)
        assert files(root) == CATS

    def test_a_file_of_another_kind_is_refused(self, root: Path) -> None:
        (root / STEPS_NAME).write_text("my notes")
        with pytest.raises(SinkError, match="something else"):
            Steps(root)
        assert (root / STEPS_NAME).read_text() == "my notes"
