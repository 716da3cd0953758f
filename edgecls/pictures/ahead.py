"""Work on many pictures, computed ahead by as many threads as there are cores."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

# Enough to keep every worker busy while the slowest picture is waited for; frames are large.
_IN_FLIGHT_PER_WORKER: Final = 4
# A thread that comes back from a decoder while Python is ending takes the process with it: SIGABRT;
# one that decodes for longer than this never comes back before the end.
_LAST_S: Final = 0.5

_Item = TypeVar("_Item")
_T = TypeVar("_T")


def in_order(
    work: Callable[[_Item], _T], items: Iterable[_Item], workers: int | None = None
) -> Iterator[_T]:
    """Results of `work` in the order of `items`.

    No more is computed ahead than a few results a thread, so memory stays flat; and a result is
    given as soon as it is there, also where the next item is long in coming, as from a pipe.

    Args:
        work: Called in several threads; what it raises is raised at the place of its result.
        items: Iterated over in a thread of its own; what it raises is raised at its end.
        workers: Threads; None for one a core.
    """
    workers = workers or os.cpu_count() or 1
    pool = _Pool(workers)
    feeder: _Feeder[_Item, _T] = _Feeder(
        lambda item: pool.submit(work, item), items, workers * _IN_FLIGHT_PER_WORKER
    )
    try:
        while (pending := feeder.results.get()) is not None:
            result = pending.result()
            # One more is begun while the caller works on this one.
            feeder.slots.release()
            yield result
        if feeder.failure is not None:
            raise feeder.failure
    finally:
        feeder.is_stopped.set()
        feeder.slots.release()
        pool.close()


class _Pool:
    """Threads that work; unlike those of `ThreadPoolExecutor`, they are not waited for without end.

    Ctrl-C must not wait for a picture that takes long to decode, and nobody wants it any more.
    """

    def __init__(self, workers: int) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._is_closed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)  # where an error keeps the generator, nobody else does it

    def submit(self, work: Callable[[_Item], _T], item: _Item) -> Future[_T]:
        future: Future[_T] = Future()

        def run() -> None:
            try:
                future.set_result(work(item))
            except BaseException as wrong:  # noqa: BLE001  # raised again by the consumer
                future.set_exception(wrong)

        self._tasks.put(run)
        return future

    def close(self) -> None:
        """Let the threads end, each after what it does now; that is waited for a moment."""
        atexit.unregister(self.close)
        self._is_closed = True
        end_s = time.monotonic() + _LAST_S
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._is_closed:
            task()


class _Feeder(Generic[_Item, _T]):
    """Gives items to a pool while there are slots; `None` after the last result."""

    def __init__(
        self, submit: Callable[[_Item], Future[_T]], items: Iterable[_Item], limit: int
    ) -> None:
        self.results: queue.SimpleQueue[Future[_T] | None] = queue.SimpleQueue()
        self.slots = threading.Semaphore(limit)
        self.is_stopped = threading.Event()
        self.failure: BaseException | None = None
        # A daemon: it may wait for a pipe that nobody writes to any more.
        threading.Thread(target=self._work, args=(submit, items), daemon=True).start()

    def _work(self, submit: Callable[[_Item], Future[_T]], items: Iterable[_Item]) -> None:
        try:
            for item in items:
                self.slots.acquire()
                if self.is_stopped.is_set():
                    return
                self.results.put(submit(item))
        except BaseException as wrong:  # noqa: BLE001  # raised again by the consumer
            self.failure = wrong
        finally:
            self.results.put(None)
