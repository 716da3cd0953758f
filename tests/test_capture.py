"""The newest frame of a live source, every frame of a recording, and sources that break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import pytest

from edgecls.capture import Capture
from edgecls.contract.events import Event, SourceEvent, UnreadableEvent
from edgecls.errors import PictureError, SourceError
from edgecls.sources import CapturedFrame, Closing, Source
from tests.support.patience import patience

PIXELS: Final = np.zeros((8, 8, 3), np.uint8)


class ScriptedSource(Closing):
    """Gives frames until its script says otherwise.

    Args:
        script: One entry a read: None for a frame, an error to raise, or something to call
            before the frame. The source ends with its script.
        is_live: Whether it is a camera.
    """

    name = "scripted"
    is_sequence = True

    def __init__(
        self, *script: Exception | Callable[[], object] | None, is_live: bool = True
    ) -> None:
        self.is_live = is_live
        self.is_closed = False
        self.has_ended = threading.Event()
        self._script = iter(script)
        self._index = -1

    def read(self) -> CapturedFrame | None:
        entry = next(self._script, StopIteration())
        if isinstance(entry, StopIteration):
            self.has_ended.set()
            return None
        self._index += 1
        if isinstance(entry, Exception):
            raise entry
        if entry is not None:
            entry()
        return CapturedFrame(PIXELS, self._index, self._index / 30)

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A capture over sources that are opened one after the other."""

    def __init__(self, *sources: Source | Exception) -> None:
        self.events: list[Event] = []
        self.is_lost = threading.Event()
        self.stop = threading.Event()
        self._sources = iter(sources)
        self.capture = Capture(self._open, self.stop, self._note)

    def start(self) -> Capture:
        self.capture.open()
        self.capture.start()
        return self.capture

    def take_all(self) -> list[int]:
        """The numbers of all frames until the end."""
        taken = []
        while not self.capture.is_over:
            frame = self.capture.take()
            if frame is not None:
                taken.append(frame.index)
        return taken

    def states(self) -> list[tuple[str, str]]:
        return [(e.state, e.reason) for e in self.events if isinstance(e, SourceEvent)]

    def _open(self) -> Source:
        source = next(self._sources)
        if isinstance(source, Exception):
            raise source
        return source

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self.is_lost.set()


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(*sources: Source | Exception) -> Bench:
        made.append(Bench(*sources))
        return made[-1]

    yield make
    for one in made:
        one.stop.set()
        one.capture.close()


def test_the_newest_frame_of_a_camera_wins(bench: Callable[..., Bench]) -> None:
    camera = ScriptedSource(*[None] * 10)
    over = bench(camera)
    capture = over.start()
    assert camera.has_ended.wait(2)  # all ten were read before the first was asked for
    assert over.take_all() == [9]
    assert (capture.taken, capture.dropped, capture.unreadable) == (1, 9, 0)


def test_taken_and_dropped_frames_add_up(bench: Callable[..., Bench]) -> None:
    pause = lambda: time.sleep(0.002)  # noqa: E731
    over = bench(ScriptedSource(*[pause] * 100))
    capture = over.start()
    taken = []
    while not capture.is_over:
        frame = capture.take()
        if frame is not None:
            taken.append(frame.index)
            time.sleep(0.005)
    assert taken == sorted(set(taken))
    assert taken[-1] == 99
    assert capture.taken == len(taken)
    assert capture.dropped == 100 - len(taken)
    assert capture.dropped > 0


def test_no_frame_of_a_recording_is_dropped(bench: Callable[..., Bench]) -> None:
    over = bench(ScriptedSource(*[None] * 200, is_live=False))
    capture = over.start()
    assert over.take_all() == list(range(200))
    assert (capture.taken, capture.dropped) == (200, 0)


def test_stopping_a_recording_drops_nothing(bench: Callable[..., Bench]) -> None:
    over = bench(ScriptedSource(*[None] * 200, is_live=False))
    capture = over.start()
    assert capture.take() is not None
    over.stop.set()
    capture.close()
    assert (capture.taken, capture.dropped) == (1, 0)


@pytest.mark.fault(54)
def test_frames_that_cannot_be_decoded_are_counted_and_passed_over(
    bench: Callable[..., Bench],
) -> None:
    over = bench(ScriptedSource(None, PictureError("corrupt"), None, is_live=False))
    capture = over.start()
    assert over.take_all() == [0, 2]
    assert (capture.taken, capture.unreadable) == (2, 1)


def test_waiting_for_a_frame_ends_after_a_moment(bench: Callable[..., Bench]) -> None:
    gate = threading.Event()
    over = bench(ScriptedSource(gate.wait))
    capture = over.start()
    assert capture.take() is None
    assert not capture.is_over
    gate.set()


