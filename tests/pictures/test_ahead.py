"""Work done ahead: in order, bounded, and stopped when nobody wants more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from edgecls.pictures.ahead import in_order
from tests.support.patience import patience


def test_results_come_in_the_order_of_the_items_whatever_takes_longest() -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    assert list(in_order(work, range(30), workers=4)) == [n * n for n in range(30)]


def test_no_items_give_no_results() -> None:
    assert list(in_order(str, [])) == []


def test_only_a_few_results_a_thread_are_computed_ahead() -> None:
    begun: list[int] = []
    results = in_order(begun.append, range(1000), workers=2)
    next(results)
    time.sleep(0.2)  # all that it would do ahead it has done by now
    # Four a thread wait, and one more was begun when the first was given.
    assert len(begun) == 2 * 4 + 1
    results.close()
    time.sleep(0.05)
    assert len(begun) <= 2 * 4 + 1


def test_a_result_does_not_wait_for_items_that_are_long_in_coming() -> None:
    more = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        more.wait(60)
        yield 2

    results = in_order(str, items(), workers=2)
    start = time.monotonic()
    assert next(results) == "1"
    assert time.monotonic() - start < patience(5.0)
    more.set()
    assert list(results) == ["2"]


def test_what_the_work_raises_comes_at_its_place() -> None:
    results = in_order(lambda item: 1 // item, [1, 0, 1], workers=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_the_items_raise_comes_after_the_results_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the list broke off")

    results = in_order(str, items())
    assert next(results) == "1"
    with pytest.raises(OSError, match="the list broke off"):
        next(results)
