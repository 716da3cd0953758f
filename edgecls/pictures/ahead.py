"""Work on many pictures, computed ahead by as many threads as there are cores."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

# Enough to keep every worker busy while the slowest picture is waited for; frames are large.
_IN_FLIGHT_PER_WORKER: Final = 4

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
    pool = ThreadPoolExecutor(workers)
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
        pool.shutdown(cancel_futures=True)


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
            if not self.is_stopped.is_set():  # else the pool was shut down under it
                self.failure = wrong
        finally:
            self.results.put(None)
