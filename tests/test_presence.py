"""Who entered, left and stayed, by hand."""

from __future__ import annotations

from edgecls.contract.events import UNKNOWN
from edgecls.presence import Presence, Stay


def test_a_label_enters_when_it_becomes_the_steady_one() -> None:
    presence = Presence()
    assert presence.update("cat", 5.0) == [Stay("entered", "cat")]
    assert presence.update("cat", 6.0) == []


def test_it_leaves_with_the_time_that_it_was_there() -> None:
    presence = Presence()
    presence.update("cat", 5.0)
    assert presence.update("dog", 7.5) == [Stay("left", "cat", 2.5), Stay("entered", "dog")]


def test_unknown_neither_enters_nor_leaves() -> None:
    presence = Presence(held_s=[1.0])
    assert presence.update(UNKNOWN, 0.0) == []
    assert presence.update(UNKNOWN, 9.0) == []
    presence.update("cat", 10.0)
    assert presence.update(UNKNOWN, 10.5) == [Stay("left", "cat", 0.5)]


def test_it_is_held_once_for_each_time_that_was_asked_for() -> None:
    presence = Presence(held_s=[5.0, 2.0])
    presence.update("cat", 0.0)
    assert presence.update("cat", 1.9) == []
    assert presence.update("cat", 2.0) == [Stay("held", "cat", 2.0)]
    assert presence.update("cat", 4.0) == []
    assert presence.update("cat", 5.5) == [Stay("held", "cat", 5.0)]
    assert presence.update("cat", 99.0) == []


def test_it_is_held_anew_when_it_comes_back() -> None:
    presence = Presence(held_s=[2.0])
    presence.update("cat", 0.0)
    presence.update("cat", 2.0)
    presence.update("dog", 3.0)
    presence.update("cat", 4.0)
    assert presence.update("cat", 6.0) == [Stay("held", "cat", 2.0)]


def test_frames_that_are_far_apart_tell_all_that_was_missed() -> None:
    presence = Presence(held_s=[1.0, 2.0])
    presence.update("cat", 0.0)
    assert presence.update("dog", 10.0) == [
        Stay("held", "cat", 1.0),
        Stay("held", "cat", 2.0),
        Stay("left", "cat", 10.0),
        Stay("entered", "dog"),
    ]


def test_a_time_that_is_rounded_down_by_a_hair_counts() -> None:
    presence = Presence(held_s=[0.3])
    presence.update("dog", 6.8)
    # Media times are such differences: 7.1 - 6.8 is 0.2999999999999998.
    assert presence.update("dog", 7.1) == [Stay("held", "dog", 0.3)]
