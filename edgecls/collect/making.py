"""A thread that makes small pictures, and another one whenever a picture takes long."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

# A photograph of 12 megapixels takes a Pi Zero 0.3 s.
PATIENCE_S: Final = 1.0
# Each may hold a decoded picture of 64 megapixels.
_MOST_LATE: Final = 3
_Made = TypeVar("_Made")


class Job(Generic[_Made]):
    """Something that is made once, for all who want it."""

    def __init__(self, work: Callable[[], _Made]) -> None:
        self.began_s: float | None = None
        self._work = work
        self._made: _Made | None = None
        self._wrong: Exception | None = None
        self._done = threading.Event()

    @property
    def is_done(self) -> bool:
        """Whether there is something to take."""
        return self._done.is_set()

    def is_late(self, limit_s: float) -> bool:
        """Whether it is being made for longer than that."""
        began_s = self.began_s
        return not self.is_done and began_s is not None and time.monotonic() - began_s >= limit_s

    def wait(self, seconds: float) -> bool:
        """Wait for it; whether it is done."""
        return self._done.wait(seconds)

    def take(self) -> _Made:
        """What was made; raises what its work has raised."""
        if self._wrong is not None:
            raise self._wrong
        assert self._made is not None
        return self._made

    def run(self) -> None:
        """Make it."""
        self.began_s = time.monotonic()
        try:
            self._made = self._work()
        except Exception as wrong:  # noqa: BLE001  # raised again by whoever takes it
            self._wrong = wrong
        self._done.set()


class Making:
    """Does jobs one after the other, so that memory and the camera have what they need.

    Neither a decoder nor a disk that does not answer can be interrupted. So a job that takes longer
    than `patience_s` is left to its thread, and another thread does those that wait; at most three
    are left alone like that at a time. Safe for several threads.

    Args:
        patience_s: Seconds.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._jobs: dict[Hashable, Job[Any]] = {}
        self._waiting: deque[tuple[Hashable, Job[Any]]] = deque()
        self._now: Job[Any] | None = None
        self._late = 0
        # The thread that takes jobs; one whose job is late is none any more.
        self._turn: object | None = None
        self._lock = threading.Lock()

    def order(self, key: Hashable, work: Callable[[], _Made]) -> Job[_Made]:
        """Have something made; what is being made already is made once.

        Args:
            key: What it is.
            work: Makes it.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = Job(work)
                self._waiting.append((key, job))
            self._staff()
        return job

    def wait(self, job: Job[Any], limit_s: float) -> bool:
        """Wait for a job, and see to it that others do not wait for a late one.

        Returns:
            Whether it is done: at once where it is late by more than the limit already.
        """
        end_s = time.monotonic() + limit_s
        while not job.is_late(limit_s) and (left_s := end_s - time.monotonic()) > 0:
            if job.wait(min(left_s, self._patience_s / 4)):
                break
            with self._lock:
                self._staff()
        return job.is_done

    def _staff(self) -> None:
        """Let another thread take over from one whose job is late."""
        if self._now is not None and self._waiting and self._now.is_late(self._patience_s):
            if self._late == _MOST_LATE:
                return
            self._late += 1
            self._turn = self._now = None
        if self._turn is None and self._waiting:
            turn = self._turn = object()
            # A daemon: a disk that hangs must not keep the program from ending.
            threading.Thread(target=self._run, args=(turn,), name="making", daemon=True).start()

    def _run(self, turn: object) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._turn = None
                    return
                key, job = self._waiting.popleft()
                self._now = job
            job.run()
            with self._lock:
                self._jobs.pop(key, None)
                if self._turn is not turn:  # somebody else has taken over
                    self._late -= 1
                    return
                self._now = None
