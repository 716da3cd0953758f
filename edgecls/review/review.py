"""Deciding about pictures: what any of these functions returned is on the disk.

An accepted picture is first written into the data set, and only then put into the trash of the
folder it came from, so that a crash at any moment leaves it in at least one of the two; what is
then in both is put right at the next start. Nothing is deleted until the trash is emptied.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from edgecls.collect.collection import MAX_AT_ONCE, Collection
from edgecls.collect.disk import reason_of
from edgecls.collect.index import Picture
from edgecls.errors import InvalidValueError, PictureError
from edgecls.imaging.decode import decode
from edgecls.imaging.header import read_header
from edgecls.imaging.opencv import cv2
from edgecls.review.folder import lock_folder
from edgecls.review.groups import Group
from edgecls.review.look import Candidate, read_picture
from edgecls.review.recovery import find_leftovers
from edgecls.storage.inside import Inside
from edgecls.storage.steps import Step, Steps

Kind = Literal["accept", "relabel", "reject"]
_KINDS: Final = ("accept", "relabel", "reject")
_SUFFIXES: Final = {"JPEG": "jpg", "PNG": "png"}


@dataclass(frozen=True, slots=True)
class Change:
    """What was done.

    Args:
        kind: `accept`, `relabel`, `reject`; of an undo, what was taken back.
        count: Pictures that it was done to.
        labels: That they were put to.
        missing: Pictures that are gone, or cannot be read any more.
        problem: Why it was not done to all the others; empty where it was.
    """

    kind: str
    count: int
    labels: tuple[str, ...] = ()
    missing: int = 0
    problem: str = ""


class Review:
    """Pictures of a folder, group by group, on their way into a data set. Safe for several threads.

    `total` counts what there was to decide about at the start, `unseen` what came back from the
    decisions of an earlier run: it is shown when the review is started again.

    Args:
        root: The folder they are in.
        groups: As they are to be shown; more may follow (`begin`).
        collection: The data set.
        tell: Takes a line for people: what an earlier crash has left.

    Raises:
        SinkError: Another process reviews the folder, or it cannot be written.
    """

    def __init__(
        self,
        root: Path,
        groups: Sequence[Group],
        collection: Collection,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.root = root
        self.collection = collection
        self.total = 0
        self.unseen = 0
        # Pictures that no group has yet, and the names of those that this run knows of.
        self.waiting = 0
        self.expected: Container[str] = ()
        self._tell = tell
        self._lock = threading.RLock()
        self._closing = contextlib.ExitStack()
        self._groups: tuple[Group, ...] = ()
        self._open: dict[str, tuple[Candidate, Group]] = {}
        self._ids: dict[str, str] = {}
        self._known: dict[str, tuple[Candidate, Group]] = {}
        self._came_back: list[str] = []
        self._is_beginning = False
        self._weighed = (0, 0)
        self._trash = 0
        with contextlib.ExitStack() as opening:
            opening.callback(os.close, lock_folder(root))
            self._steps = Steps(root)
            opening.callback(self._steps.close)
            self._steps.wrong.tell(tell)
            self.begin(groups)
            self._closing = opening.pop_all()

    def expect(self, waiting: int) -> None:
        """So many pictures have no group yet, apart from those that came back meanwhile."""
        with self._lock:
            self.waiting = waiting + len(self._came_back)

    def begin(self, groups: Sequence[Group], waiting: int = 0) -> None:
        """Take these groups in the place of others, about all of which it was decided.

        Args:
            groups: As they are to be shown.
            waiting: See `expect`.
        """
        with self._lock:
            # Putting right what a crash has left takes a while; until then they are still to come.
            self._is_beginning = True
            self._groups = tuple(groups)
            self._open = {c.picture.id: (c, g) for g in self._groups for c in g.candidates}
            self._ids = {c.picture.name: c.picture.id for c, _ in self._open.values()}
            self._known = dict(self._open)
            if self._groups:
                self._finish_what_was_begun()
            self.total += len(self._open)
            self._is_beginning = False
            self.expect(waiting)

    def take_waiting(self) -> list[str]:
        """Names of pictures that came back from decisions about groups that are no more."""
        with self._lock:
            found, self._came_back = self._came_back, []
            return found

    def close(self) -> None:
        """Let go of the folder; may be called twice."""
        with self._lock:
            self._closing.close()

    @property
    def left(self) -> int:
        """Pictures that nothing was decided about."""
        return self.waiting if self._is_beginning else len(self._open) + self.waiting

    @property
    def has_groups(self) -> bool:
        """Whether there is something to decide about now."""
        return bool(self._open) and not self._is_beginning

    @property
    def groups(self) -> list[tuple[Group, tuple[Candidate, ...]]]:
        """The groups with what is left of them, in order."""
        with self._lock:
            rest = [
                (group, tuple(c for c in group.candidates if c.picture.id in self._open))
                for group in self._groups
            ]
        return [(group, left) for group, left in rest if left]

    @property
    def last(self) -> Step | None:
        """What `undo` would take back, also of earlier runs."""
        with self._lock:
            return next((step for step in reversed(self._steps.done) if step.kind in _KINDS), None)

    def find(self, identifier: str) -> Picture:
        """The picture of an id, decided or not.

        Raises:
            InvalidValueError: There is none.
        """
        try:
            return self._known[identifier][0].picture
        except KeyError:
            raise InvalidValueError(
                "there is no such picture any more", hint="load the page again"
            ) from None

    def accept(self, identifiers: Iterable[str]) -> Change:
        """Put pictures into the data set, each as it was guessed.

        Raises:
            InvalidValueError: Of one nothing was guessed, or its guess can be no label.
        """
        with self._lock:
            chosen = self._find_all(identifiers)
            for candidate, _ in chosen:
                if not candidate.guess.label:
                    raise InvalidValueError(
                        "nobody has guessed what this is", hint="choose a label for it"
                    )
            return self._keep("accept", [(c, g, c.guess.label) for c, g in chosen])

    def relabel(self, identifiers: Iterable[str], label: str) -> Change:
        """Put pictures into the data set under another label, which is made where it is new."""
        with self._lock:
            return self._keep("relabel", [(c, g, label) for c, g in self._find_all(identifiers)])

    def reject(self, identifiers: Iterable[str]) -> Change:
        """Put pictures into the trash.

        Raises:
            OSError: Nothing was done.
        """
        with self._lock:
            chosen = [candidate for candidate, _ in self._find_all(identifiers)]
            there = self._still_there(chosen)
            if there:
                self._steps.discard("reject", [candidate.picture.name for candidate in there])
            self._forget(chosen)
            return Change("reject", len(there), (), len(chosen) - len(there))

    def undo(self) -> Change | None:
        """Take the last decision back, also one of an earlier run; None where there is none.

        Raises:
            OSError: It was not taken back, or will be put right by the next start.
        """
        with self._lock:
            step = self.last
            if step is None:
                return None
            back = self._steps.undo(step.number)
            labels = _texts(step.facts.get("labels"))
            ids = self._ids_in_set(_texts(step.facts.get("kept")), labels)
            if ids:
                self.collection.discard(ids)
            for _, name in back.moves:
                if (identifier := self._ids.get(name)) is not None:
                    self._open[identifier] = self._known[identifier]
                elif name in self.expected:
                    self._came_back.append(name)
                    self.waiting += 1
                    self.total -= 1
                else:
                    self.unseen += 1
            missing = len(step.moves) - len(back.moves)
            return Change(step.kind, len(back.moves), labels, missing)

    @property
    def trash(self) -> int:
        """Pictures in the trash of the folder."""
        with self._lock:
            done = self._steps.done
            key = len(done), done[-1].number if done else 0
            if key != self._weighed:  # of a hundred thousand decisions it takes a while
                self._weighed, self._trash = key, sum(len(step.moves) for step in done)
            return self._trash

    def empty_trash(self) -> int:
        """Delete what was decided about from the folder, for good; returns how many files.

        Raises:
            OSError: It cannot be deleted.
        """
        with self._lock:
            return self._steps.empty_trash()

    def _find_all(self, identifiers: Iterable[str]) -> list[tuple[Candidate, Group]]:
        wanted = list(dict.fromkeys(identifiers))
        if not 1 <= len(wanted) <= MAX_AT_ONCE:
            raise InvalidValueError(f"these are {len(wanted)} pictures, wanted 1 to {MAX_AT_ONCE}")
        for identifier in wanted:
            if identifier not in self._open:
                raise InvalidValueError(
                    "about one of the pictures it was decided already", hint="load the page again"
                )
        return [self._open[identifier] for identifier in wanted]

    def _keep(self, kind: Kind, chosen: Sequence[tuple[Candidate, Group, str]]) -> Change:
        written = {label: self.collection.add_label(label) for _, _, label in chosen}
        kept: list[str] = []
        done: list[Candidate] = []
        gone: list[Candidate] = []
        problem = ""
        for candidate, group, label in chosen:
            try:
                content, suffix = self._read(candidate)
            except (OSError, PictureError):
                gone.append(candidate)
                continue
            facts = self._facts_of(candidate)
            try:
                put = self.collection.keep(written[label], content, facts, group.id, suffix)
            except OSError as wrong:
                problem = reason_of(wrong)
                break
            kept.append(put.file_name)
            done.append(candidate)
        labels = tuple(dict.fromkeys(written.values()))
        if done:
            names = [candidate.picture.name for candidate in done]
            self._steps.discard(kind, names, kept=kept, labels=labels)
        self._forget([*done, *gone])
        return Change(kind, len(done), labels, len(gone), problem)

    def _read(self, candidate: Candidate) -> tuple[bytes, str]:
        """What is to be kept: the file itself where it is a JPEG or PNG, else its pixels as PNG."""
        content = read_picture(self.root, candidate.picture.name)
        suffix = _SUFFIXES.get(read_header(content).format)
        if suffix is not None:
            return content, suffix
        pixels = cv2.cvtColor(decode(content), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".png", pixels)[1].tobytes(), "png"

    def _facts_of(self, candidate: Candidate) -> dict[str, Any]:
        guess = candidate.guess
        said = {"guess": guess.label, "score": round(guess.score, 4)} if guess.label else {}
        origin = {"folder": str(self.root), "file": candidate.picture.name, **said}
        return {"time": time.time() if guess.time is None else guess.time, "review": origin}

    def _still_there(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        with Inside(self.root) as inside:
            return [c for c in candidates if inside.has(c.picture.name)]

    def _forget(self, candidates: Iterable[Candidate]) -> None:
        for candidate in candidates:
            self._open.pop(candidate.picture.id, None)

    def _ids_in_set(self, file_names: Sequence[str], labels: Sequence[str]) -> list[str]:
        """Pictures by the names that they got in the data set, wherever they lie by now."""
        places = dict.fromkeys((*labels, *self.collection.counts))
        found = (self.collection.picture_called(name, places) for name in file_names)
        return [picture.id for picture in found if picture is not None]

    def _finish_what_was_begun(self) -> None:
        """Put right what a crash has left in the data set and here."""
        # A step that was begun is completed by now: what it moved was still listed before.
        self._forget_the_missing()
        pictures = [candidate.picture for candidate, _ in self._open.values()]
        left = find_leftovers(self.collection, self.root, pictures)
        if left.unfinished:
            self.collection.discard([twin.in_set.id for twin in left.unfinished])
        if left.accepted:
            kept = [twin.in_set.file_name for twin in left.accepted]
            labels = tuple(dict.fromkeys(twin.in_set.label for twin in left.accepted))
            names = [twin.name for twin in left.accepted]
            self._steps.discard("accept", names, kept=kept, labels=labels)
            self._tell(
                f"{len(names)} pictures were accepted when it ended: they are not shown again"
            )
            self._forget_the_missing()

    def _forget_the_missing(self) -> None:
        candidates = [candidate for candidate, _ in self._open.values()]
        there = {candidate.picture.id for candidate in self._still_there(candidates)}
        self._forget(c for c in candidates if c.picture.id not in there)


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a list that was read; its journal may say anything."""
    return tuple(text for text in value if isinstance(text, str)) if type(value) is list else ()
