"""What there is to review: pictures of a recording, of proposals, or of any folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgecls.collect.folder import walk
from edgecls.contract.events import UNKNOWN
from edgecls.contract.files import read_regular_file
from edgecls.contract.json_text import Complaints, JsonObject, read_lines, read_object
from edgecls.contract.labels import MAX_LABEL_CHARACTERS
from edgecls.contract.moment import LAST_S
from edgecls.contract.tables import restore
from edgecls.errors import DatasetError, InvalidValueError
from edgecls.pictures.bursts import LOG_NAME, burst_of
from edgecls.pictures.layout import find_parts
from edgecls.storage.guard import Target, check_targets
from edgecls.storage.inside import Inside
from edgecls.storage.steps import STEPS_NAME
from edgecls.storage.targets import DATA_SET

_PROPOSALS: Final = "proposals.json"
_TABLE: Final = "proposals.csv"
_MAX_BYTES: Final = 1 << 30
_MOST_FILES: Final = 10_000_000
_LARGEST: Final = 1e300
_LINES_A_STEP: Final = 500


def _silent(_read: int, _expected: int | None) -> None:
    """Nobody wants to know how far it is."""


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
        wrong: What could not be used of what was said of them.
    """

    root: Path
    names: tuple[str, ...]
    guesses: Mapping[str, Guess] = field(default_factory=dict)
    into: Path | None = None
    labels: tuple[str, ...] = ()
    wrong: Complaints = field(default_factory=Complaints, compare=False)

    def least_certain(self, most: int) -> Found:
        """The pictures that a model was least sure of, those without a guess among them."""
        if len(self.names) <= most:
            return self
        order = sorted(self.names, key=lambda name: (self.guesses.get(name, NOTHING).margin, name))
        return dataclasses.replace(self, names=tuple(sorted(order[:most])))


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder to review, before it is known what lies in it.

    Args:
        folder: As it was given.
        root: That the pictures are in, absolute.
        into: The data set that they were proposed for; None where nobody said.
        files: That were proposed, below the root; None where all count.
        labels: Of the model that proposed, in order.
    """

    folder: Path
    root: Path
    into: Path | None = None
    files: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()


def open_folder(folder: Path) -> Opened:
    """Look whether there is anything in a folder, which takes no longer in a large one.

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
    is_run = (folder / _PROPOSALS).is_file()
    opened = _open_proposals(folder) if is_run else Opened(folder, folder.resolve())
    # One that was reviewed to its end is opened all the same: its last decision can be undone.
    if not _has_any(opened) and not (opened.root / STEPS_NAME).is_file():
        raise _without_pictures(opened.root)
    return opened


def find_pictures(folder: Path, advance: Callable[[int, int | None], None] = _silent) -> Found:
    """Look what there is in a folder; see `open_folder`."""
    found = read_folder(open_folder(folder), advance)
    if not found.names and not (found.root / STEPS_NAME).is_file():
        raise _without_pictures(found.root)
    return found


def read_folder(opened: Opened, advance: Callable[[int, int | None], None] = _silent) -> Found:
    """List a folder, and read what was said of its pictures.

    Args:
        opened: The folder.
        advance: Called with how many lines are read, and how many pictures there are.
    """
    names = _list_names(opened)
    advance(0, len(names))
    wrong = Complaints()
    if opened.files is not None:
        guesses = _read_table(opened.folder / _TABLE, wrong)
    else:
        lines = _counted(read_lines(opened.root / LOG_NAME, wrong), len(names), advance)
        said = read_guesses(lines, wrong)
        # A picture that somebody put into another folder has kept its name.
        guesses = {n: said[last] for n in names if (last := n.rpartition("/")[2]) in said}
    return Found(opened.root, names, guesses, opened.into, opened.labels, wrong)


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
    check_targets([Target("--into", goal, DATA_SET)])
    return goal


def _has_any(opened: Opened) -> bool:
    if opened.files is not None:
        with Inside(opened.root) as inside:
            return any(_is_there(inside, name) for name in opened.files)
    return any(listed.names for listed in walk(opened.root, with_top=True))


def _list_names(opened: Opened) -> tuple[str, ...]:
    """Plain files below the folder, reached through no link: only those can be moved safely."""
    if opened.files is not None:
        with Inside(opened.root) as inside:
            return tuple(sorted(name for name in opened.files if _is_there(inside, name)))
    found = walk(opened.root, with_top=True)
    return tuple(sorted(name for listed in found for name in listed.names))


def _is_there(inside: Inside, name: str) -> bool:
    try:
        return inside.has(name)
    except OSError:  # a name that leads outside
        return False


