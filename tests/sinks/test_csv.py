"""A table that spreadsheets and pandas can read, and that no label can turn into a program."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edgecls.contract.tables import FRAME_COLUMNS
from edgecls.errors import SinkError
from edgecls.sinks.csv import CsvSink
from tests.support.frames import change, prediction


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.csv"


def test_a_row_for_each_classified_frame(path: Path) -> None:
    sink = CsvSink(path)
    sink.handle(prediction(7, "cat", 0.87654, steady="dog"))
    sink.close()
    assert rows(path) == [
        {
            "time": "2026-11-05T12:00:00.000+00:00",
            "frame": "7",
            "label": "cat",
            "score": "0.8765",
            "steady": "dog",
            "age_ms": "12.00",
            "file": "",
            "truth": "",
        }
    ]


def test_a_recording_has_a_time_of_its_own(path: Path) -> None:
    CsvSink(path).handle(prediction(7, time=12.5))
    assert rows(path)[0]["time"] == "12.500"


def test_the_header_stands_once_however_often_it_is_opened(path: Path) -> None:
    for number in range(3):
        sink = CsvSink(path)
        sink.handle(prediction(number))
        sink.close()
    assert path.read_text().count(",".join(FRAME_COLUMNS)) == 1
    assert [row["frame"] for row in rows(path)] == ["0", "1", "2"]


def test_only_predictions_are_rows(path: Path) -> None:
    sink = CsvSink(path)
    sink.handle(change(0, "cat"))
    assert rows(path) == []


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"], ids=repr)
def test_a_label_is_no_formula(path: Path, first: str) -> None:
    sink = CsvSink(path)
    sink.handle(prediction(0, f"{first}cmd|' /C calc'!A0"))
    assert rows(path)[0]["label"].startswith("'")


@pytest.mark.parametrize(
    ("label", "cell"),
    [
        pytest.param("two\nlines", "two\nlines", id="a line feed"),
        pytest.param("two\r\nlines", "two\nlines", id="a line end of Windows"),
        pytest.param('6" pipe, bent', '6" pipe, bent', id="a quote and a comma"),
        pytest.param("Käfer 🐞", "Käfer 🐞", id="letters of others"),
        pytest.param("caf\udce9", "caf\\udce9", id="what is not UTF-8"),
        pytest.param("a-b", "a-b", id="a hyphen inside"),
    ],
)
def test_a_label_comes_back_as_it_was(path: Path, label: str, cell: str) -> None:
    sink = CsvSink(path)
    sink.handle(prediction(0, label))
    sink.handle(prediction(1))
    assert [row["label"] for row in rows(path)] == [cell, "cat"]


def test_a_torn_row_is_cut_off_and_told(path: Path) -> None:
    CsvSink(path).handle(prediction(0))
    with path.open("a") as file:
        file.write('2026-11-05T12:00:01,1,"two\nlin')
    told: list[str] = []
    CsvSink(path, told.append).handle(prediction(2))
    assert [row["frame"] for row in rows(path)] == ["0", "2"]
    assert told == [f"{path}: its last row was torn and is cut off"]


def test_a_table_of_others_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("name,price\napple,1\n")
    with pytest.raises(SinkError, match="holds something else: its first line is another one"):
        CsvSink(path)
    assert path.read_text() == "name,price\napple,1\n"
