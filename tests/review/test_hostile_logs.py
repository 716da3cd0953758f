"""A log is data of strangers: one bad line is told, and costs no more than what it says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecls.errors import EdgeclsError
from edgecls.review.found import find_pictures
from tests.review.recording import close, ids_of, jpeg_of, open_review

NAME = "cat/000000001-20261129T053558Z.jpg"
GOOD: dict[str, Any] = {
    "file": NAME,
    "bytes": 1,
    "time": 1.0,
    "event": "picture",
    "label": "cat",
    "score": 0.5,
    "predictions": [{"label": "cat", "score": 0.5}],
}
OTHER = {**GOOD, "file": "cat/000000002-20261129T053559Z.jpg", "time": 100.0}


def raw(text: str) -> bytes:
    return (json.dumps({"file": NAME})[:-1] + ", " + text + "}").encode()


def line(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


# What costs a picture its guess.
WITHOUT_GUESS = [
    pytest.param(line(label={}, predictions=[]), id="a label that is an object"),
    pytest.param(line(label=None, predictions=[]), id="no label"),
    pytest.param(line(label="a\0b", predictions=[]), id="a label with a NUL"),
    pytest.param(line(label="x" * 5000, predictions=[]), id="an endless label"),
    pytest.param(line(label="\ud800", predictions=[]), id="half a character"),
    pytest.param(line(score="1", predictions=[]), id="a score that is a text"),
    pytest.param(line(score=True, predictions=[]), id="a score that is true"),
    pytest.param(line(score=[], predictions=[]), id="a score that is a list"),
    pytest.param(line(predictions=[["cat", 0.5]]), id="predictions that are lists"),
    pytest.param(line(predictions={"a": 1}), id="predictions that are an object"),
    pytest.param(line(predictions=[{"label": "cat", "score": None}]), id="no score"),
    pytest.param(line(burst=[1]), id="a burst that is a list"),
    pytest.param(line(burst="b" * 100_000), id="an endless burst"),
    pytest.param(line(file=["x"]), id="a file that is a list"),
    pytest.param(line(file="cat/\0.jpg"), id="a file with a NUL"),
    pytest.param(raw('"score": Infinity, "label": "cat"'), id="an infinite score"),
    pytest.param(raw('"score": NaN, "label": "cat"'), id="a score that is no number"),
    pytest.param(raw('"score": 1e999, "label": "cat"'), id="a score beyond all floats"),
    pytest.param(raw('"time": ' + "9" * 400), id="a time of 400 digits"),
    pytest.param(raw('"score": ' + "9" * 4000), id="a score of 4,000 digits"),
    pytest.param(raw('"x": ' + "[" * 50_000 + "]" * 50_000), id="50,000 lists"),
    pytest.param(raw('"x": ' + '{"a":' * 500 + "1" + "}" * 500), id="500 objects"),
    pytest.param(raw('"x": "' + "y" * 5_000_000 + '"'), id="5 MB"),
    pytest.param(raw('"label": "').replace(b'"label": "', b'"label": "\xff"'), id="not UTF-8"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b'"cat"', id="a text"),
    pytest.param(b"{" * 2000, id="brackets only"),
    pytest.param(b"\x00" * 100, id="zeros"),
    pytest.param("{}".encode("utf-16"), id="UTF-16"),
]
# What costs it nothing but its time.
WITHOUT_TIME = [
    pytest.param(line(time=1e20), id="a time beyond all calendars"),
    pytest.param(line(time=253402300800), id="the year 10000"),
    pytest.param(line(time=-1e12), id="long before 1970"),
    pytest.param(line(time="x"), id="a time that is a text"),
    pytest.param(line(time=True), id="a time that is true"),
    pytest.param(line(time=[1]), id="a time that is a list"),
]
# What nobody looks at, or what is only odd.
FINE = [
    pytest.param(line(frame=-1), id="a frame before the first"),
    pytest.param(line(score=1e300, predictions=[]), id="a huge score"),
    pytest.param(line(predictions=[{"label": "cat", "score": 7}]), id="a score above 1"),
    pytest.param(line(bytes="many"), id="bytes in words"),
]


@pytest.fixture
def seen(tmp_path: Path) -> Callable[[bytes], Path]:
    """A recording of two pictures, whose first line of the log is given."""

    def make(first: bytes) -> Path:
        folder = tmp_path / "seen"
        (folder / "cat").mkdir(parents=True)
        for number, entry in enumerate((GOOD, OTHER)):
            (folder / entry["file"]).write_bytes(jpeg_of(number))
        content = first + b"\n" + json.dumps(OTHER).encode() + b"\n"
        (folder / "records.jsonl").write_bytes(content)
        return folder

    return make


@pytest.mark.fault(102)
@pytest.mark.parametrize("first", WITHOUT_GUESS)
def test_a_bad_line_is_told_and_the_picture_has_no_guess(
    seen: Callable[[bytes], Path], first: bytes
) -> None:
    found = find_pictures(seen(first))
    assert found.names == (NAME, OTHER["file"])
    assert list(found.guesses) == [OTHER["file"]]
    assert found.wrong.count == 1
    assert found.wrong.first[0].startswith("records.jsonl line 1: ")
    assert found.wrong.first[0].isprintable()
    assert len(found.wrong.first[0]) < 200


@pytest.mark.fault(103)
@pytest.mark.parametrize("first", WITHOUT_TIME)
def test_a_strange_time_costs_the_time_only(seen: Callable[[bytes], Path], first: bytes) -> None:
    found = find_pictures(seen(first))
    assert found.guesses[NAME].label == "cat"
    assert found.guesses[NAME].time is None
    assert found.wrong.count == 1


@pytest.mark.parametrize("first", FINE)
def test_what_is_only_odd_is_taken(seen: Callable[[bytes], Path], first: bytes) -> None:
    found = find_pictures(seen(first))
    assert found.guesses[NAME].label == "cat"
    assert 0 <= found.guesses[NAME].score <= 1
    assert found.wrong.count == 0


@pytest.mark.fault(102)
@pytest.mark.fault(103)
@pytest.mark.parametrize("first", [*WITHOUT_GUESS, *WITHOUT_TIME, *FINE])
def test_the_review_goes_on_whatever_the_log_says(
    seen: Callable[[bytes], Path], first: bytes, tmp_path: Path
) -> None:
    review = open_review(seen(first), tmp_path / "into")
    assert review.relabel(ids_of(review), "dog").count == 2
    assert review.undo() is not None
    close(review)
    again = open_review(tmp_path / "seen", tmp_path / "into")
    assert again.left == 2
    close(again)


@pytest.mark.fault(102)
@pytest.mark.parametrize("label", ["../../etc", ".git", "..", "/etc/passwd", "a/b"])
def test_a_label_that_leads_elsewhere_is_refused_when_it_is_accepted(
    seen: Callable[[bytes], Path], label: str, tmp_path: Path
) -> None:
    review = open_review(seen(line(label=label, predictions=[])), tmp_path / "into")
    with pytest.raises(EdgeclsError, match="label"):
        review.accept(ids_of(review))
    assert review.relabel(ids_of(review), "dog").count == 2
    close(review)
    assert sorted(os.listdir(tmp_path)) == ["into", "seen"]


@pytest.mark.fault(102)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_log_that_is_no_file_is_no_log(
    seen: Callable[[bytes], Path], make: Callable[[Path], None]
) -> None:
    folder = seen(line())
    (folder / "records.jsonl").unlink()
    make(folder / "records.jsonl")
    assert find_pictures(folder).guesses == {}


@pytest.mark.fault(102)
@pytest.mark.parametrize("first", [*WITHOUT_GUESS, *WITHOUT_TIME])
def test_a_data_set_with_a_bad_line_is_opened(
    seen: Callable[[bytes], Path], first: bytes, tmp_path: Path
) -> None:
    folder = seen(line())
    into = tmp_path / "into"
    (into / "cat").mkdir(parents=True)
    content = json.dumps(GOOD).encode() + b"\n" + first + b"\n" + json.dumps(GOOD).encode() + b"\n"
    (into / "records.jsonl").write_bytes(content)
    review = open_review(folder, into)
    assert review.relabel(ids_of(review), "dog").count == 2
    close(review)


@pytest.mark.fault(102)
def test_a_bad_row_of_a_table_of_proposals_costs_that_row(tmp_path: Path) -> None:
    folder, run = tmp_path / "new", tmp_path / "run"
    folder.mkdir()
    run.mkdir()
    names = [f"{number}.jpg" for number in range(4)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(jpeg_of(number))
    manifest = {"folder": str(folder), "into": "set", "labels": ["cat"], "files": names}
    (run / "proposals.json").write_text(json.dumps(manifest))
    rows = ["0.jpg,,cat,0.9", "1.jpg,,cat,nan", "2.jpg,,cat,high", "3.jpg,,cat,0.8"]
    (run / "proposals.csv").write_text("file,label,guess,score\n" + "\n".join(rows) + "\n")
    found = find_pictures(run)
    assert sorted(found.guesses) == ["0.jpg", "3.jpg"]
    assert found.wrong.count == 2


@pytest.mark.fault(102)
@pytest.mark.parametrize(
    "manifest",
    [
        b"[]", b"{", b"{}", b'{"folder": 1, "into": "x"}', b'{"folder": "x\\u0000", "into": "x"}',
        b'{"folder": "x", "into": "x", "files": [1]}', b'{"a":' + b"[" * 50_000 + b"]" * 50_000,
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_refused(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / "proposals.json").write_bytes(manifest)
    with pytest.raises(EdgeclsError):
        find_pictures(tmp_path)