def test_a_lost_camera_is_opened_again_and_its_numbers_go_on(bench: Callable[..., Bench]) -> None:
    lost = ScriptedSource(None, None, None, SourceError("it was unplugged", hint="plug it in"))
    over = bench(lost, ScriptedSource(None, None))
    capture = over.start()
    assert over.is_lost.wait(2)  # and frame 2 was not taken yet
    taken = over.take_all()
    assert taken[0] == 2
    assert taken[-1] == 4
    assert over.states() == [("lost", "it was unplugged"), ("back", "")]
    assert lost.is_closed
    assert capture.taken + capture.dropped == 5
    assert capture.failure is None


@pytest.mark.fault(42)
def test_opening_again_is_tried_until_it_works(bench: Callable[..., Bench]) -> None:
    over = bench(
        ScriptedSource(None, SourceError("unplugged")),
        SourceError("still away"),
        ScriptedSource(None),
    )
    start = time.monotonic()
    over.start()
    assert over.take_all() == [0, 1]
    assert 0.3 <= time.monotonic() - start < patience(2.0)  # a tenth of a second, then two
    assert [state for state, _ in over.states()] == ["lost", "back"]


def test_waiting_for_a_lost_camera_ends_when_it_is_stopped(bench: Callable[..., Bench]) -> None:
    over = bench(ScriptedSource(SourceError("unplugged")), SourceError("still away"))
    capture = over.start()
    assert over.is_lost.wait(2)
    start = time.monotonic()
    over.stop.set()
    capture.close()
    assert time.monotonic() - start < 0.4  # not even the first half second
    assert capture.is_over


def test_the_first_opening_fails_for_the_caller(bench: Callable[..., Bench]) -> None:
    with pytest.raises(SourceError, match="there is no camera"):
        bench(SourceError("there is no camera")).start()


@pytest.mark.parametrize(
    ("wrong", "is_live"),
    [
        pytest.param(SourceError("the file broke off"), False, id="a recording that breaks off"),
        pytest.param(ZeroDivisionError("a bug"), False, id="a bug in a recording"),
        pytest.param(ZeroDivisionError("a bug"), True, id="a bug in a camera"),
    ],
)
def test_what_opening_again_cannot_cure_is_kept_for_the_caller(
    bench: Callable[..., Bench], wrong: Exception, is_live: bool
) -> None:
    over = bench(ScriptedSource(None, wrong, is_live=is_live))
    capture = over.start()
    assert over.take_all() == [0]
    assert capture.failure is wrong
    assert over.states() == []


def test_closing_lets_go_of_the_source(bench: Callable[..., Bench]) -> None:
    camera = ScriptedSource(*[lambda: time.sleep(0.001)] * 10_000)
    over = bench(camera)
    capture = over.start()
    over.stop.set()
    capture.close()
    capture.close()
    assert camera.is_closed


@pytest.mark.fault(77)
def test_a_source_that_hangs_in_a_read_does_not_hold_up_the_end(
    bench: Callable[..., Bench],
) -> None:
    gate = threading.Event()
    camera = ScriptedSource(None, gate.wait)
    over = bench(camera)
    capture = over.start()
    assert capture.take() is not None
    over.stop.set()
    start = time.monotonic()
    capture.close()
    assert time.monotonic() - start < patience(1.5)
    # Closing a camera under a read that is going on would crash the process.
    assert not camera.is_closed
    gate.set()


class TestUnreadable:
    """What cannot be read is named, in its place between the frames."""

    def reasons(self, bench: Bench) -> list[str]:
        return [event.reason for event in bench.events if isinstance(event, UnreadableEvent)]

    def test_of_a_recording_each_one_is_named_before_the_frame_that_follows(
        self, bench: Callable[..., Bench]
    ) -> None:
        first, second = PictureError("a.png is cut off"), PictureError("b.png is empty")
        on = bench(ScriptedSource(None, first, second, None, is_live=False))
        capture = on.start()
        before = capture.take()
        assert self.reasons(on) == []
        while capture.take() is None:
            pass
        assert before is not None
        assert self.reasons(on) == ["a.png is cut off", "b.png is empty"]
        assert capture.unreadable == 2

    def test_what_stands_behind_the_last_frame_is_named_at_the_end(
        self, bench: Callable[..., Bench]
    ) -> None:
        on = bench(ScriptedSource(None, PictureError("b.png is empty"), is_live=False))
        on.start()
        on.take_all()
        on.stop.set()
        on.capture.close()
        assert self.reasons(on) == ["b.png is empty"]

    def test_a_live_source_is_named_at_most_once_a_second(
        self, bench: Callable[..., Bench]
    ) -> None:
        on = bench(ScriptedSource(*[PictureError("a damaged frame")] * 50, None))
        on.start()
        on.take_all()
        assert self.reasons(on) == ["a damaged frame"]
        assert on.capture.unreadable == 50
