"""What was done, and what can be taken back of it, the last thing first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edgecls.storage.steps import Step

# Further back nobody remembers what it was; what was discarded stays in the trash all the same.
_MOST: Final = 1000
_KINDS: Final = ("relabel", "discard")


@dataclass(frozen=True, slots=True)
class Change:
    """What was done.

    Args:
        kind: `relabel`, `discard`, `keep` (taken back).
        count: Pictures that it was done to.
        missing: Pictures that were not where they should be; nothing was done to them.
    """

    kind: str
    count: int
    missing: int = 0


@dataclass(slots=True)
class Undoable:
    """One thing that was done.

    Args:
        kind: `keep`, `relabel` or `discard`.
        label: Whose pictures were kept, or what pictures were relabelled to.
        burst: Of pictures that were kept.
        pictures: The ids of those.
        step: Of a move, what was moved.
    """

    kind: str
    label: str = ""
    burst: str = ""
    pictures: list[str] = field(default_factory=list)
    step: Step | None = None

    @property
    def count(self) -> int:
        """How many pictures."""
        return len(self.pictures) if self.step is None else len(self.step.moves)


class History:
    """What was done in this run, and the moves of earlier ones.

    Args:
        steps: What can be undone of earlier runs, the last one last.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._done: list[Undoable] = []
        for step in steps:
            if step.kind in _KINDS:
                self.add_step(step)

    @property
    def last(self) -> Undoable | None:
        """What would be taken back next."""
        return self._done[-1] if self._done else None

    def add_kept(self, burst: str, label: str, picture: str) -> None:
        """A picture was kept; those of one burst are one thing."""
        for done in reversed(self._done[-8:]):  # two phones may hold a button at once
            if burst and done.burst == burst and done.label == label:
                done.pictures.append(picture)
                return
        self._add(Undoable("keep", label, burst, [picture]))

    def add_step(self, step: Step) -> None:
        """Pictures were moved."""
        self._add(Undoable(step.kind, str(step.facts.get("label", "")), step=step))

    def drop(self) -> None:
        """The last thing was taken back."""
        self._done.pop()

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Forget the last things that were kept, while all their pictures are gone."""
        while self._done and self._done[-1].step is None:
            if not all(is_gone(picture) for picture in self._done[-1].pictures):
                break
            self._done.pop()

    def keep_only(self, steps: Sequence[Step]) -> None:
        """Forget the moves that are not among these any more."""
        numbers = {step.number for step in steps}
        self._done = [d for d in self._done if d.step is None or d.step.number in numbers]

    def _add(self, done: Undoable) -> None:
        self._done.append(done)
        del self._done[:-_MOST]
