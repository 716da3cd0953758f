"""A few threads for handlers, started when the first ones are needed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Workers:
    """Runs what may block beside the server's own thread.

    Args:
        threads: At most.
        waiting: Jobs that wait for a thread, at most.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._most = threads
        self._waiting = waiting
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], None]) -> bool:
        """Run a job that raises nothing; False when too many wait already."""
        with self._lock:
            if self._jobs.qsize() >= self._waiting:
                return False
            self._jobs.put(job)
            if self._jobs.qsize() > self._idle and len(self._threads) < self._most:
                # A daemon: a handler that hangs must not keep the program from ending.
                thread = threading.Thread(target=self._work, name="web worker", daemon=True)
                self._threads.append(thread)
                thread.start()
        return True

    def close(self) -> None:
        """End the threads after the jobs in hand; waits for none."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            job = self._jobs.get()
            with self._lock:
                self._idle -= 1
            if job is None:
                return
            job()
