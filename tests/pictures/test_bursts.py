"""Which pictures were taken in one burst, as `records.jsonl` says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecls.pictures.bursts import LOG_NAME, read_bursts


def test_a_picture_is_known_by_the_last_part_of_its_name(tmp_path: Path) -> None:
    lines = [
        {"file": "cat/000000001-20261105T120000Z.jpg", "burst": "a"},
        {"file": "dog/000000002-20261105T120000Z.jpg", "burst": "b"},
        {"file": "dog/000000003-20261105T120000Z.jpg"},
    ]
    (tmp_path / LOG_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_bursts(tmp_path) == {
        "000000001-20261105T120000Z.jpg": "a",
        "000000002-20261105T120000Z.jpg": "b",
    }


def test_subsets_have_logs_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / LOG_NAME).write_text('{"file": "cat/1.jpg", "burst": "a"}\n')
    assert read_bursts(tmp_path) == {"1.jpg": "a"}


def test_most_folders_have_none(tmp_path: Path) -> None:
    assert read_bursts(tmp_path) == {}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('{"file": "cat/1.jpg", "burst": ', id="torn"),
        pytest.param('["burst"]', id="a list"),
        pytest.param('{"file": 1, "burst": "a"}', id="a name that is none"),
        pytest.param('{"file": "cat/1.jpg", "burst": 1}', id="a burst that is none"),
        pytest.param('{"file": "cat/1.jpg", "burst": ""}', id="no burst"),
        pytest.param('\xff"burst"', id="no text"),
    ],
)
def test_a_line_of_another_kind_is_passed_over(tmp_path: Path, line: str) -> None:
    good = '{"file": "cat/2.jpg", "burst": "a"}'
    (tmp_path / LOG_NAME).write_bytes(f"{line}\n{good}\n".encode("latin-1"))
    assert read_bursts(tmp_path) == {"2.jpg": "a"}
