"""Frames as they come, each with what belongs to it, made once for all who look."""

from __future__ import annotations

import atexit
import json
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from edgecls.errors import EdgeclsError, is_strict
from edgecls.web.feeds import Viewer, Watched

_BOUNDARY: Final = b"edgecls-frame"
_PADDING: Final = b"X-Padding: %b\r\n" % (b"-" * 51)  # 64 bytes
_EARLY: Final = 0.3  # of an interval: cameras do not keep time to the millisecond
_STEP_S: Final = 0.01
_LAST_S: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A frame as it is shown.

    Args:
        jpeg: A whole JPEG file.
        facts: What belongs to this frame and no other; what `json.dumps` takes.
        least_s: For how long it is shown at least, before the next one is made.
    """

    jpeg: bytes
    facts: Mapping[str, Any]
    least_s: float = 0.0


# Called in the stream's own thread; None where the frame cannot be shown.
Make: TypeAlias = Callable[[], Shown | None]


class FrameStream:
    """Shows the newest frame to all who look, at most so many a second; nothing while nobody does.

    Whoever has frames offers each of them. Only while somebody looks the newest one is made, in a
    thread that is there for so long, once for all viewers; a viewer that is still busy with a
    frame skips to the newest. Who comes late is given the newest at once, also of a camera that
    sends nothing any more.

    `pages` is the feed for pages: a picture and its facts come in one part, so that no page shows
    one frame's picture beside another's facts. `plain` is for other programs: MJPEG, which an
    `<img>`, VLC, ffmpeg and OpenCV read.

    Args:
        a_second: So many frames are shown at most.
    """

    def __init__(self, a_second: float = 15.0) -> None:
        self.failure: Exception | None = None  # what a `Make` raised, for its owner to tell
        self.made_s = float("-inf")  # `time.monotonic()` of the last frame that was made
        self.pages = PageFeed(self._come, self._go)
        self.plain = PlainFeed(self._come, self._go)
        self._least_s = 1 / a_second
        self._offer: Make | None = None
        self._made_of: Make | None = None
        self._due_s = self._earliest_s = float("-inf")
        self._is_hungry = False
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        # A thread that comes back from an encoder while Python is ending aborts the process.
        self._at_work = threading.Lock()
        atexit.register(self._at_work.acquire, timeout=_LAST_S)

    @property
    def is_watched(self) -> bool:
        """Whether anybody looks."""
        return self.pages.is_watched or self.plain.is_watched

    @property
    def viewers(self) -> int:
        """How many look."""
        return self.pages.viewers + self.plain.viewers

    def offer(self, make: Make) -> None:
        """This is the newest frame now; safe in any thread. Costs next to nothing."""
        self._offer = make
        if self._is_hungry:
            with self._changed:
                self._changed.notify()

    def settle(self, timeout_s: float) -> None:
        """Wait until all who look have been given the newest frame."""
        end_s = time.monotonic() + timeout_s
        while self.is_watched and time.monotonic() < end_s and not self._is_settled:
            time.sleep(_STEP_S)

    @property
    def _is_settled(self) -> bool:
        is_made = self._made_of is self._offer
        return is_made and self.pages.is_settled and self.plain.is_settled

    def _come(self) -> None:
        """Somebody has come to look; called in the server's thread."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="frames", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _go(self) -> None:
        with self._changed:
            self._changed.notify()

    def _work(self) -> None:
        while (make := self._next()) is not None:
            try:
                with self._at_work:
                    shown = make()
            except Exception as wrong:  # told by whoever offers frames
                self.failure, shown = wrong, None
                if is_strict() and not isinstance(wrong, EdgeclsError):
                    raise
            self.made_s = time.monotonic()
            self._keep_time(max(self._least_s, 0.0 if shown is None else shown.least_s))
            if shown is not None:
                self.pages.give(shown)
                self.plain.give(shown)
            self._made_of = make

    def _next(self) -> Make | None:
        """The newest frame that was not made yet, when it is time for one; None for the end."""
        with self._changed:
            while self.is_watched:
                # Hungry before looking: an offer that comes behind the look then notifies.
                self._is_hungry = True
                wait_s = self._earliest_s - time.monotonic()
                if self._offer is None or self._made_of is self._offer:
                    self._changed.wait()
                elif wait_s > 0:
                    self._is_hungry = False
                    self._changed.wait(wait_s)
                else:
                    self._is_hungry = False
                    return self._offer
            self._is_hungry = False
            self._thread = self._made_of = None
            for feed in (self.pages, self.plain):
                feed.forget()
            return None

    def _keep_time(self, interval_s: float) -> None:
        """A little late keeps the rhythm; more than one interval is not caught up with."""
        now_s = time.monotonic()
        self._due_s = (self._due_s if now_s - self._due_s < interval_s else now_s) + interval_s
        self._earliest_s = self._due_s - _EARLY * interval_s


