"""The command `edgecls train`: `edgecls_train.cli.train`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from edgecls.errors import DatasetError, EdgeclsError, RecipeError, RunError
from edgecls.imaging.decode import decode
from edgecls_train.cli.train import train

QUICK = {"recipe": "photos-small", "epochs": 1, "imgsz": 32}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Where `runs/train` would be made."""
    workplace = tmp_path / "workplace"
    workplace.mkdir()
    monkeypatch.chdir(workplace)
    return workplace


def test_json_is_one_line_and_the_same_as_in_the_run(shapes, in_an_empty_folder, capsys):
    train(str(shapes), **QUICK, as_json=True)
    (line,) = capsys.readouterr().out.splitlines()
    stored = (in_an_empty_folder / "runs" / "train" / "1" / "metrics.json").read_text()
    assert json.loads(line) == json.loads(stored)
    assert json.loads(line)["run"] == "runs/train/1"


def test_the_summary_tells_the_accuracy_its_interval_and_what_comes_next(shapes, capsys):
    train(str(shapes), **QUICK)
    out = capsys.readouterr().out
    assert "on 6 test pictures (95% interval" in out
    assert "macro F1" in out
    assert "weakest class" in out
    assert "runs/train/1/report.html" in out
    assert "the true accuracy may lie anywhere" in out  # what the diagnosis found
    assert out.endswith("edgecls convert --int8\n")


def test_a_run_elsewhere_is_named_in_the_next_command(shapes, tmp_path, capsys):
    train(str(shapes), **QUICK, out=tmp_path / "mine")
    assert f"edgecls convert {tmp_path}/mine/1 --int8" in capsys.readouterr().out


def test_options_override_the_recipe_and_are_stored(shapes, in_an_empty_folder):
    train(str(shapes), recipe="cnn", epochs=1, batch_size=9, imgsz=20, seed=8)
    stored = (in_an_empty_folder / "runs" / "train" / "1" / "recipe.toml").read_text()
    for line in ('name = "cnn"', "epochs = 1", "batch_size = 9", "size = [20, 20]", "seed = 8"):
        assert line in stored.splitlines()


def test_without_data_the_digits_are_used_and_told(capsys):
    train(recipe="cnn", epochs=1)
    captured = capsys.readouterr()
    told = captured.err.splitlines()[0]
    assert told == "no DATA given: training on the built-in digits (5000 pictures)"
    assert "on 1000 test pictures" in captured.out


def test_a_preview_is_drawn_and_nothing_is_trained(shapes, in_an_empty_folder, capsys):
    train(str(shapes), recipe="photos-small", preview=in_an_empty_folder / "sheet.png")
    assert [path.name for path in in_an_empty_folder.iterdir()] == ["sheet.png"]
    # Twelve photos of each of three shapes: eight rows of 96 pixels, ten columns.
    sheet = decode((in_an_empty_folder / "sheet.png").read_bytes())
    assert sheet.shape == (8 * 96 + 7 * 4, 10 * 96 + 16 + 8 * 4, 3)
    assert "sheet.png" in capsys.readouterr().out


def test_a_run_is_resumed_by_its_folder_or_as_the_latest(shapes):
    with pytest.raises(RunError, match=r"there is no interrupted run in 'runs/train'"):
        train(resume=True)
    train(str(shapes), **QUICK)
    with pytest.raises(RunError, match=r"'runs/train/1' is complete"):
        train("runs/train/1", resume=True)


def no_folder(shapes):
    shutil.rmtree(shapes)


def no_classes(shapes):
    no_folder(shapes)
    shapes.mkdir()


def one_class(shapes):
    shutil.rmtree(shapes / "circle")
    shutil.rmtree(shapes / "cross")


def an_empty_class(shapes):
    (shapes / "empty").mkdir()


def one_picture(shapes):
    for path in sorted((shapes / "cross").iterdir())[1:]:
        path.unlink()


def texts_for_pictures(shapes):
    for path in shapes.rglob("*.jpg"):
        path.write_text("hello")


@pytest.mark.parametrize(
    ("spoil", "problem", "hint"),
    [
        pytest.param(no_folder, "there is no folder", "one folder", id="no such folder"),
        pytest.param(no_classes, "no folders of classes", "DATA/cat", id="an empty folder"),
        pytest.param(one_class, "only the class 'square'", "DATA/cat", id="one class"),
        pytest.param(an_empty_class, "class 'empty'", "remove it", id="a class without pictures"),
        pytest.param(
            one_picture,
            "class 'cross' has 1 readable picture, at least 3",
            "add pictures",
            id="a class with one picture",
        ),
        pytest.param(
            texts_for_pictures,
            "more than half of the 36 pictures cannot be read",
            "JPEG or PNG",
            id="no readable pictures",
        ),
    ],
)
def test_bad_data_is_told_with_a_hint_and_nothing_is_written(
    shapes, in_an_empty_folder, spoil, problem, hint
):
    spoil(shapes)
    with pytest.raises(DatasetError, match=problem) as refused:
        train(str(shapes), **QUICK)
    assert hint in refused.value.hint
    assert not list(in_an_empty_folder.iterdir())


def test_a_folder_whose_name_is_no_text_is_told_before_training(shapes, in_an_empty_folder):
    renamed = shapes.rename(shapes.with_name(os.fsdecode(b"sh\xffpes")))
    with pytest.raises(DatasetError, match=r"sh\\udcffpes' is not UTF-8(.|\n)*rename that folder"):
        train(str(renamed), **QUICK)
    assert not list(in_an_empty_folder.iterdir())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param({"recipe": "nosuch"}, "no recipe 'nosuch'", id="an unknown recipe"),
        pytest.param(
            {"recipe": "photos-small", "imgsz": 4},
            "leaves nothing",
            id="images too small for the network",
        ),
    ],
)
def test_a_bad_recipe_is_told_and_nothing_is_written(shapes, in_an_empty_folder, options, problem):
    with pytest.raises(RecipeError, match=problem):
        train(str(shapes), **options)
    assert not list(in_an_empty_folder.iterdir())


def test_the_command_imports_nothing_heavy_before_it_runs():
    heavy = {"numpy", "cv2", "keras", "tensorflow", "matplotlib"}
    code = "import sys, edgecls_train.cli.train; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "edgecls_train.cli.train" in loaded
    assert not heavy & set(loaded)


def test_importing_keras_adds_nothing_to_stderr():
    code = "from edgecls_train.backend import load_keras; load_keras()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stderr == b""


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system with room for 200 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may mount a small file system")
def test_a_full_disk_says_so_and_leaves_no_half_a_run(shapes, tiny_disk):
    with pytest.raises(EdgeclsError, match="No space left on device") as refused:
        train(str(shapes), **QUICK, out=tiny_disk)
    assert "free space" in refused.value.hint
    assert list(tiny_disk.iterdir()) == []
