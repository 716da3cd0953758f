"""A table of pictures: a CSV file of path,label[,subset]."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgecls.contract.files import read_regular_file
from edgecls.contract.labels import Labels
from edgecls.contract.run import Subset
from edgecls.errors import DatasetError, InvalidValueError, PictureError
from edgecls.imaging.decode import Frame
from edgecls.pictures.folder import MAX_PICTURE_BYTES, read_picture
from edgecls.pictures.layout import SPELLINGS

MAX_TABLE_BYTES: Final = 1 << 30
_WORDS: Final = {
    "path": ("path", "file", "filename", "file_name", "image", "picture", "name"),
    "label": ("label", "class", "target", "category"),
    "subset": ("subset", "split", "set"),
}
_SHOWN_ERRORS: Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One picture of a table: its line (from 1), path as written, label and subset, if any."""

    line: int
    path: str
    label: str
    subset: Subset | None


class TablePictures:
    """Pictures that a CSV file lists, labels in alphabetical order; paths are relative to it.

    Columns are separated by commas, semicolons or tabs. A first line of column names (`path`,
    `label`, `subset`, in any order, other columns are ignored) is recognised; without it the
    columns are path, label and subset. A listed file that is missing is an unreadable picture.

    Raises:
        DatasetError: No such file, lines that are wrong (each is named), fewer than two classes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.root = self.path.parent
        self.origin = str(self.path)
        content = read_regular_file(path, MAX_TABLE_BYTES, DatasetError)
        rows = _read_rows(path, content)
        self.labels = _to_labels(path, rows)
        target_of = {label: target for target, label in enumerate(self.labels)}
        self.names = tuple(row.path for row in rows)
        self.targets = np.array([target_of[row.label] for row in rows], np.int64)
        self.lines = tuple(row.line for row in rows)
        subsets = tuple(row.subset for row in rows if row.subset)
        self.given_subsets: tuple[Subset, ...] | None = subsets or None

    def __len__(self) -> int:
        return len(self.names)

    def load_frame(self, index: int) -> Frame:
        """Decode picture `index`; errors name its line."""
        try:
            return read_picture(self.find_file(index))
        except PictureError as wrong:
            raise self._with_line(index, wrong) from wrong

    def load_bytes(self, index: int) -> bytes:
        """The file's bytes; errors name its line."""
        try:
            return read_regular_file(self.find_file(index), MAX_PICTURE_BYTES, PictureError)
        except PictureError as wrong:
            raise self._with_line(index, wrong) from wrong

    def find_file(self, index: int) -> Path:
        """The file of picture `index`."""
        return self.root / self.names[index]

    def _with_line(self, index: int, wrong: PictureError) -> PictureError:
        return PictureError(
            f"'{self.path.name}' line {self.lines[index]}: {wrong.problem}", hint=wrong.hint
        )


def _read_rows(path: Path, content: bytes) -> list[Row]:
    try:
        # Bytes that are no UTF-8 are kept: file names may hold them.
        text = content.decode("utf-8-sig", "surrogateescape")
        lines = list(_split_lines(text))
    except csv.Error as wrong:
        raise DatasetError(f"'{path}' is not a table: {wrong}") from wrong
    if not lines:
        raise DatasetError(f"'{path}' is empty", hint="write one picture a line: cats/1.jpg,cat")
    columns = _find_columns(lines[0][1])
    if columns is None:
        columns = {"path": 0, "label": 1} | ({"subset": 2} if len(lines[0][1]) > 2 else {})
    else:
        lines = lines[1:]
    rows: list[Row] = []
    errors: list[str] = []
    line_of: dict[str, int] = {}
    for line, cells in lines:
        try:
            row = _read_row(line, cells, columns)
            _refuse_repeated(row, line_of)
        except InvalidValueError as wrong:
            errors.append(f"line {line}: {wrong.problem}")
        else:
            rows.append(row)
    if errors:
        shown = "; ".join(errors[:_SHOWN_ERRORS])
        more = len(errors) - _SHOWN_ERRORS
        raise DatasetError(
            f"'{path}' {shown}" + (f"; and {more} lines more" if more > 0 else ""),
            hint="write one picture a line: cats/1.jpg,cat or cats/1.jpg,cat,train",
        )
    return rows


def _split_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every line that holds something."""
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    last = 0
    for cells in rows:
        if any(cell.strip() for cell in cells):
            yield last + 1, cells
        last = rows.line_num


def _find_columns(cells: list[str]) -> dict[str, int] | None:
    """Where each column is, if these are column names."""
    columns = {}
    for index, cell in enumerate(cells):
        for column, words in _WORDS.items():
            if cell.strip().lower() in words and column not in columns:
                columns[column] = index
    return columns if {"path", "label"} <= set(columns) else None


def _read_row(line: int, cells: list[str], columns: dict[str, int]) -> Row:
    wanted = max(columns.values()) + 1
    if len(cells) < wanted:
        raise InvalidValueError(f"it has {len(cells)} columns, wanted {wanted}")
    path, label = cells[columns["path"]], cells[columns["label"]].strip()
    if not path.strip():
        raise InvalidValueError("the path is empty")
    if not label:
        raise InvalidValueError("the label is empty")
    if "subset" not in columns:
        return Row(line, path, label, None)
    written = cells[columns["subset"]].strip()
    if written.lower() not in SPELLINGS:
        raise InvalidValueError(f"subset {written!r} is none of train, val, test")
    return Row(line, path, label, SPELLINGS[written.lower()])


def _refuse_repeated(row: Row, line_of: dict[str, int]) -> None:
    first = line_of.setdefault(row.path, row.line)
    if first != row.line:
        raise InvalidValueError(f"{row.path!r} is already in line {first}")


def _to_labels(path: Path, rows: list[Row]) -> Labels:
    classes = sorted({row.label for row in rows})
    if len(classes) < 2:
        found = f"only the class {classes[0]!r}" if classes else "no pictures"
        raise DatasetError(f"'{path}' holds {found}, wanted at least two classes")
    for row in rows:
        try:
            Labels((row.label,))
        except InvalidValueError as wrong:
            raise DatasetError(f"'{path}' line {row.line}: {wrong.problem}") from wrong
    return Labels(tuple(classes))
