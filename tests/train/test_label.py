"""Labels for unlabelled pictures: proposed, reviewed by a person, applied, and taken back."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from edgecls.classifier import Classifier
from edgecls.errors import DatasetError, EdgeclsError, InvalidValueError, RunError
from edgecls_train.cli.label import label
from edgecls_train.label import (
    ProposalFolder,
    apply_proposals,
    find_latest_proposals,
    propose_labels,
    undo_proposals,
)
from edgecls_train.label.place import Manifest, check_folder_label
from tests.support.choosy_model import choosy_model_bytes
from tests.support.tiny_model import brightness_of, tiny_model_bytes, write_tiny_model

LABELS = ("dark", "gray", "light")
# The middle between two classes: the scores are equal there, and the margin is nothing.
BETWEEN = (brightness_of(0, 3) + brightness_of(1, 3)) // 2


def write_picture(path: Path, level: int, noise: int = 0) -> Path:
    """A picture of one gray value; another `noise` makes it one that shows something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = np.full((48, 64, 3), level, np.int16)
    if noise:
        random = np.random.default_rng(noise)
        frame += np.kron(random.integers(-9, 10, (6, 8, 1)), np.ones((8, 8, 3), int)).astype(
            np.int16
        )
        frame += np.int16(level - round(float(frame.mean())))
    cv2.imwrite(str(path), np.clip(frame, 0, 255).astype(np.uint8))
    return path


@pytest.fixture
def classifier(tmp_path: Path) -> Iterator[Classifier]:
    """Knows `dark`, `gray` and `light`."""
    write_tiny_model(tmp_path / "model.tflite", labels=LABELS)
    opened = Classifier.open(tmp_path / "model.tflite")
    yield opened
    opened.close()


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    """`a.png` is dark, `deep/b.png` light, and nobody can say of `c.png`."""
    folder = tmp_path / "new"
    write_picture(folder / "a.png", brightness_of(0, 3), noise=1)
    write_picture(folder / "deep" / "b.png", brightness_of(2, 3), noise=2)
    write_picture(folder / "c.png", BETWEEN, noise=3)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "proposals"


@pytest.fixture
def place(classifier, unlabelled, data, root) -> ProposalFolder:
    """Proposals for the three pictures."""
    return propose_labels(classifier, unlabelled, data, 0.8, root).place


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def read_table(place: ProposalFolder) -> list[dict[str, str]]:
    with place.table.open(newline="") as file:
        return list(csv.DictReader(file))


def edit(place: ProposalFolder, before: str, after: str) -> None:
    """As a person with an editor would; `before` must be there."""
    text = place.table.read_text()
    assert before in text
    place.table.write_text(text.replace(before, after))


