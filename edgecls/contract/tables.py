"""CSV files: the one place where rows are made, so that no cell is ever run as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

# Columns by which a table of ours is known again.
FRAME_COLUMNS: Final = ("time", "frame", "label", "score", "steady", "age_ms", "file", "truth")
SPLIT_COLUMNS: Final = ("name", "label", "subset")
MOVE_COLUMNS: Final = ("from", "to", "kind")

# What makes a spreadsheet take a cell for a formula, at the beginning of a cell, with characters
# before it that are not seen; source: OWASP, "CSV Injection". Where a spreadsheet divides by
# semicolons or tabs, quotes that a comma begins mean nothing: a cell begins behind each of those.
_UNSEEN: Final = r"\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060\ufeff"
_RUNS: Final = rf"'*(?:[\t\r\n]|[{_UNSEEN}']*[=+\-@\uff1d\uff0b\uff0d\uff20])"
# As text: what is imported at the start of a command is compiled where a row is first made.
_DANGEROUS: Final = rf"(?:\A|(?<=[;\t\r\n]))(?={_RUNS})"
_DEFUSED: Final = rf"(?:\A|(?<=[;\t\r\n]))'(?={_RUNS})"


def to_row(cells: Iterable[object], end: str = "\r\n") -> str:
    """A line of a table, each cell defused.

    Args:
        cells: Text, or numbers, which stay as they are.
        end: Of the line; CR LF after RFC 4180.
    """
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end).writerow(
        [defuse(cell) if isinstance(cell, str) else cell for cell in cells]
    )
    return out.getvalue()


def to_table(columns: Sequence[str], rows: Iterable[Iterable[object]], end: str = "\r\n") -> str:
    """A whole table with its header."""
    return "".join(to_row(row, end) for row in (columns, *rows))


def defuse(text: str) -> str:
    """Text with an apostrophe before what a spreadsheet would run as a formula; see `restore`."""
    return re.sub(_DANGEROUS, "'", text) if text else text


def restore(cell: str) -> str:
    """The text that was defused. Every text comes back as it was, also one with apostrophes."""
    return re.sub(_DEFUSED, "", cell) if "'" in cell else cell