def _counted(
    lines: Iterable[JsonObject], expected: int, advance: Callable[[int, int | None], None]
) -> Iterator[JsonObject]:
    for number, line in enumerate(lines, start=1):
        yield line
        if number % _LINES_A_STEP == 0:
            advance(min(number, expected), expected)


def _without_pictures(root: Path) -> DatasetError:
    return DatasetError(
        f"there are no pictures to review in '{root}'",
        hint="'edgecls camera --record DIR' brings some",
    )


def read_guesses(lines: Iterable[JsonObject], complain: Callable[[str], None]) -> dict[str, Guess]:
    """What the log of a recording says, by the last part of the picture's name.

    Args:
        lines: Of the log.
        complain: Takes what is wrong with a line: it is passed over, but for its time, without
            which the rest counts.
    """
    said: dict[str, Guess] = {}
    for line in lines:
        try:
            said[line.path("file").rpartition("/")[2]] = _to_guess(line, complain)
        except InvalidValueError as wrong:
            complain(wrong.problem)
    return said


def _to_guess(line: JsonObject, complain: Callable[[str], None]) -> Guess:
    best = [_label_and_score(each) for each in line.children("predictions", most=10_000)[:2]]
    if not best:
        label, score = _label_and_score(line) if "label" in line else ("", 0.0)
        best = [("" if label == UNKNOWN else label, score)]
    second = best[1][1] if len(best) > 1 else 0.0
    margin = max(0.0, best[0][1] - second)
    return Guess(best[0][0], best[0][1], margin, _time_of(line, complain), burst_of(line))


def _label_and_score(found: JsonObject) -> tuple[str, float]:
    label = found.text("label", most=MAX_LABEL_CHARACTERS)
    if any(ord(character) < 32 for character in label):
        raise InvalidValueError(
            f"{found.where}: 'label' is {label[:40]!a}, wanted one line of text"
        )
    return label, _share(found.number("score", -_LARGEST, _LARGEST, 0.0))


def _time_of(line: JsonObject, complain: Callable[[str], None]) -> float | None:
    # Pictures of a folder that was played stand for themselves: their time is no time.
    if "time" not in line or "source_file" in line:
        return None
    try:
        return line.number("time", 0.0, LAST_S)
    except InvalidValueError as wrong:
        complain(wrong.problem)
        return None


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _open_proposals(folder: Path) -> Opened:
    root, into, labels, files = _read_manifest(folder / _PROPOSALS)
    if not root.is_dir():
        raise DatasetError(
            f"the pictures of these proposals are not there any more: '{root}'",
            hint="propose again: edgecls label --model M FOLDER --into DATA",
        )
    return Opened(folder, root.resolve(), into, files, labels)


def _read_manifest(path: Path) -> tuple[Path, Path, tuple[str, ...], tuple[str, ...]]:
    content = read_regular_file(path, _MAX_BYTES, DatasetError)
    try:
        found = read_object(content, path.name, most_bytes=_MAX_BYTES)
        labels, files = (found.texts(name, most=_MOST_FILES) for name in ("labels", "files"))
        return Path(found.path("folder")), Path(found.path("into")), tuple(labels), tuple(files)
    except InvalidValueError as wrong:
        raise DatasetError(
            f"'{path}' is damaged: {wrong.problem}", hint="propose again: edgecls label"
        ) from wrong


def _read_table(path: Path, complain: Callable[[str], None]) -> dict[str, Guess]:
    """What was proposed, by file; a label that a person has written into the table counts."""
    content = read_regular_file(path, _MAX_BYTES, DatasetError)
    text = content.decode("utf-8-sig", "surrogateescape")
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ",;\t" if mark in first), ",")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    guesses: dict[str, Guess] = {}
    while True:
        try:
            row = next(rows, None)
            if row is None:
                return guesses
            if file := row.get("file"):
                guesses[restore(file)] = _proposed(row)
        except (csv.Error, ValueError) as wrong:
            complain(f"{path.name!a} line {rows.line_num}: {ascii(str(wrong))[1:-1][:100]}")


def _proposed(row: Mapping[str, str | None]) -> Guess:
    guess, label = (restore(row.get(name) or "") for name in ("guess", "label"))
    label = label.strip()
    if label and label != guess:
        return Guess(label[:MAX_LABEL_CHARACTERS], 1.0, 1.0)
    score, second = (float(row.get(key) or 0.0) for key in ("score", "second_score"))
    if not (math.isfinite(score) and math.isfinite(second)):
        raise ValueError(f"a score is {score}, wanted 0 to 1")
    return Guess(guess, _share(score), max(0.0, _share(score) - _share(second)))
