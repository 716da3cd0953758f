"""Many files of a folder moved as one step: whole after kill -9, and taken back on request.

A step is written down before the first file moves (`{"step": 7, "kind": ..., "moves": [[from, to],
...]}`), and again when the last one has moved and its folders are synced (`{"step": 7, "done":
true}`). A start that finds the first line without the second moves what is left. Nothing is
deleted: what has to go moves to `.trash/<step>/`, with its folder and its name, until the trash is
emptied.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edgecls.console import json_line
from edgecls.contract.json_text import Complaints, JsonObject, read_lines
from edgecls.errors import InvalidValueError, SinkError
from edgecls.storage.inside import Inside, parts_of
from edgecls.storage.journal import Journal, LineFormat

STEPS_NAME: Final = ".steps.jsonl"
TRASH: Final = ".trash"
_LINES: Final = LineFormat(begins=b'{"step"')
# A journal takes a longer last line for that of a file of another kind.
_MAX_LINE_BYTES: Final = 1_000_000
_MOST_STEPS: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, from names below the folder to names below the folder.

    Args:
        number: Grows by one.
        kind: A word of whoever did it; `undo` is taken.
        moves: (from, to), in order.
        facts: What else is remembered of it, as JSON.
        of: Of an undo: the step that it took back.
    """

    number: int
    kind: str
    moves: tuple[tuple[str, str], ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    of: int | None = None


class Steps:
    """Takes steps in a folder, one after the other, by one process.

    Args:
        root: An existing folder; the caller has its lock.

    Raises:
        SinkError: The journal cannot be written, or what a crash left cannot be completed.
    """

    def __init__(self, root: Path) -> None:
        self.is_repaired = False
        self.wrong = Complaints()
        self._root = root
        self._journal = Journal(root / STEPS_NAME, _LINES, is_durable=True)
        self._begun: Step | None = None
        self._done: list[Step] = []
        self._next = 1
        try:
            self._recover()
        except OSError as wrong:
            self._journal.close()
            raise SinkError(
                f"what was begun in '{root}' cannot be completed: {wrong.strerror or wrong}",
                hint=f"check that the folder is writable; {STEPS_NAME} in it says what was begun",
            ) from wrong

    @property
    def done(self) -> Sequence[Step]:
        """Steps that can be taken back, the last one last."""
        return self._done

    def take(self, kind: str, moves: Iterable[tuple[str, str]], **facts: Any) -> Step:
        """Move files; what this returned survives a power cut.

        Args:
            kind: For whoever reads it later.
            moves: (from, to) below the folder. A `to` must be free.
            facts: Remembered with it.

        Raises:
            OSError: Nothing has moved, or what has will be completed by the next step or start.
            InvalidValueError: They are too many for one step.
        """
        self._complete()
        step = Step(self._next, kind, tuple(moves), facts)
        self._run(step)
        return step

    def discard(self, kind: str, names: Iterable[str], **facts: Any) -> Step:
        """Move files to the trash; see `take`."""
        self._complete()
        folder = f"{TRASH}/{self._next:09}"
        return self.take(kind, ((name, f"{folder}/{name}") for name in names), **facts)

    def undo(self, number: int) -> Step:
        """Take a step back; for errors see `take`.

        Files that somebody else has moved or deleted meanwhile stay as they are.

        Args:
            number: Of one of `done`; those after it must not have touched its files.

        Returns:
            What was moved back: `moves` is from where a file was to where it is again.
        """
        self._complete()
        step = next(step for step in self._done if step.number == number)
        with Inside(self._root) as inside:
            back = _back(inside, step)
        undone = Step(self._next, "undo", back, of=number)
        self._run(undone)
        with Inside(self._root) as inside:
            _remove_folders(inside, [name for name, _ in back])
        return undone

    def empty_trash(self) -> int:
        """Delete what was discarded, for good; returns how many files. For errors see `take`."""
        self._complete()
        discards = [step for step in self._done if _is_discard(step)]
        if not discards:
            return 0
        last = discards[-1].number
        line = {"step": last, "emptied": True}
        is_said = False
        with contextlib.suppress(OSError):  # a full disk has no room for it, and is why we are here
            self._append(line)
            is_said = True
        self._done = [step for step in self._done if step.number > last]
        with Inside(self._root) as inside:
            count = sum(_delete(inside, step) for step in discards)
        if not is_said:
            self._append(line)
        return count

    def close(self) -> None:
        """Let go of the journal; may be called twice."""
        self._journal.close()

    def _run(self, step: Step) -> None:
        line: dict[str, Any] = {"step": step.number, "kind": step.kind, "moves": step.moves}
        line |= {} if step.of is None else {"of": step.of}
        line |= {"facts": step.facts} if step.facts else {}
        self._append(line)
        self._next = step.number + 1
        self._begun = step
        try:
            self._complete()
        except OSError:
            self._give_up(step)
            raise

    def _give_up(self, step: Step) -> None:
        """Move back what has moved; where that fails too, the next step or start completes it."""
        with contextlib.suppress(OSError), Inside(self._root) as inside:
            _move(inside, _back(inside, step))
            self._append({"step": step.number, "failed": True})
            self._begun = None

    def _append(self, line: Mapping[str, Any]) -> None:
        content = json_line(line).encode() + b"\n"
        if len(content) > _MAX_LINE_BYTES:
            raise InvalidValueError(
                "these are too many files for one step", hint="choose fewer, several times"
            )
        self._journal.append(content)

    def _complete(self) -> None:
        """Move what is left of a step that was begun."""
        step = self._begun
        if step is None:
            return
        with Inside(self._root) as inside:
            _move(inside, step.moves)
        self._append({"step": step.number, "done": True})
        self._begun = None
        self._settle(step)

    def _settle(self, step: Step) -> None:
        if step.of is None:
            self._done.append(step)
        else:
            self._done = [other for other in self._done if other.number != step.of]

    def _recover(self) -> None:
        emptied: list[Step] = []
        for line in read_lines(self._root / STEPS_NAME, self.wrong, holds=b'"step"'):
            try:
                emptied += self._replay(line)
            except InvalidValueError as wrong:  # of one step nobody knows any more what it was
                self.wrong(wrong.problem)
        self.is_repaired = self._begun is not None
        self._complete()
        with Inside(self._root) as inside:
            for step in emptied:
                _delete(inside, step)

    def _replay(self, line: JsonObject) -> list[Step]:
        """Take in one line of the journal; returns the steps that it emptied the trash of."""
        number = line.whole("step", 0, _MOST_STEPS)
        if "kind" in line:
            self._begun = _to_step(number, line)
            self._next = number + 1
        elif "emptied" in line:
            emptied = [step for step in self._done if step.number <= number and _is_discard(step)]
            self._done = [step for step in self._done if step.number > number]
            return emptied
        elif self._begun is not None and self._begun.number == number:
            step, self._begun = self._begun, None
            if "done" in line:
                self._settle(step)
        return []


def _to_step(number: int, line: JsonObject) -> Step:
    """A step as it was written down.

    Raises:
        InvalidValueError: It is none, or a name in it leads out of the folder.
    """
    moves = line.fields.get("moves")
    if not isinstance(moves, list) or not all(_is_move(move) for move in moves):
        raise InvalidValueError(f"{line.where}: 'moves' is no list of moves inside the folder")
    of = line.whole("of", 0, _MOST_STEPS) if line.fields.get("of") is not None else None
    pairs = tuple((name, to) for name, to in moves)
    return Step(number, line.text("kind"), pairs, line.child("facts", {}).fields, of)


def _is_move(move: object) -> bool:
    if not isinstance(move, list) or len(move) != 2 or not all(type(n) is str for n in move):
        return False
    try:
        for name in move:
            parts_of(name)
            os.fsencode(name)
    except (OSError, ValueError):  # it leads outside, or no file can be called that
        return False
    return True


def _back(inside: Inside, step: Step) -> tuple[tuple[str, str], ...]:
    """The moves that take a step back, of what it has moved and nobody else has touched."""
    back = ((to, name) for name, to in reversed(step.moves))
    return tuple(move for move in back if inside.has(move[0]) and not inside.has(move[1]))


def _move(inside: Inside, moves: Sequence[tuple[str, str]]) -> None:
    """Move what is not moved yet, and make it last."""
    for name, to in moves:
        # Of files that others moved meanwhile, or that came in the way, there is nothing to do.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            inside.rename(name, to)
    for folder in dict.fromkeys(_folder(name) for move in moves for name in move):
        with contextlib.suppress(FileNotFoundError):
            inside.sync(folder)


def _is_discard(step: Step) -> bool:
    return any(to.startswith(f"{TRASH}/") for _, to in step.moves)


def _delete(inside: Inside, step: Step) -> int:
    """Delete what a step put into the trash, and nothing else; returns how many files that were."""
    names = [to for _, to in step.moves if to.startswith(f"{TRASH}/") and inside.has(to)]
    for name in names:
        inside.unlink(name)
    _remove_folders(inside, [to for _, to in step.moves])
    return len(names)


def _remove_folders(inside: Inside, names: Sequence[str]) -> None:
    """Remove the folders in the trash that files have left empty."""
    folders = {name for name in names if name.startswith(f"{TRASH}/")}
    while folders := {_folder(name) for name in folders} - {""}:
        for folder in folders:
            inside.rmdir(folder)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
