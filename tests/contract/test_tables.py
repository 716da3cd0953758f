"""Tables: no cell is a formula, whatever a person or a model has called something."""

from __future__ import annotations

import ast
import csv
import io
import random
import re
from pathlib import Path
from typing import Final

import pytest

from edgecls.contract.run import RunFolder, SplitEntry
from edgecls.contract.tables import defuse, restore, to_row

REPOSITORY: Final = Path(__file__).parents[2]
DANGEROUS: Final = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1", "\u200b=1"),
    *(
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        "'=1",
        "''=1",
        "x;=1",
        "x\n=1",
        "x\r\n+1",
        "a\t@b",
        "\x01=1",
    ),
)
# As a spreadsheet divides a file, by the settings of its country, and what it then would run.
FORMULA: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]")


@pytest.mark.fault(112)
@pytest.mark.parametrize("text", DANGEROUS, ids=ascii)
def test_no_cell_is_a_formula(text: str) -> None:
    (cell,) = next(csv.reader(io.StringIO(to_row([text]), newline="")))
    assert not any(FORMULA.match(part) for part in re.split(r"[;\t\r\n]", cell) if part)


@pytest.mark.parametrize("text", ["cat", "it's", "'quoted'", "a-b", "a=b", "a, -b", "", "1.5", "'"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert defuse(text) == text


@pytest.mark.fault(112)
@pytest.mark.parametrize("seed", range(5))
def test_every_text_comes_back_as_it_was(seed: int) -> None:
    draw = random.Random(seed)
    texts = [
        "".join(draw.choices("=-+@';\t\n\r x\uff1d", k=draw.randrange(9))) for _ in range(5000)
    ]
    assert [restore(defuse(text)) for text in texts] == texts


@pytest.mark.fault(112)
@pytest.mark.parametrize("text", DANGEROUS, ids=ascii)
def test_what_a_run_says_of_its_pictures_comes_back(text: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    entries = [SplitEntry(f"{text}/1.jpg", text, "train"), SplitEntry("cat/2.jpg", "cat", "test")]
    run.save_split(entries)
    assert run.load_split() == entries
    assert (
        to_row([f"{text}/1.jpg", text, "train"]).encode() in (tmp_path / "split.csv").read_bytes()
    )


@pytest.mark.fault(112)
def test_rows_are_made_in_one_place_only() -> None:
    writers = sorted(
        str(path.relative_to(REPOSITORY))
        for folder in ("edgecls", "train/edgecls_train", "convert/edgecls_convert")
        for path in (REPOSITORY / folder).rglob("*.py")
        if _calls_a_writer(path)
    )
    # A training's history is figures and nothing else.
    assert writers == ["edgecls/contract/tables.py", "train/edgecls_train/history.py"]


def _calls_a_writer(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = (node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return not {"writer", "DictWriter"}.isdisjoint(names)