class _Pictures(Watched):
    """The newest picture, for as many as look.

    Args:
        come: Called when one more looks.
        go: Called when one less does.
    """

    opening = b""

    def __init__(self, come: Callable[[], None], go: Callable[[], None]) -> None:
        super().__init__()
        self._come, self._go = come, go
        self._newest: tuple[int, Shown] | None = None  # with its number
        self._flushed = 0

    def give(self, shown: Shown) -> None:
        """Show this from now on; called in one thread, whichever."""
        self._newest = (self._newest[0] + 1 if self._newest else self._flushed + 1, shown)
        if self._viewers:
            self._wake()

    def forget(self) -> None:
        """Who comes next is given what is newest by then."""
        self._newest = None

    @property
    def is_settled(self) -> bool:
        """Whether all who look have taken what there is."""
        viewers, newest = list(self._viewers), self._newest
        is_flushed = newest is None or newest[0] == self._flushed
        return not viewers or (is_flushed and not any(v.waiting_bytes or v.later for v in viewers))

    def join(self, viewer: Viewer) -> None:
        """Show the newest at once, and all that come from now on."""
        self.flush()
        self._viewers.append(viewer)
        newest = self._newest
        viewer.write(self.opening + (b"" if newest is None else self.to_part(newest[1])))
        self._come()

    def leave(self, viewer: Viewer) -> None:
        """See `Feed`."""
        super().leave(viewer)
        self._go()

    def flush(self) -> None:
        """Give the viewers the newest picture."""
        newest = self._newest
        if newest is None or newest[0] == self._flushed:
            return
        number, shown = newest
        viewers = list(self._viewers)
        part = self.to_part(shown) if viewers else b""
        for viewer in viewers:
            if viewer.waiting_bytes:
                viewer.later = part
            else:
                viewer.write(part)
        self._flushed = number

    def to_part(self, shown: Shown) -> bytes:
        """A picture as it is sent."""
        raise NotImplementedError

    def beat(self) -> None:
        """Nothing can be said between two pictures; a page that is gone is noticed by the next."""


class PageFeed(_Pictures):
    """For pages, which read it with `fetch`: live.js has the other end.

    Each part is two lengths (4 bytes each, the high one first), so many bytes of JSON, and so
    many of JPEG. Lengths of 0 are a sign of life.
    """

    content_type = "application/vnd.edgecls.frames"

    def to_part(self, shown: Shown) -> bytes:
        """Facts and picture in one piece."""
        facts = json.dumps(shown.facts, allow_nan=False).encode()
        return struct.pack(">II", len(facts), len(shown.jpeg)) + facts + shown.jpeg

    def beat(self) -> None:
        """Lengths of 0."""
        for viewer in list(self._viewers):
            if not viewer.waiting_bytes:
                viewer.write(bytes(8))


class PlainFeed(_Pictures):
    """Pictures alone, as MJPEG.

    A browser shows the picture of an `<img>` when it has read the head of the next part, so that
    head stands right behind each picture. It cannot name the length of a picture that is still to
    come: readers look for the boundary. FFmpeg, and with it OpenCV and VLC, reads 2,048 bytes
    at once for that, and so waits for the next picture where the head has fewer.
    """

    content_type = f"multipart/x-mixed-replace; boundary={_BOUNDARY.decode()}"
    opening = b"--%b\r\nContent-Type: image/jpeg\r\n%b\r\n" % (_BOUNDARY, 32 * _PADDING)

    def to_part(self, shown: Shown) -> bytes:
        """The picture, and the head of the next one."""
        return shown.jpeg + b"\r\n" + self.opening
