"""The camera: its newest frame, at hand when somebody presses, and shown while somebody looks."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from edgecls.capture import Capture
from edgecls.capture.health import DEFAULT_WARN_S, Health
from edgecls.contract.events import Event, SourceEvent, UnreadableEvent
from edgecls.contract.warning_event import WarningEvent
from edgecls.errors import PictureError, SourceError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import decode
from edgecls.imaging.recent import Recent
from edgecls.imaging.shown import to_shown_jpeg
from edgecls.imaging.view import WHOLE, View
from edgecls.sources import Source
from edgecls.web import Shown

_POLL_S: Final = 0.1
# A camera that hangs is given up after its timeout; until then what it sent last is no answer.
_STALE_S: Final = 2.0
_STALE_INTERVALS: Final = 3.0
_FPS_WEIGHT: Final = 0.1
_CLOSE_S: Final = 1.0
_MAX_PAUSE_S: Final = 5.0


class Screen(Protocol):
    """Where frames are shown."""

    made_s: float
    failure: Exception | None

    @property
    def is_watched(self) -> bool:
        """Whether anybody looks."""

    def offer(self, make: Callable[[], Shown | None]) -> None:
        """This is the newest frame; `make` is called if somebody looks."""


class Live:
    """Reads a source and opens it again when it was lost, as the camera loop does.

    Args:
        open_source: Opens it.
        screen: Where to show it.
        view: Which way up the camera hangs, and what part of its frames counts.
        warn_s: After how many seconds frozen, black or too few frames are told; 0 for never.
        asked_fps: What the user asked the camera for; 0 for nothing.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        screen: Screen,
        view: View = WHOLE,
        *,
        warn_s: float = DEFAULT_WARN_S,
        asked_fps: float = 0.0,
    ) -> None:
        self.name = ""
        self.problem = ""
        self.troubles: dict[str, str] = {}
        self.unreadable = 0
        self.fps = 0.0
        self.has_ended = False
        self.failure: Exception | None = None
        self._screen = screen
        self._view = view
        self.recent = Recent()
        self._stop = threading.Event()
        health = Health(self._emit, warn_s, asked_fps)
        self._capture = Capture(open_source, self._stop, self._emit, self._develop, health)
        self._is_live = True
        self._frame: CapturedFrame | None = None
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    @property
    def state(self) -> str:
        """`live`, `lost` (`problem` says why), or `ended` (a recording, at its last frame)."""
        if self.has_ended:
            return "ended"
        return "lost" if self.problem else "live"

    @property
    def frames(self) -> int:
        """How many the source has sent."""
        return self._capture.taken + self._capture.dropped + self._capture.unreadable

    def open(self) -> None:
        """Open the source.

        Raises:
            SourceError: It cannot be opened.
        """
        source = self._capture.open()
        self.name, self._is_live = source.name, source.is_live

    def start(self) -> None:
        """Begin to read."""
        self._capture.start()
        self._thread.start()

    def close(self) -> None:
        """End reading and let go of the source; may be called twice, not in a signal handler."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        self._capture.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                frame = self._capture.take()
                if frame is not None:
                    self._take(frame)
                elif self._capture.is_over:
                    self._end()
                    self._stop.wait(_POLL_S)
        except Exception as wrong:  # noqa: BLE001  # raised again by whoever waits for the end
            self.failure = wrong

    def _end(self) -> None:
        """A recording stays at its last frame, one that broke off, too."""
        if not self.has_ended:
            failure = self._capture.failure
            if failure is not None and not isinstance(failure, SourceError):
                raise failure
            self.problem = failure.problem if failure is not None else ""
            self.has_ended = True
            self.fps = 0.0
        self._check_screen()

    def seen(self, run: str, number: int) -> CapturedFrame:
        """The frame that somebody saw under a number, as large as the camera sent it.

        Raises:
            FrameGoneError: It is not kept any more, or an earlier run has shown it.
            SourceError: The camera is lost.
        """
        self._check_lost()
        return self.recent.find(run, number)

    def newest(self, after: int = -1, timeout_s: float = 0.5) -> CapturedFrame | None:
        """The newest frame; None when none has come for a moment.

        Args:
            after: Its number is above this one's.
            timeout_s: How long to wait for such a frame.

        Raises:
            SourceError: The newest is so old that it does not show what is there now.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: self._is_after(after), timeout_s)
            frame = self._frame
        self._check_lost()
        if self._is_live and not self.has_ended and frame is not None:
            age_s = time.monotonic() - frame.captured_s
            if age_s > max(_STALE_S, _STALE_INTERVALS / self.fps if self.fps else 0.0):
                raise SourceError(
                    f"the newest frame is {age_s:.0f} seconds old: the camera hangs",
                    hint="it will be given up and opened again",
                )
        return frame if self._is_after(after) else None

    def _check_lost(self) -> None:
        if self._is_live and not self.has_ended and self.problem:
            raise SourceError(
                f"the camera gives no pictures: {self.problem}",
                hint="it is tried again and again; look at its cable",
            )

    def _is_after(self, number: int) -> bool:
        return self._frame is not None and self._frame.index > number

    def _take(self, frame: CapturedFrame) -> None:
        with self._arrived:
            before, self._frame = self._frame, frame
            self._arrived.notify_all()
        if before is not None and frame.captured_s > before.captured_s:
            rate = 1 / (frame.captured_s - before.captured_s)
            self.fps += _FPS_WEIGHT * (rate - self.fps) if self.fps else rate
        self._screen.offer(lambda: self._make(frame))
        self._check_screen()
        if not self._is_live and before is not None:
            # A recording runs at its own pace, or nobody could press in time.
            self._stop.wait(min(_MAX_PAUSE_S, max(0.0, frame.media_s - before.media_s)))

    def _make(self, frame: CapturedFrame) -> Shown | None:
        """A frame for those who look, which they can point at from now on."""
        try:
            jpeg = to_shown_jpeg(frame)
        except PictureError:  # it is counted when somebody wants to keep it
            return None
        self.recent.add(frame)
        facts = {"run": self.recent.run, "frame": frame.index}
        return Shown(jpeg, facts, self.recent.least_s(frame))

    def _check_screen(self) -> None:
        if self._screen.failure is not None:
            raise self._screen.failure
        if self.recent.size_bytes and not self._screen.is_watched:
            self.recent.expire(self._screen.made_s)

    def _develop(self, frame: CapturedFrame) -> CapturedFrame:
        """Upright and cut, at full size; what needs neither stays as it is."""
        if self._view.is_plain:
            return frame
        whole = decode(frame.jpeg) if frame.pixels is None else frame.pixels
        return dataclasses.replace(frame, pixels=self._view.look(whole), jpeg=b"", view=self._view)

    def _emit(self, event: Event) -> None:
        if isinstance(event, UnreadableEvent):
            self.unreadable += 1
        elif isinstance(event, WarningEvent):
            others = {name: why for name, why in self.troubles.items() if name != event.trouble}
            self.troubles = others | ({event.trouble: event.reason} if event.reason else {})
        elif isinstance(event, SourceEvent):
            self.problem = event.reason if event.state == "lost" else ""
            self.fps = 0.0
