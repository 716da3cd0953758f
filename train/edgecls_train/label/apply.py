"""Doing what the reviewed table says, and undoing it: nothing is overwritten, nothing is lost.

Each move is written into a journal before it is made, so what a crash or a pulled cable leaves can
be told and undone.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from edgecls.console import ShowProgress, json_line
from edgecls.contract.files import read_regular_file, write_atomically
from edgecls.errors import EdgeclsError, RunError
from edgecls.storage.guard import Target, check_targets
from edgecls.storage.targets import DATA_SET
from edgecls_train.label.place import Choice, ProposalFolder, class_root
from edgecls_train.progress import no_progress

Say = Callable[[str], None]
Action = Literal["move", "copy"]
_MAX_JOURNAL_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply_proposals` did.

    Args:
        root: Where the folders of classes are.
        counts: Label -> how many pictures were moved or copied there now.
        already: Those that were there already, or are applied already.
        missing: Those whose file is gone.
    """

    root: Path
    counts: dict[str, int]
    already: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Undone:
    """What `undo_proposals` did: pictures brought back, and what was left as it is, in words."""

    pictures: int
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """One picture on its way: both ends, absolute."""

    action: Action
    source: Path
    target: Path

    def to_line(self) -> str:
        entry = {"action": self.action, "from": str(self.source), "to": str(self.target)}
        return json_line(entry)


def apply_proposals(
    place: ProposalFolder,
    *,
    is_copy: bool = False,
    progress: ShowProgress = no_progress,
    say: Say = lambda _: None,
) -> Applied:
    """Move each picture of the table that has a label into `DATA/<label>/`.

    A name that is taken gets a number, `cat-2.jpg`; the same picture is not put there twice.

    Args:
        place: The table as it is now, edited or not.
        is_copy: Whether the pictures stay where they are, too.
        progress: Shows how far it is.
        say: Takes lines for people.

    Raises:
        DatasetError: Lines that cannot be obeyed; nothing was moved.
        RunError: There are no proposals here, or their files are damaged.
        EdgeclsError: The disk is full or not writable; what was moved until then can be undone.
    """
    manifest = place.load_manifest()
    check_targets([Target("--into", manifest.into, DATA_SET)])
    choices = place.load_choices(manifest)
    root = class_root(manifest.into)
    applied = {step.source for step in _load_journal(place)}
    counts: dict[str, int] = {}
    missing: list[str] = []
    already = 0
    _tell_new(choices, root, manifest.labels, say)
    with _open_journal(place) as journal, progress("sorting", len(choices)) as advance:
        for done, choice in enumerate(choices, start=1):
            source = manifest.folder / choice.file
            if source in applied:
                already += 1
            elif not source.is_file():
                missing.append(choice.file)
            elif _sort_in(source, root / choice.label, journal, is_copy=is_copy):
                counts[choice.label] = counts.get(choice.label, 0) + 1
            else:
                already += 1
            advance(done)
    return Applied(root, counts, already, tuple(missing))


def undo_proposals(place: ProposalFolder, *, progress: ShowProgress = no_progress) -> Undone:
    """Bring back what `apply_proposals` moved, and remove what it copied, the latest first.

    Raises:
        RunError: Nothing was applied here.
        EdgeclsError: The disk is full or not writable.
    """
    steps = _load_journal(place)
    if not steps:
        raise RunError(
            f"nothing was applied in '{place.path}', so there is nothing to undo",
            hint="edgecls label --apply comes first",
        )
    left: list[str] = []
    kept: list[_Step] = []
    pictures = 0
    with progress("bringing back", len(steps)) as advance:
        for done, step in enumerate(reversed(steps), start=1):
            with _explained(step.target):
                why = _undo(step)
            if why:
                left.append(why)
                kept.append(step)
            else:
                pictures += 1
            advance(done)
    for folder in {step.target.parent for step in steps}:
        with contextlib.suppress(OSError):
            folder.rmdir()  # unless something is in it
    lines = "".join(f"{step.to_line()}\n" for step in reversed(kept))
    if lines:
        write_atomically(place.journal, lines.encode())
    else:
        place.journal.unlink()
    return Undone(pictures, tuple(left))


