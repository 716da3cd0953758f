"""What is to be decided about, made ready while the page is served already.

A folder is listed, what was said of its pictures is read, and then those are looked at of which a
model was least sure, so many as anybody decides about in one sitting. When about all of these it
was decided, the next ones follow.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edgecls.collect.disk import StillReadingError
from edgecls.collect.gallery import Gallery
from edgecls.console import Advance
from edgecls.review.found import Found, Opened, read_folder
from edgecls.review.groups import group_candidates
from edgecls.review.look import MOST_AT_ONCE, labels_of, look_at_all, reader
from edgecls.review.review import Review

if TYPE_CHECKING:
    from edgecls.classifier import Classifier

# Of the few threads of a server, so many may wait for what is not ready.
_MOST_WAITING: Final = 2
_WAIT_S: Final = 10.0
_POLL_S: Final = 0.1
_TICK_S: Final = 0.02
_CLOSE_S: Final = 2.0
_MOST_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Stage:
    """What is being made ready.

    Args:
        name: `reading`, `looking`, or `grouping`.
        done: Pictures.
        expected: Of how many; None as long as nobody knows.
    """

    name: str
    done: int = 0
    expected: int | None = None

    @property
    def text(self) -> str:
        """For people."""
        of = "" if self.expected is None else f" of {self.expected:,}"
        doing = {"reading": "reading", "looking": "looking at"}.get(self.name, "comparing")
        return f"{doing} {self.done:,}{of} pictures"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"stage": self.name, "read": self.done, "expected": self.expected}


class Desk:
    """Keeps a review supplied with groups of pictures, in a thread of its own.

    Args:
        opened: The folder.
        review: Of that folder, without groups.
        classifier: A model to ask; None to take what was said when they were recorded. The desk
            closes it.
        tell: Takes a line for people.
        most: Pictures that are looked at together.
    """

    def __init__(
        self,
        opened: Opened,
        review: Review,
        classifier: Classifier | None = None,
        tell: Callable[[str], None] = lambda _: None,
        most: int = MOST_AT_ONCE,
    ) -> None:
        self.review = review
        self.gallery = Gallery(reader(opened.root))
        self.labels = opened.labels if classifier is None else classifier.labels.names
        self.failure: Exception | None = None
        self.stage: Stage | None = Stage("reading")
        self._has_labels = bool(self.labels)
        self._opened = opened
        self._classifier = classifier
        self._tell = tell
        self._most = most
        self._is_closing = threading.Event()
        self._may_wait = threading.Semaphore(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; may be called twice."""
        self._is_closing.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until there is something to decide about, or nothing is left; whether it is so."""
        end_s = time.monotonic() + seconds
        while not self.is_ready and self.failure is None and time.monotonic() < end_s:
            time.sleep(_TICK_S)
        return self.is_ready

    def wait_in_turn(self) -> bool:
        """`wait_until_ready`, if there are not others who wait."""
        if not self.is_ready and self._may_wait.acquire(blocking=False):
            self.wait_until_ready(_WAIT_S)
            self._may_wait.release()
        return self.is_ready

    @property
    def is_ready(self) -> bool:
        """Whether there is something to decide about, or nothing is left."""
        review = self.review
        return self.stage is None and (review.has_groups or not review.left)

    def need(self) -> Review:
        """The review, when what is to be decided about is ready.

        Raises:
            StillReadingError: It is not, and others wait for it already.
        """
        self.wait_in_turn()
        if self.failure is not None:
            raise self.failure
        if (stage := self.stage) is not None:
            raise StillReadingError(
                f"the folder is still being read: {stage.text}", hint="try again in a moment"
            )
        return self.review

    def _run(self) -> None:
        try:
            self._supply()
        except Exception as wrong:  # noqa: BLE001  # raised again by whoever waits for the end
            self.failure = wrong
        finally:
            if self._classifier is not None:
                self._classifier.close()

    def _supply(self) -> None:
        found = read_folder(self._opened, lambda done, of: self._show(Stage("reading", done, of)))
        found.wrong.tell(self._tell)
        while not self.review.collection.wait_until_read(_POLL_S):
            if self._is_closing.is_set() or self.review.collection.failure is not None:
                return
        left = dict.fromkeys(found.names)
        self.review.expected = frozenset(found.names)
        while not self._is_closing.is_set():
            left |= dict.fromkeys(self.review.take_waiting())
            if left and not self.review.has_groups:
                self._bring(found, left)
            self._show(None)
            self._is_closing.wait(_POLL_S)

    def _bring(self, found: Found, left: dict[str, None]) -> None:
        """The next pictures, of those that are left."""
        rest = dataclasses.replace(found, names=tuple(left))
        some = rest.least_certain(self._most)
        self.review.expect(len(left))
        seen = look_at_all(some, self.gallery, self._classifier, self._progress)
        if self._is_closing.is_set():
            return
        self._tell_unreadable(seen.unreadable)
        self._show(Stage("grouping", len(seen.candidates)))
        groups = group_candidates(found.root, seen)
        if not self._has_labels:
            self.labels = tuple(dict.fromkeys((*self.labels, *labels_of(seen.candidates))))
        for name in some.names:
            del left[name]
        self.review.begin(groups, len(left))

    def _tell_unreadable(self, problems: tuple[str, ...]) -> None:
        for problem in problems[:_MOST_TOLD]:
            self._tell(f"left out: {problem}")
        if len(problems) > _MOST_TOLD:
            self._tell(f"and {len(problems) - _MOST_TOLD} more that cannot be read")

    @contextmanager
    def _progress(self, _title: str, total: int) -> Iterator[Advance]:
        def advance(done: int, note: str = "") -> None:
            del note  # for a terminal
            self._show(Stage("looking", done, total))

        advance(0)
        yield advance

    def _show(self, stage: Stage | None) -> None:
        self.stage = stage
