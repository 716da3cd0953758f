"""Run folders: how training hands over to conversion."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.run import RunFolder, SplitEntry, create_run, find_latest_run, open_run
from edgecls.errors import EdgeclsError, InvalidValueError, RunError

CARD = ModelCard(Labels(("cat", "dog")), Preprocessing((96, 96)))


def finish(run: RunFolder) -> RunFolder:
    """Leave what a training that came to its end leaves."""
    run.save_card(CARD)
    run.model_path.write_bytes(b"weights")
    run.save_metrics({"val": {"top1": 0.9}})
    return run


def test_runs_are_numbered_from_one(tmp_path: Path) -> None:
    names = [create_run(tmp_path / "runs").path.name for _ in range(3)]
    assert names == ["1", "2", "3"]


def test_numbers_are_never_used_again_and_strangers_do_not_matter(tmp_path: Path) -> None:
    for name in ("2", "10", "old", "11.bak", "-3"):
        (tmp_path / name).mkdir()
    assert create_run(tmp_path).path.name == "11"


def test_a_run_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(EdgeclsError, match=r"cannot make the run folder .*Not a directory"):
        create_run(tmp_path / "runs")


def test_the_latest_run_is_the_last_complete_one(tmp_path: Path) -> None:
    finish(create_run(tmp_path))
    second = finish(create_run(tmp_path))
    create_run(tmp_path).save_card(CARD)
    assert find_latest_run(tmp_path) == second


def test_ten_is_later_than_nine(tmp_path: Path) -> None:
    for name in ("9", "10"):
        (tmp_path / name).mkdir()
        finish(RunFolder(tmp_path / name))
    assert find_latest_run(tmp_path).path.name == "10"


@pytest.mark.parametrize("exists", [True, False], ids=["an empty folder", "no folder"])
def test_where_nothing_was_trained_there_is_no_run(exists: bool, tmp_path: Path) -> None:
    root = tmp_path if exists else tmp_path / "runs"
    with pytest.raises(RunError, match="no complete run") as refused:
        find_latest_run(root)
    assert "edgecls train" in refused.value.hint


def test_a_named_run_is_opened(tmp_path: Path) -> None:
    run = finish(create_run(tmp_path))
    assert open_run(run.path) == run


def test_a_named_run_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run folder"):
        open_run(tmp_path / "7")


@pytest.mark.parametrize("missing", ["metrics.json", "model.keras"])
def test_an_interrupted_run_is_refused(missing: str, tmp_path: Path) -> None:
    run = finish(create_run(tmp_path))
    (run.path / missing).unlink()
    with pytest.raises(RunError, match="not complete") as refused:
        open_run(run.path)
    assert "train" in refused.value.hint


def test_a_run_gives_back_what_was_saved(tmp_path: Path) -> None:
    run = finish(create_run(tmp_path))
    assert run.load_card() == CARD
    assert run.load_metrics() == {"val": {"top1": 0.9}}


NAMES = [
    pytest.param("cat/1.jpg", id="a plain one"),
    pytest.param('a, "quoted".jpg', id="one with commas and quotes"),
    pytest.param("two\nlines.jpg", id="one with a line break"),
    pytest.param("carriage\rreturn.jpg", id="one with a carriage return"),
    pytest.param("猫/🐈.jpg", id="an emoji"),
    pytest.param(os.fsdecode(b"caf\xe9.jpg"), id="one that is not UTF-8"),
    pytest.param(" spaces ", id="one with spaces around it"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_split_keeps_every_name(name: str, tmp_path: Path) -> None:
    entries = [SplitEntry(name, "cat", "train"), SplitEntry("b", "dog", "test")]
    run = create_run(tmp_path)
    run.save_split(entries)
    assert run.load_split() == entries


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "does not begin with name,label,subset", id="an empty file"),
        pytest.param(b"name,label\n", "does not begin with", id="another table"),
        pytest.param(b"name,label,subset\na,cat\n", "is damaged", id="a row that is cut off"),
        pytest.param(b"name,label,subset\na,cat,dev\n", "'dev' is none of", id="unknown subset"),
        pytest.param(b'"' + b"x" * 200_000, "is damaged", id="a field without end"),
    ],
)
def test_a_damaged_split_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_bytes(content)
    with pytest.raises(RunError, match=message):
        RunFolder(tmp_path).load_split()


@pytest.mark.parametrize("load", ["load_card", "load_metrics", "load_split"])
def test_a_missing_part_is_named(load: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no readable .*No such file") as refused:
        getattr(RunFolder(tmp_path), load)()
    assert "not a complete run" in refused.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff"], ids=["empty", "half", "a list", "no text"]
)
def test_damaged_metrics_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(RunError, match=r"metrics\.json' is damaged"):
        RunFolder(tmp_path).load_metrics()


def test_a_subset_is_one_of_three() -> None:
    with pytest.raises(InvalidValueError, match="'dev' is none of train, val, test"):
        SplitEntry("a", "cat", "dev")  # type: ignore[arg-type]