class TestProposals:
    def test_a_certain_picture_gets_a_label_and_an_uncertain_one_none(self, place):
        proposed = {row["file"]: row["label"] for row in read_table(place)}
        assert proposed == {"a.png": "dark", "deep/b.png": "light", "c.png": ""}

    def test_the_most_certain_comes_first(self, classifier, tmp_path, data, root):
        folder = tmp_path / "three"
        center = brightness_of(1, 3)
        for name, level in (("a", center + 12), ("b", center), ("c", center + 20)):
            write_picture(folder / f"{name}.png", level)
        found = propose_labels(classifier, folder, data, 0.0, root)
        assert [guess.file for guess in found.certain] == ["b.png", "a.png", "c.png"]

    def test_the_smallest_margin_is_the_most_useful_to_label_by_hand(
        self, classifier, tmp_path, data, root
    ):
        folder = tmp_path / "three"
        for name, level in (("a", BETWEEN + 20), ("b", BETWEEN), ("c", BETWEEN + 10)):
            write_picture(folder / f"{name}.png", level)
        found = propose_labels(classifier, folder, data, 1.0, root)
        assert [guess.file for guess in found.uncertain] == ["b.png", "c.png", "a.png"]

    def test_copies_of_one_picture_carry_its_number_and_wait_behind_the_others(
        self, classifier, tmp_path, data, root
    ):
        folder = tmp_path / "copies"
        first = write_picture(folder / "a.png", BETWEEN, noise=1)
        shutil.copy(first, folder / "b.png")
        write_picture(folder / "c.png", BETWEEN + 10, noise=9)
        found = propose_labels(classifier, folder, data, 1.0, root)
        assert [(guess.file, guess.alike) for guess in found.uncertain] == [
            ("a.png", 1),
            ("c.png", 3),
            ("b.png", 1),
        ]

    @pytest.mark.usefixtures("place")
    def test_nothing_is_moved(self, unlabelled, data):
        assert files_below(unlabelled) == {"a.png", "deep/b.png", "c.png"}
        assert not data.exists()

    def test_unreadable_pictures_are_named_and_never_proposed(
        self, classifier, unlabelled, data, root
    ):
        (unlabelled / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
        said: list[str] = []
        found = propose_labels(classifier, unlabelled, data, 0.8, root, say=said.append)
        assert [problem.split(":")[0] for problem in found.unreadable] == ["broken.jpg"]
        assert said[-1] == "unreadable pictures skipped: 1 of 4"
        assert "broken.jpg" not in {row["file"] for row in read_table(found.place)}

    def test_what_is_in_data_already_is_left_out(self, classifier, unlabelled, root):
        inside = unlabelled / "deep"
        said: list[str] = []
        found = propose_labels(classifier, unlabelled, inside, 0.0, root, say=said.append)
        assert {guess.file for guess in found.certain} == {"a.png", "c.png"}
        assert f"pictures in '{inside}' already: 1, left out" in said

    def test_every_time_gets_a_folder_of_its_own(self, place, classifier, unlabelled, data, root):
        place.table.write_text("edited for hours")
        again = propose_labels(classifier, unlabelled, data, 0.8, root).place
        assert (place.path.name, again.path.name) == ("1", "2")
        assert place.table.read_text() == "edited for hours"
        assert find_latest_proposals(root) == again


class TestLabelsOfTheModel:
    def test_class_numbers_are_warned_of(self, tmp_path, unlabelled, data, root):
        (tmp_path / "stranger.tflite").write_bytes(tiny_model_bytes(classes=3))
        classifier = Classifier.open(tmp_path / "stranger.tflite")
        said: list[str] = []
        found = propose_labels(classifier, unlabelled, data, 0.8, root, say=said.append)
        classifier.close()
        assert said[0].startswith("the model does not name its classes")
        assert found.certain[0].proposed in ("class 0", "class 2")

    def test_a_label_that_is_no_folder_is_not_proposed(self, tmp_path, unlabelled, data, root):
        write_tiny_model(tmp_path / "odd.tflite", labels=("../dark", "..", "light"))
        classifier = Classifier.open(tmp_path / "odd.tflite")
        said: list[str] = []
        found = propose_labels(classifier, unlabelled, data, 0.0, root, say=said.append)
        classifier.close()
        assert "'../dark', '..' cannot be a folder's name" in said[0]
        assert [guess.proposed for guess in found.certain] == ["light"]

    def test_classes_that_data_does_not_have_are_told(self, classifier, unlabelled, data, root):
        (data / "dark").mkdir(parents=True)
        said: list[str] = []
        propose_labels(classifier, unlabelled, data, 0.8, root, say=said.append)
        assert said == [f"no folder in '{data}' yet: 'gray', 'light'; --apply would make it"]


class _Page(HTMLParser):
    """What of a page a browser would load, run or show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


class TestReviewSheet:
    def test_it_shows_every_picture_and_needs_no_other_file(self, place):
        page = _Page(place.review.read_text("utf-8"))
        assert page.tags.count("img") == 3
        assert all(source.startswith(("data:image/jpeg;base64,", "#")) for source in page.sources)
        assert "script" not in page.tags
        assert re.search(r"dark \d\d%", page.text)
        for name in ("a.png", "deep/b.png", "c.png"):
            assert name in page.text

    def test_names_of_files_and_labels_are_text_and_never_markup(self, tmp_path, data, root):
        evil = "<script>alert(1)<script>"
        write_tiny_model(tmp_path / "evil.tflite", labels=(evil, "gray", "light"))
        write_picture(tmp_path / "new" / "<b onload='x'>.png", brightness_of(0, 3))
        classifier = Classifier.open(tmp_path / "evil.tflite")
        found = propose_labels(classifier, tmp_path / "new", data, 0.5, root)
        classifier.close()
        page = _Page(found.place.review.read_text("utf-8"))
        assert {"script", "b onload='x'"} & set(page.tags) == set()
        assert evil in page.text
        assert "<b onload='x'>.png" in page.text

    def test_it_follows_light_and_dark_and_fits_a_phone(self, place):
        text = place.review.read_text("utf-8")
        assert "prefers-color-scheme: dark" in text
        assert 'name="viewport"' in text


class TestApply:
    def test_the_pictures_go_to_the_folders_of_their_labels(self, place, unlabelled, data):
        applied = apply_proposals(place)
        assert applied.counts == {"dark": 1, "light": 1}
        assert files_below(data) == {"dark/a.png", "light/b.png"}
        assert files_below(unlabelled) == {"c.png"}

    def test_a_changed_label_is_obeyed(self, place, data):
        edit(place, "a.png,dark", "a.png,gray")
        apply_proposals(place)
        assert files_below(data) == {"gray/a.png", "light/b.png"}

    def test_a_label_written_by_hand_is_obeyed(self, place, data):
        edit(place, "c.png,,", "c.png,gray,")
        apply_proposals(place)
        assert files_below(data) == {"dark/a.png", "light/b.png", "gray/c.png"}

    @pytest.mark.parametrize(
        "after",
        [
            pytest.param("", id="a deleted line"),
            pytest.param("a.png,,dark,0.9,gray,0.1,1", id="an emptied label"),
        ],
    )
    def test_a_picture_stays(self, place, unlabelled, data, after):
        line = next(li for li in place.table.read_text().splitlines() if li.startswith("a.png"))
        edit(place, line, after)
        apply_proposals(place)
        assert files_below(data) == {"light/b.png"}
        assert (unlabelled / "a.png").is_file()

    def test_what_an_office_program_saves_is_read(self, place, data):
        text = place.table.read_text().replace(",", ";").replace("\n", "\r\n")
        place.table.write_text(text, "utf-8-sig", newline="")
        apply_proposals(place)
        assert files_below(data) == {"dark/a.png", "light/b.png"}

    def test_a_copy_leaves_the_picture_where_it_is(self, place, unlabelled, data):
        apply_proposals(place, is_copy=True)
        assert files_below(data) == {"dark/a.png", "light/b.png"}
        assert files_below(unlabelled) == {"a.png", "deep/b.png", "c.png"}

    def test_a_name_that_is_taken_gets_a_number(self, place, data):
        taken = write_picture(data / "dark" / "a.png", 3)
        before = taken.read_bytes()
        apply_proposals(place)
        assert files_below(data) == {"dark/a.png", "dark/a-2.png", "light/b.png"}
        assert taken.read_bytes() == before

    def test_the_same_picture_is_not_put_there_twice(self, place, unlabelled, data):
        (data / "dark").mkdir(parents=True)
        shutil.copy(unlabelled / "a.png", data / "dark" / "a.png")
        applied = apply_proposals(place)
        assert (applied.counts, applied.already) == ({"light": 1}, 1)
        assert files_below(data) == {"dark/a.png", "light/b.png"}

    def test_a_set_with_train_and_test_gets_them_for_training(self, place, data):
        for part in ("train/dark", "train/light", "test/dark", "test/light"):
            write_picture(data / part / "old.png", 5)
        assert apply_proposals(place).root == data / "train"
        assert (data / "train" / "dark" / "a.png").is_file()

    def test_applying_again_does_what_was_added_to_the_table(self, place):
        apply_proposals(place)
        edit(place, "c.png,,", "c.png,gray,")
        again = apply_proposals(place)
        assert (again.counts, again.already, again.missing) == ({"gray": 1}, 2, ())

    def test_a_picture_that_is_gone_is_named_and_the_others_are_moved(self, place, unlabelled):
        (unlabelled / "a.png").unlink()
        applied = apply_proposals(place)
        assert (applied.missing, applied.counts) == (("a.png",), {"light": 1})

    def test_a_class_that_is_new_to_model_and_data_is_told(self, place):
        edit(place, "a.png,dark", "a.png,drak")
        said: list[str] = []
        apply_proposals(place, say=said.append)
        assert said == ["new class 'drak', not one of the model's: 1 pictures"]

    def test_a_link_is_copied_and_stays(self, classifier, tmp_path, data, root):
        original = write_picture(tmp_path / "elsewhere" / "a.png", brightness_of(0, 3))
        folder = tmp_path / "links"
        folder.mkdir()
        (folder / "a.png").symlink_to("../elsewhere/a.png")
        apply_proposals(propose_labels(classifier, folder, data, 0.5, root).place)
        assert (folder / "a.png").is_symlink()
        assert not (data / "dark" / "a.png").is_symlink()
        assert (data / "dark" / "a.png").read_bytes() == original.read_bytes()

    @pytest.mark.parametrize(
        ("before", "after", "problem"),
        [
            pytest.param("a.png,dark", "a.png,../out", "'../out' holds '/'", id="a label upwards"),
            pytest.param("a.png,dark", "a.png,..", "begins or ends", id="the folder above"),
            pytest.param("a.png,dark", "a.png,/tmp/out", "holds '/'", id="an absolute label"),
            pytest.param("a.png,dark", "a.png,a\\b", "holds '", id="a backslash"),
            pytest.param("a.png,dark", "a.png,.dark", "begins or ends", id="a hidden folder"),
            pytest.param("a.png,dark", "../x.png,dark", "none of the pictures", id="another file"),
            pytest.param("a.png,dark", "c.png,dark", "stands twice", id="a picture twice"),
            pytest.param("file,label", "name,class", "begin with the columns", id="no first line"),
        ],
    )
    def test_a_table_that_cannot_be_obeyed_moves_nothing(
        self, place, unlabelled, data, before, after, problem
    ):
        edit(place, before, after)
        with pytest.raises(DatasetError, match=re.escape(problem)):
            apply_proposals(place)
        assert files_below(unlabelled) == {"a.png", "deep/b.png", "c.png"}
        assert not data.exists()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written_to_is_told(self, place, data):
        data.mkdir(mode=0o500)
        with pytest.raises(EdgeclsError, match="cannot write"):
            apply_proposals(place)

    def test_a_file_in_the_place_of_a_class_is_told_and_nothing_is_lost(
        self, place, unlabelled, data
    ):
        data.mkdir()
        (data / "light").write_text("a file")
        with pytest.raises(EdgeclsError, match=r"cannot write .*light"):
            apply_proposals(place)
        assert files_below(unlabelled) | files_below(data) == {
            "deep/b.png",
            "c.png",
            "dark/a.png",
            "light",
        }
        undo_proposals(place)
        assert files_below(unlabelled) == {"a.png", "deep/b.png", "c.png"}


class TestUndo:
    @pytest.mark.parametrize("is_copy", [False, True], ids=["moved", "copied"])
    def test_everything_is_as_before(self, place, unlabelled, data, is_copy):
        before = {path: path.read_bytes() for path in unlabelled.rglob("*.png")}
        apply_proposals(place, is_copy=is_copy)
        assert undo_proposals(place).pictures == 2
        assert {path: path.read_bytes() for path in unlabelled.rglob("*.png")} == before
        assert files_below(data) == set()

    def test_pictures_that_were_there_before_stay(self, place, data):
        write_picture(data / "dark" / "a.png", 3)
        apply_proposals(place)
        undo_proposals(place)
        assert files_below(data) == {"dark/a.png"}

    def test_it_can_be_applied_again_afterwards(self, place, data):
        apply_proposals(place)
        undo_proposals(place)
        apply_proposals(place)
        assert files_below(data) == {"dark/a.png", "light/b.png"}

    def test_another_picture_in_the_old_place_is_not_overwritten(self, place, unlabelled, data):
        apply_proposals(place)
        newer = write_picture(unlabelled / "a.png", 99)
        before = newer.read_bytes()
        undone = undo_proposals(place)
        assert (undone.pictures, len(undone.left)) == (1, 1)
        assert "is another picture by now" in undone.left[0]
        assert newer.read_bytes() == before
        assert files_below(data) == {"dark/a.png"}

    def test_a_step_that_was_written_down_and_never_made_is_no_problem(self, place, unlabelled):
        apply_proposals(place)
        step = {"action": "move", "from": str(unlabelled / "c.png"), "to": "/nowhere/c.png"}
        with place.journal.open("a") as journal:
            journal.write(json.dumps(step) + "\n" + '{"action": "mo')  # the cable was pulled
        assert undo_proposals(place).left == ()
        assert files_below(unlabelled) == {"a.png", "deep/b.png", "c.png"}

    def test_without_anything_applied_there_is_nothing_to_undo(self, place):
        with pytest.raises(RunError, match="nothing was applied"):
            undo_proposals(place)


class TestBadInput:
    def test_no_such_folder(self, classifier, tmp_path, data, root):
        with pytest.raises(DatasetError, match="there is no folder"):
            propose_labels(classifier, tmp_path / "nosuch", data, 0.9, root)

    def test_no_pictures(self, classifier, tmp_path, data, root):
        (tmp_path / "empty").mkdir()
        with pytest.raises(DatasetError, match="there are no pictures in"):
            propose_labels(classifier, tmp_path / "empty", data, 0.9, root)
        assert not root.exists()

    def test_no_readable_pictures(self, classifier, tmp_path, data, root):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "a.jpg").write_text("hello")
        with pytest.raises(DatasetError, match="none of the 1 pictures"):
            propose_labels(classifier, tmp_path / "new", data, 0.9, root)

    def test_the_folder_itself(self, classifier, unlabelled, root):
        with pytest.raises(DatasetError, match="are to go to"):
            propose_labels(classifier, unlabelled, unlabelled, 0.9, root)

    @pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
    def test_a_score_that_is_none(self, classifier, unlabelled, data, root, score):
        with pytest.raises(InvalidValueError, match="wanted 0 to 1"):
            propose_labels(classifier, unlabelled, data, score, root)

    def test_no_proposals_yet(self, root):
        with pytest.raises(RunError, match="there are no proposals"):
            find_latest_proposals(root)

    def test_a_folder_that_holds_none(self, unlabelled):
        with pytest.raises(RunError, match="holds no proposals"):
            apply_proposals(ProposalFolder(unlabelled))


@pytest.mark.parametrize("label", ["cat", "Golden Retriever", "été", "class 3", "a.b"])
def test_a_label_may_be(label):
    check_folder_label(label)


@pytest.mark.parametrize(
    "label", ["", ".", "..", "a/b", "a\\b", "a\0b", " a", "a ", "a\nb", "CON:"]
)
def test_a_label_may_not_be(label):
    with pytest.raises(InvalidValueError):
        check_folder_label(label)


class TestCommand:
    @pytest.fixture(autouse=True)
    def _in_an_empty_folder(self, tmp_path, monkeypatch, classifier):
        del classifier  # it has written the model
        monkeypatch.chdir(tmp_path)

    def test_the_summary_names_the_useful_ones_and_what_comes_next(self, unlabelled, capsys):
        label(unlabelled, Path("model.tflite"), Path("data"), 0.8)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "proposed       2 of 3 pictures"
        assert lines[1].startswith("uncertain      1; the most useful")
        assert lines[2].startswith("  c.png: ")
        assert lines[-1] == "next           edgecls label --apply"

    def test_json_is_one_line(self, unlabelled, capsys):
        label(unlabelled, Path("model.tflite"), Path("data"), 0.8, as_json=True)
        (line,) = capsys.readouterr().out.splitlines()
        found = json.loads(line)
        assert [entry["label"] for entry in found["certain"]] == ["dark", "light"]
        assert found["uncertain"][0]["label"] is None
        assert found["uncertain"][0]["predictions"][0]["label"] in ("dark", "gray")
        label(apply=True, as_json=True)
        assert json.loads(capsys.readouterr().out)["moved"] == 2
        label(undo=True, as_json=True)
        assert json.loads(capsys.readouterr().out)["undone"] == 2

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            pytest.param({}, "FOLDER, --model and --into are needed", id="nothing"),
            pytest.param({"apply": True, "undo": True}, "which of the two", id="both ways"),
            pytest.param({"copy": True}, "--copy goes with --apply", id="a copy of nothing"),
            pytest.param({"apply": True, "model": Path("m")}, "leave --model", id="all at once"),
        ],
    )
    def test_options_that_do_not_go_together_are_wrong_usage(self, options, problem):
        with pytest.raises(typer.BadParameter, match=problem):
            label(**options)


def test_labels_are_proposed_and_applied_without_tensorflow(tmp_path):
    write_tiny_model(tmp_path / "model.tflite", labels=LABELS)
    write_picture(tmp_path / "new" / "a.png", brightness_of(0, 3))
    code = """
import sys
from pathlib import Path
from edgecls_train.cli.label import label
label(Path("new"), Path("model.tflite"), Path("data"))
label(apply=True)
assert not {"tensorflow", "keras", "matplotlib"} & set(sys.modules)
print(*Path("data").rglob("*.png"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "data/dark/a.png"


@pytest.mark.fault(112)
@pytest.mark.parametrize("text", ["=1+1", "'=1", "@sum", "-x", "a;=b"])
def test_names_that_a_spreadsheet_would_run_are_obeyed_as_they_are(text, tmp_path):
    place = ProposalFolder(tmp_path)
    place.save_table([(f"{text}/1.jpg", text, text, "0.9", "", "", "1")])
    manifest = Manifest(tmp_path, tmp_path / "data", (f"{text}/1.jpg",), (text,))
    (choice,) = place.load_choices(manifest)
    assert (choice.file, choice.label) == (f"{text}/1.jpg", text)
    assert f"\n{text}" not in place.table.read_text()


@pytest.mark.fault(128)
def test_a_picture_on_which_the_model_fails_stays_where_it_is(tmp_path: Path) -> None:
    folder, root = tmp_path / "new", tmp_path / "proposals"
    write_picture(folder / "fails.png", 128)
    write_picture(folder / "works.png", 255)
    (tmp_path / "choosy.tflite").write_bytes(choosy_model_bytes())
    choosy = Classifier.open(tmp_path / "choosy.tflite")
    found = propose_labels(choosy, folder, tmp_path / "data", 0.0, root)
    choosy.close()
    assert [guess.file for guess in (*found.certain, *found.uncertain)] == ["works.png"]
    assert [problem.split(":")[0] for problem in found.unreadable] == ["fails.png"]
    assert "failed while it ran the model" in found.unreadable[0]


@pytest.mark.fault(128)
def test_a_model_that_fails_on_all_pictures_proposes_nothing(tmp_path: Path) -> None:
    folder, root = tmp_path / "new", tmp_path / "proposals"
    write_picture(folder / "fails.png", 128)
    (tmp_path / "choosy.tflite").write_bytes(choosy_model_bytes())
    choosy = Classifier.open(tmp_path / "choosy.tflite")
    with pytest.raises(DatasetError, match=r"none of the 1 pictures .* can be classified"):
        propose_labels(choosy, folder, tmp_path / "data", 0.0, root)
    choosy.close()
    assert not root.exists()
