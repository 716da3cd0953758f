"""Where proposals are kept, `runs/label/<n>`: the table that people edit, and what was done."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.console import json_line
from edgecls.contract.files import read_regular_file, write_atomically
from edgecls.contract.labels import Labels
from edgecls.contract.tables import restore, to_table
from edgecls.errors import DatasetError, InvalidValueError, RunError
from edgecls.pictures.layout import find_parts

PROPOSALS: Final = Path("runs/label")
COLUMNS: Final = ("file", "label", "guess", "score", "second", "second_score", "alike")
_MAX_BYTES: Final = 1 << 30
_SHOWN_ERRORS: Final = 5
# Windows and its file systems, on many USB sticks, take none of these in a folder's name.
_NO_FOLDER: Final = '/\\:*?"<>|'


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the table that is to be obeyed: the picture's path below FOLDER, its label."""

    line: int
    file: str
    label: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was proposed.

    Args:
        folder: Where the pictures are, absolute.
        into: The folder that they go to, absolute.
        files: Every picture that was looked at, as paths below `folder`.
        labels: Of the model.
    """

    folder: Path
    into: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProposalFolder:
    """A folder with `proposals.csv` (to be edited), `review.html` and what else is needed."""

    path: Path

    @property
    def table(self) -> Path:
        """The table that people edit."""
        return self.path / "proposals.csv"

    @property
    def review(self) -> Path:
        """The page with the pictures."""
        return self.path / "review.html"

    @property
    def journal(self) -> Path:
        """What `apply_proposals` did, one JSON object a line."""
        return self.path / "applied.jsonl"

    def save_table(self, rows: Sequence[Sequence[str]]) -> None:
        """Write the table; rows as `COLUMNS`."""
        # A file name that is not UTF-8 keeps its bytes.
        write_atomically(self.table, to_table(COLUMNS, rows).encode("utf-8", "surrogateescape"))

    def save_manifest(self, manifest: Manifest) -> None:
        """Write what the table is checked against."""
        found = {
            "folder": str(manifest.folder),
            "into": str(manifest.into),
            "files": list(manifest.files),
            "labels": list(manifest.labels),
        }
        # In ASCII, which escapes the bytes of file names that are not UTF-8.
        write_atomically(self.path / "proposals.json", json_line(found).encode())

    def load_manifest(self) -> Manifest:
        """What was proposed.

        Raises:
            RunError: This is no folder of proposals, or it is damaged.
        """
        path = self.path / "proposals.json"
        if not path.is_file():
            raise RunError(
                f"'{self.path}' holds no proposals",
                hint="make some first: edgecls label --model M FOLDER --into DATA",
            )
        try:
            found = json.loads(read_regular_file(path, _MAX_BYTES, RunError))
            return Manifest(
                Path(str(found["folder"])),
                Path(str(found["into"])),
                tuple(map(str, found["files"])),
                tuple(map(str, found["labels"])),
            )
        except (ValueError, KeyError, TypeError) as wrong:
            raise RunError(f"'{path}' is damaged: {wrong}", hint="propose again") from wrong

    def load_choices(self, manifest: Manifest) -> list[Choice]:
        """The lines of the table that have a label, every one of them checked.

        Raises:
            DatasetError: Lines that cannot be obeyed; it names the first of them.
        """
        content = read_regular_file(self.table, _MAX_BYTES, DatasetError)
        known = frozenset(manifest.files)
        choices: dict[str, Choice] = {}
        errors: list[str] = []
        for line, cells in _read_rows(self.table, content):
            try:
                choice = _read_choice(line, cells, known)
                if choice.file in choices:
                    raise InvalidValueError(f"{choice.file!r} stands twice")
            except InvalidValueError as wrong:
                errors.append(f"line {line}: {wrong.problem}")
            else:
                choices[choice.file] = choice
        if errors:
            more = len(errors) - _SHOWN_ERRORS
            raise DatasetError(
                f"'{self.table}' {'; '.join(errors[:_SHOWN_ERRORS])}"
                + (f"; and {more} lines more" if more > 0 else ""),
                hint="change these lines or delete them; nothing was moved",
            )
        return [choice for choice in choices.values() if choice.label]


def find_latest_proposals(root: Path = PROPOSALS) -> ProposalFolder:
    """The proposals with the highest number.

    Raises:
        RunError: There are none.
    """
    entries = list(root.iterdir()) if root.is_dir() else []
    for path in sorted(
        (entry for entry in entries if entry.name.isdecimal()),
        key=lambda entry: int(entry.name),
        reverse=True,
    ):
        if (path / "proposals.json").is_file():
            return ProposalFolder(path)
    raise RunError(
        f"there are no proposals in '{root}'",
        hint="make some first: edgecls label --model M FOLDER --into DATA",
    )


def check_folder_label(label: str) -> None:
    """Refuse a label that is no plain name of one folder, which could lead out of DATA.

    Raises:
        InvalidValueError: It says what is wrong with it.
    """
    Labels((label,))
    if found := [mark for mark in _NO_FOLDER if mark in label]:
        raise InvalidValueError(f"the label {label!r} holds {found[0]!r}, which no folder may")
    if label.startswith(".") or label != label.strip() or label.endswith("."):
        raise InvalidValueError(f"the label {label!r} begins or ends as no folder may")


def _read_choice(line: int, cells: dict[str, str], known: frozenset[str]) -> Choice:
    file, label = restore(cells["file"]), restore(cells["label"]).strip()
    if file not in known:
        raise InvalidValueError(f"{file!r} is none of the pictures that were proposed")
    if label:
        check_folder_label(label)
    return Choice(line, file, label)


def _read_rows(path: Path, content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and named cells of every line; what office programs make of a table is read."""
    text = content.decode("utf-8-sig", "surrogateescape")
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if not {"file", "label"} <= set(header):
            raise DatasetError(
                f"'{path}' does not begin with the columns {','.join(COLUMNS)}",
                hint="keep its first line",
            )
        for cells in rows:
            if any(cells):
                padded = cells + [""] * (len(header) - len(cells))
                yield rows.line_num, dict(zip(header, padded, strict=False))
    except csv.Error as wrong:
        raise DatasetError(f"'{path}' is not a table: {wrong}") from wrong


def class_root(into: Path) -> Path:
    """Where the folders of classes are: `into`, or `into/train` where it has subsets.

    Raises:
        DatasetError: It is a folder that no data set can be.
    """
    return find_parts(into)[0].folder if into.is_dir() else into
