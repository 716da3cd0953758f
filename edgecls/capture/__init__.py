"""Reads a source in a thread of its own, keeps the newest frame, and decodes only what is taken."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Final

from edgecls.capture.health import Health
from edgecls.capture.opening import Opener
from edgecls.capture.problems import Problems
from edgecls.capture.rhythm import Rhythm, Waits
from edgecls.contract.events import Event
from edgecls.errors import EdgeclsError, InvalidValueError, PictureError, SourceError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.memory import expect_frames_of
from edgecls.sources import Source

_POLL_S: Final = 0.1
# Stopping must take less than 2 s in all, whatever hangs.
_CLOSE_S: Final = 0.5
# While nobody waits for a frame, a source is drained at most 125 times a second: cameras give 60,
# and a sender that gives as fast as it can would take a whole core.
_PACE_S: Final = 0.008
# A frame that was decoded ahead and waited for longer than this gives way to a newer one.
_FRESH_S: Final = 0.005

Develop = Callable[[CapturedFrame], CapturedFrame]


class Capture:
    """The newest frame of a source, ready for the classifier.

    A live source is drained: a frame that was not taken is overtaken by the next, and counted; it
    was never decoded. A recording waits until its frame was taken. A live source that is lost is
    opened again and again, ever more slowly, and says so in events.

    Decoding overlaps with the classifier: when the taker is about to come back, the frame that
    arrives is decoded by the reading thread. How long the taker stays away is learnt; a slow one
    finds the newest frame all the same, and decodes it itself. Where a source has more frames than
    one thread can decode, and the taker is back before a frame could be ready, the taker decodes
    that one and the reading thread the next: two cores are better than one.

    Args:
        open_source: Called for the first time by `open`, and again whenever the source is lost.
        stop: Set from outside to end everything.
        emit: Takes the events `lost`, `back` and `unreadable`.
        develop: Makes a frame ready: decodes it, turns it, cuts it.
        health: Looks at a camera's frames; the default one tells nothing.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        stop: threading.Event,
        emit: Callable[[Event], None],
        develop: Develop = lambda frame: frame,
        health: Health | None = None,
    ) -> None:
        self.taken = 0
        self.dropped = 0
        self.waits = Waits()
        self.failure: Exception | None = None
        self._health = health or Health(emit, warn_s=0.0)
        self._opener = Opener(open_source, stop, emit, self._health)
        self.losses = self._opener.losses
        self._source: Source | None = None
        self._stop = stop
        self._emit = emit
        self._develop = develop
        self._first_index = 0
        self._next_index = 0
        self._raw: CapturedFrame | None = None
        self._ready: CapturedFrame | None = None
        self._ready_s = self._read_s = self._began_s = 0.0
        self._is_developing = False
        self._is_shared = False
        self._has_developed = False
        self._problems, self._passed_on = Problems(), 0
        self._media_s = 0.0
        self._rhythm = Rhythm()
        self._has_ended = False
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._wanted = threading.Condition(self._lock)
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    def open(self, unless: threading.Event | None = None) -> Source:
        """Open for the first time; its errors are the caller's. `NoSource` once `unless` is set."""
        self._source = self._opener.open_unless(unless or self._stop)
        return self._source

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def take(self) -> CapturedFrame | None:
        """The newest frame; None when none came for a moment, or none will (`is_over`)."""
        frame = self._take()
        self._tell_problems(self.taken - (frame is not None))
        if frame is not None:
            self._media_s = frame.media_s
        return frame

    def _take(self) -> CapturedFrame | None:
        with self._lock:
            self._rhythm.come()
            if self._pick() is None and not self._has_ended:
                self._wait_for_arrival()
            frame = self._pick()
            if frame is None:
                return None
            is_developed = frame is self._ready
            if is_developed:
                self._ready = None
            else:
                self._raw = None
            self._rhythm.go()
            self._wanted.notify()
            self._is_shared = False
        return self._hand_over(frame) if is_developed else self._develop_now(frame)

    @property
    def unreadable(self) -> int:
        """How many frames could not be decoded."""
        return self._problems.count

    @property
    def is_over(self) -> bool:
        """Whether every frame was taken and none will come any more."""
        with self._lock:
            return self._has_ended and self._pick() is None

    def close(self) -> None:
        """End reading and let go of the source; needs `stop` to be set."""
        with self._lock:
            self._wanted.notify()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        self._tell_problems(self.taken)
        # A camera that hangs in `read` keeps its thread: closing it under it would crash.
        if self._source is not None and not self._thread.is_alive():
            self._source.close()

    def _pick(self) -> CapturedFrame | None:
        """What would be taken now; a frame that has grown old is given up for a newer one."""
        if self._is_developing:
            return self._raw if self._is_shared else None  # else it is nearly there
        if self._ready is not None and self._raw is not None:
            if time.monotonic() - self._ready_s <= max(_FRESH_S, 2 * self._rhythm.develop_s):
                return self._ready
            self._ready = None
            self.dropped += 1
        return self._ready or self._raw

    def _wait_for_arrival(self) -> None:
        started = time.monotonic()
        is_decoding = self._is_developing
        self._arrived.wait(_POLL_S)
        ended = time.monotonic()
        # A taker without much work is back before the next frame is even read.
        is_begun = self._began_s >= started
        decode_from = started if is_decoding else self._began_s if is_begun else ended
        self.waits.source_s += decode_from - started
        self.waits.decode_s += ended - decode_from

    def _hand_over(self, frame: CapturedFrame) -> CapturedFrame:
        self.taken += 1
        return frame

    def _develop_now(self, frame: CapturedFrame) -> CapturedFrame | None:
        """Develop in the taker's thread."""
        started = time.monotonic()
        developed = self._try_to_develop(frame)
        self.waits.decode_s += time.monotonic() - started
        with self._lock:
            self._rhythm.go()
        return None if developed is None else self._hand_over(developed)

    def _try_to_develop(self, frame: CapturedFrame) -> CapturedFrame | None:
        try:
            developed = self._develop(frame)
        except (InvalidValueError, PictureError) as wrong:
            if isinstance(wrong, InvalidValueError) and not self._has_developed:
                raise  # a region that was never inside; later the camera's size has changed
            self._note_unreadable(wrong)
            return None
        if not self._has_developed and developed.pixels is not None:
            expect_frames_of(developed.pixels.nbytes)
        self._has_developed = True
        self._health.see_pixels(developed.pixels)
        return developed

    def _note_unreadable(self, wrong: EdgeclsError) -> None:
        self._problems.add(self._source, self._passed_on, wrong.problem)

    def _tell_problems(self, taken: int) -> None:
        for event in self._problems.pop(taken, self._source, self._media_s):
            self._emit(event)

    def _work(self) -> None:
        try:
            while not self._stop.is_set() and self._source is not None:
                self._source = self._read_from(self._source)
        except Exception as wrong:  # noqa: BLE001  # raised again by the loop, in its own thread
            self.failure = wrong
        finally:
            with self._lock:
                self._has_ended = True
                self._is_developing = False
                self._arrived.notify()

    def _read_from(self, source: Source) -> Source | None:
        """Read one frame; returns the source to go on with, None at the end."""
        try:
            started = time.monotonic()
            frame = source.read()
            self._read_s = time.monotonic() - started
        except PictureError as wrong:
            self._note_unreadable(wrong)
            return source
        except SourceError as wrong:
            if not source.is_live:
                raise
            self._first_index = self._next_index
            return self._opener.open_again(source, wrong)
        if frame is None:
            source.close()
            return None
        if self._first_index:
            frame = dataclasses.replace(frame, index=frame.index + self._first_index)
        self._next_index = frame.index + 1
        if source.is_live:
            self._health.see(frame, started + self._read_s, self._read_s)
            self._keep_newest(frame)
        else:
            self._pass_on(frame)
        return source

    def _pass_on(self, frame: CapturedFrame) -> None:
        """Wait until the frame before was taken; nothing of a recording is lost."""
        developed = self._try_to_develop(frame)
        if developed is None:
            return
        with self._lock:
            while self._ready is not None and not self._stop.is_set():
                self._wanted.wait(_POLL_S)
            if self._ready is None:  # else stopped: what nobody will take was not dropped
                self._ready = developed
                self._passed_on += 1
                self._arrived.notify()

    def _keep_newest(self, frame: CapturedFrame) -> None:
        with self._lock:
            has_taker_its_own = self._is_shared and self._raw is not None
            if not has_taker_its_own and not self._is_mine(frame):
                return
            self._is_developing = True
            self._began_s = time.monotonic()
        self._develop_ahead(frame)

    def _is_mine(self, frame: CapturedFrame) -> bool:
        """Whether the reading thread is to decode the newest frame, and now."""
        self.dropped += self._raw is not None
        self._raw = frame
        if frame.pixels is not None:
            self._arrived.notify()
            return False
        if not self._wait_until_due(frame):
            return False  # the taker is away; it will look here when it comes
        if self._read_s < self._rhythm.develop_s / 4 and self._rhythm.is_late:
            self._is_shared = True
            return False
        self._raw = None
        return True

    def _wait_until_due(self, frame: CapturedFrame) -> bool:
        """Whether to decode the newest frame now; a moment is waited for that."""
        end = time.monotonic() + _PACE_S
        while self._raw is frame and not self._stop.is_set():
            left_s = end - time.monotonic()
            if self._ready is None:
                due_s = self._rhythm.due_in_s()
                if due_s <= 0:
                    return True
                left_s = min(left_s, due_s)
            if left_s <= 0:
                break
            self._wanted.wait(left_s)
        return False

    def _develop_ahead(self, frame: CapturedFrame) -> None:
        started = time.monotonic()
        developed = self._try_to_develop(frame)
        with self._lock:
            self._is_developing = False
            if self._is_shared and self._raw is not None:
                self._raw, self._is_shared = None, False  # the taker did not come: this is newer
                self.dropped += 1
            self._ready = developed
            self._ready_s = time.monotonic()
            self._rhythm.learn_develop(self._ready_s - started)
            self._arrived.notify()