def _sort_in(source: Path, folder: Path, journal: TextIO, *, is_copy: bool) -> bool:
    """Put one picture into a folder; whether that was needed."""
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        target = _reserve(source, folder)
        if target is None:
            return False
        # A link moved elsewhere may lead nowhere; so what it leads to is copied.
        action: Action = "copy" if is_copy or source.is_symlink() else "move"
        try:
            journal.write(_Step(action, source, target).to_line() + "\n")
            journal.flush()
            os.fsync(journal.fileno())
            _transfer(action, source, target)
        except OSError:
            if target.stat().st_size == 0 != source.stat().st_size:
                target.unlink()  # only the reserved name
            raise
    return True


def _reserve(source: Path, folder: Path) -> Path | None:
    """An empty file under a name that was free; None where the same picture is there already."""
    for number in itertools.count(1):
        suffix = "" if number == 1 else f"-{number}"
        target = folder / f"{source.stem}{suffix}{source.suffix}"
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            if target.is_file() and filecmp.cmp(source, target, shallow=False):
                return None
        else:
            return target
    return None  # pragma: no cover  # there is always a next number


def _transfer(action: Action, source: Path, target: Path) -> None:
    """Over the reserved name, in one step, so that no half picture is ever seen there."""
    if action == "move":
        try:
            os.replace(source, target)
        except OSError as wrong:
            if wrong.errno != errno.EXDEV:
                raise
        else:
            return
    part = target.with_name(f".{target.name}.part")  # hidden from whoever reads the folder
    try:
        shutil.copy2(source, part)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    if action == "move":
        source.unlink()


def _undo(step: _Step) -> str:
    """Take one step back; what was wrong, in words, where it was left."""
    if not step.target.is_file():
        # A journal that was written just before a crash: the picture never left.
        return "" if step.source.exists() else f"'{step.target}' is gone"
    if not step.source.exists():
        step.source.parent.mkdir(parents=True, exist_ok=True)
        _transfer("move", step.target, step.source)
        return ""
    is_reserved_only = step.target.stat().st_size == 0
    if is_reserved_only or filecmp.cmp(step.source, step.target, shallow=False):
        step.target.unlink()
        return ""
    return f"'{step.source}' is another picture by now; '{step.target}' was left"


def _load_journal(place: ProposalFolder) -> list[_Step]:
    if not place.journal.exists():
        return []
    content = read_regular_file(place.journal, _MAX_JOURNAL_BYTES, RunError)
    *lines, last = content.decode().split("\n")
    try:
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        # A power cut may leave half a line: that step was never made.
        return [_Step(e["action"], Path(e["from"]), Path(e["to"])) for e in entries]
    except (ValueError, KeyError, TypeError) as wrong:
        raise RunError(f"'{place.journal}' is damaged: {wrong}; it ends in {last!r:.40}") from wrong


@contextlib.contextmanager
def _open_journal(place: ProposalFolder) -> Iterator[TextIO]:
    with _explained(place.journal):
        steps = _load_journal(place)
        lines = "".join(f"{step.to_line()}\n" for step in steps)
        write_atomically(place.journal, lines.encode())  # without half a line at its end
        journal = place.journal.open("a", encoding="ascii")
    with journal:
        yield journal


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as wrong:
        if isinstance(wrong, EdgeclsError):
            raise
        raise EdgeclsError(
            f"cannot write '{path}': {wrong.strerror or wrong}",
            hint="free some space or choose a folder that you may write to; then --apply goes on,"
            " and --undo takes back what was done",
        ) from wrong


def _tell_new(choices: list[Choice], root: Path, labels: tuple[str, ...], say: Say) -> None:
    """A slip of the pen makes a class: so classes that neither side knows are told."""
    used = {choice.label for choice in choices}
    for label in sorted(used - set(labels)):
        if not (root / label).is_dir():
            count = sum(choice.label == label for choice in choices)
            say(f"new class {label!r}, not one of the model's: {count} pictures")
