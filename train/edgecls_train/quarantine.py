"""Move pictures with problems out of a data set; nothing is ever deleted or overwritten."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.contract.tables import MOVE_COLUMNS, to_row
from edgecls.errors import DatasetError, EdgeclsError
from edgecls.pictures import PictureSet
from edgecls.storage.guard import Target, check_targets
from edgecls.storage.kinds import is_moves, read_head
from edgecls.storage.targets import QUARANTINE
from edgecls_train.evidence import Problem

RECORD: Final = "moves.csv"


@dataclass(frozen=True, slots=True)
class Move:
    """One file: its name in the set, where it was, where it goes, and why."""

    name: str
    source: Path
    target: Path
    kind: str


def plan_moves(
    pictures: PictureSet, problems: tuple[Problem, ...], folder: Path
) -> tuple[Move, ...]:
    """What a quarantine would move: unreadable and small pictures, and all but one copy of each.

    Pictures with two labels all go, since no one knows which is right; bursts, suspected labels
    and near duplicates with two labels stay.

    Args:
        pictures: The set, made of files.
        problems: Of the set.
        folder: Keeps each file under its name in the set.

    Raises:
        DatasetError: The set is not made of files, the folder is inside it, or a file lies outside
            of the set's folder.
        EdgeclsError: Something is already at a target.
    """
    where = {name: index for index, name in enumerate(pictures.names)}
    kinds: dict[str, str] = {}
    for problem in problems:
        for name in problem.spare:
            kinds.setdefault(name, problem.kind)
    _refuse_inside(pictures, folder)
    check_targets([Target("--quarantine", folder, QUARANTINE)])
    _refuse_foreign_record(folder / RECORD)
    moves = []
    for name, kind in kinds.items():
        source = pictures.find_file(where[name])
        if source is None:
            raise DatasetError(
                f"'{pictures.origin}' is built in, its pictures are no files to move",
                hint="leave out --quarantine",
            )
        if os.path.lexists(source):  # a listed file may be missing
            moves.append(Move(name, source, _place(folder, name), kind))
    for move in moves:
        if os.path.lexists(move.target):
            raise EdgeclsError(
                f"'{move.target}' is already there, nothing was moved",
                hint="choose an empty folder for --quarantine",
            )
    return tuple(moves)


def move_files(moves: tuple[Move, ...], folder: Path) -> None:
    """Move files, each recorded in `moves.csv` before it is moved.

    Raises:
        EdgeclsError: A file cannot be moved; those before it are, and recorded.
    """
    if not moves:
        return
    record = folder / RECORD
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with record.open("a", newline="", encoding="utf-8", errors="surrogateescape") as file:
            if not file.tell():
                file.write(to_row(MOVE_COLUMNS))
            for move in moves:
                file.write(to_row((str(move.source), str(move.target), move.kind)))
                file.flush()
                move.target.parent.mkdir(parents=True, exist_ok=True)
                _move(move)
    except OSError as wrong:
        raise EdgeclsError(
            f"the pictures cannot be moved to '{folder}': {wrong.strerror or wrong}",
            hint=f"'{record}' says which were moved before",
        ) from wrong


def _move(move: Move) -> None:
    if os.path.lexists(move.target):  # it appeared a moment ago
        raise FileExistsError(0, "it is already there", str(move.target))
    shutil.move(move.source, move.target)


def _refuse_foreign_record(record: Path) -> None:
    """Refuse to add lines to a table that no quarantine has begun."""
    try:
        is_foreign = not is_moves(read_head(record)) if os.path.getsize(record) else False
    except FileNotFoundError:
        return
    except OSError as wrong:
        raise EdgeclsError(f"'{record}' cannot be read: {wrong.strerror}") from wrong
    if is_foreign:
        raise EdgeclsError(
            f"'{record}' is there and is not the table of a quarantine, nothing was moved",
            hint="choose an empty folder for --quarantine",
        )


def _place(folder: Path, name: str) -> Path:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DatasetError(
            f"{name!r} lies outside of the folder of its table, it has no place in the quarantine",
            hint="leave out --quarantine and move it by hand",
        )
    return folder.resolve() / name


def _refuse_inside(pictures: PictureSet, folder: Path) -> None:
    root = Path(pictures.origin)
    if root.is_dir() and folder.resolve().is_relative_to(root.resolve()):
        raise DatasetError(
            f"the quarantine '{folder}' is inside of '{pictures.origin}', as a class would be",
            hint="choose a folder beside it",
        )
