"""What there is to review: pictures of a recording, of proposals, or of any folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edgecls.contract.events import UNKNOWN
from edgecls.contract.files import read_regular_file
from edgecls.errors import DatasetError, InvalidValueError
from edgecls.pictures.bursts import LOG_NAME
from edgecls.pictures.folder import find_files
from edgecls.pictures.layout import find_parts
from edgecls.storage.inside import Inside
from edgecls.storage.steps import STEPS_NAME

_PROPOSALS: Final = "proposals.json"
_TABLE: Final = "proposals.csv"
_MAX_BYTES: Final = 1 << 30
_MAX_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Guess:
    """What a model said of a picture.

    Args:
        label: The best one; empty where nobody said anything.
        score: Of it, 0 to 1.
        margin: How far it is ahead of the next best, 0 to 1: the smaller, the more a person's word
            teaches.
        time: When the picture was taken, in seconds since 1970; None where that is not known.
        burst: What it was taken in, if that was written down.
    """

    label: str = ""
    score: float = 0.0
    margin: float = 0.0
    time: float | None = None
    burst: str = ""


NOTHING: Final = Guess()


@dataclass(frozen=True, slots=True)
class Found:
    """Pictures to review.

    Args:
        root: The folder they are in, absolute.
        names: Below it, with `/`, sorted.
        guesses: By name, of those of which something was said.
        into: The data set that they were proposed for; None where nobody said.
        labels: Of the model that proposed, in order.
    """

    root: Path
    names: tuple[str, ...]
    guesses: Mapping[str, Guess] = field(default_factory=dict)
    into: Path | None = None
    labels: tuple[str, ...] = ()

    def least_certain(self, most: int) -> Found:
        """The pictures that a model was least sure of, those without a guess among them."""
        if len(self.names) <= most:
            return self
        order = sorted(self.names, key=lambda name: (self.guesses.get(name, NOTHING).margin, name))
        return dataclasses.replace(self, names=tuple(sorted(order[:most])))


def find_pictures(folder: Path) -> Found:
    """Look what there is in a folder.

    Args:
        folder: Of `edgecls camera --record`, of `edgecls label` (`runs/label/<n>`), or any other.

    Raises:
        DatasetError: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DatasetError(
            f"there is no folder '{folder}' to review",
            hint="give one that 'edgecls camera --record' or 'edgecls label' has made",
        )
    found = _find_proposals(folder) if (folder / _PROPOSALS).is_file() else _find_records(folder)
    # One that was reviewed to its end is opened all the same: its last decision can be undone.
    if not found.names and not (found.root / STEPS_NAME).is_file():
        raise DatasetError(
            f"there are no pictures to review in '{found.root}'",
            hint="'edgecls camera --record DIR' brings some",
        )
    return found


def data_folder(into: Path, root: Path) -> Path:
    """Where pictures of labels lie in a data set: in itself, or in its `train`.

    Args:
        into: The data set; need not exist.
        root: The folder that is reviewed.

    Raises:
        DatasetError: One of the two lies in the other, or it is a folder that no data set can be.
    """
    goal = find_parts(into)[0].folder if into.is_dir() else into
    there = goal.resolve()
    if there == root or there in root.parents or root in there.parents:
        raise DatasetError(
            f"'{root}' cannot be reviewed into '{into}': one of the two lies in the other",
            hint="give the data set a folder of its own: --into pictures",
        )
    return goal


def _find_records(folder: Path) -> Found:
    root = folder.resolve()
    said = _read_records(root / LOG_NAME)
    names = _list_names(root)
    # A picture that somebody put into another folder has kept its name.
    guesses = {n: said[last] for n in names if (last := n.rpartition("/")[2]) in said}
    return Found(root, names, guesses)


def _list_names(root: Path) -> tuple[str, ...]:
    """Plain files below the folder, reached through no link: only those can be moved safely."""
    with Inside(root) as inside:
        names = (path.relative_to(root).as_posix() for path in find_files(root))
        return tuple(sorted(name for name in names if inside.has(name)))


def _read_records(log: Path) -> dict[str, Guess]:
    """What the log of a recording says, by the last part of the picture's name."""
    said: dict[str, Guess] = {}
    try:
        with log.open("rb") as lines:
            while line := lines.readline(_MAX_LINE_BYTES):
                _take_record(said, line)
    except OSError:
        pass  # a folder that nobody recorded into
    return said


def _take_record(said: dict[str, Guess], line: bytes) -> None:
    try:
        fields = json.loads(line)
        name = str(fields["file"]).rpartition("/")[2]
        said[name] = _to_guess(fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return  # torn, or of another kind


def _to_guess(fields: Mapping[str, Any]) -> Guess:
    best = [(str(p["label"]), _share(p["score"])) for p in fields.get("predictions", ())]
    if not best:
        label = str(fields.get("label", ""))
        best = [("" if label == UNKNOWN else label, _share(fields.get("score", 0.0)))]
    second = best[1][1] if len(best) > 1 else 0.0
    # Pictures of a folder that was played stand for themselves: their time is no time.
    has_time = "time" in fields and "source_file" not in fields
    time_s = float(fields["time"]) if has_time else None
    burst = str(fields.get("burst", ""))
    return Guess(best[0][0], best[0][1], max(0.0, best[0][1] - second), time_s, burst)


def _share(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return min(max(number, 0.0), 1.0)


def _find_proposals(folder: Path) -> Found:
    manifest = _read_manifest(folder / _PROPOSALS)
    root, into, labels, files = manifest
    if not root.is_dir():
        raise DatasetError(
            f"the pictures of these proposals are not there any more: '{root}'",
            hint="propose again: edgecls label --model M FOLDER --into DATA",
        )
    with Inside(root.resolve()) as inside:
        names = tuple(sorted(name for name in files if _is_there(inside, name)))
    return Found(root.resolve(), names, _read_table(folder / _TABLE), into, labels)


def _is_there(inside: Inside, name: str) -> bool:
    try:
        return inside.has(name)
    except OSError:  # a name that leads outside
        return False


def _read_manifest(path: Path) -> tuple[Path, Path, tuple[str, ...], tuple[str, ...]]:
    try:
        found = json.loads(read_regular_file(path, _MAX_BYTES, DatasetError))
        texts = [tuple(map(str, found[name])) for name in ("labels", "files")]
        return Path(str(found["folder"])), Path(str(found["into"])), texts[0], texts[1]
    except (ValueError, KeyError, TypeError) as wrong:
        if isinstance(wrong, DatasetError):
            raise
        raise DatasetError(f"'{path}' is damaged: {wrong}", hint="propose again") from wrong


def _read_table(path: Path) -> dict[str, Guess]:
    """What was proposed, by file; a label that a person has written into the table counts."""
    content = read_regular_file(path, _MAX_BYTES, DatasetError)
    text = content.decode("utf-8-sig", "surrogateescape")
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    guesses: dict[str, Guess] = {}
    try:
        for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
            file, label = row.get("file"), (row.get("label") or "").strip()
            if not file:
                continue
            score, second = (_share(row.get(key) or 0.0) for key in ("score", "second_score"))
            if label and label != row.get("guess"):
                guesses[file] = Guess(label, 1.0, 1.0)
            else:
                guesses[file] = Guess(row.get("guess") or "", score, max(0.0, score - second))
    except (csv.Error, ValueError) as wrong:
        raise InvalidValueError(f"'{path}' is not a table of proposals: {wrong}") from wrong
    return guesses
