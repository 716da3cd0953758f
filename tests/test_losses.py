"""When a source that was lost is tried again."""

from __future__ import annotations

import pytest

from edgecls.capture import losses
from edgecls.capture.losses import Losses


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(losses, "time", made)
    return made


def delays(tried: Losses, count: int) -> list[float]:
    return [tried.next_delay_s() for _ in range(count)]


@pytest.mark.fault(42)
def test_pauses_grow_up_to_4_s() -> None:
    lost = Losses()
    lost.lose()
    assert delays(lost, 8) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0]


def test_a_camera_that_was_well_for_5_s_is_tried_at_once_again(clock: Clock) -> None:
    lost = Losses()
    lost.lose()
    delays(lost, 6)
    lost.find()
    clock.now += 5
    lost.lose()
    assert delays(lost, 2) == [0.1, 0.2]


def test_one_that_comes_and_goes_is_tried_ever_less_often(clock: Clock) -> None:
    lost = Losses()
    pauses = []
    for _ in range(8):
        lost.find()
        clock.now += 1
        lost.lose()
        pauses += delays(lost, 1)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0]


def test_losses_are_counted_and_the_time_away_is_added_up(clock: Clock) -> None:
    lost = Losses()
    lost.find()
    for _ in range(2):
        clock.now += 10
        lost.lose()
        clock.now += 3
        lost.find()
    clock.now += 10
    lost.lose()
    clock.now += 1.5
    assert (lost.count, lost.away_s) == (3, 3 + 3 + 1.5)
