"""Collecting: a press keeps a picture, holding keeps a burst without what looks the same."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from edgecls.collect.collection import Collection
from edgecls.collect.disk import Disk
from edgecls.collect.disk import change as change_on_disk
from edgecls.collect.gallery import Gallery
from edgecls.collect.history import Change
from edgecls.collect.index import Picture
from edgecls.collect.live import Live
from edgecls.collect.look import look_at
from edgecls.errors import PictureError, SourceError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.sinks.diversity import Diversity
from edgecls.sinks.record import pixels_of, to_jpeg

_Result = TypeVar("_Result")

# Holding a button keeps at most so many pictures a second.
BURST_FPS: Final = 5.0
_BURSTS: Final = 64
# Frames that a loose cable has spoilt are passed over, so many in a row.
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a press.

    Args:
        burst: To go on with while the button is held.
        picture: None where the frame looked like a picture that is there, or no new one came.
        is_alike: Whether it did.
    """

    burst: str
    picture: Picture | None
    is_alike: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame that a page shows: its number, in one run of the program."""

    run: str
    frame: int


@dataclass(slots=True)
class Counts:
    """What was done in this run."""

    kept: int = 0
    alike: int = 0
    discarded: int = 0
    relabelled: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Burst:
    label: str
    frame: int
    next_s: float


class Session:
    """The camera and the hands on it. Safe for several threads.

    Args:
        collection: Where pictures are kept.
        live: The camera.
        tell: Takes a line for people: the disk is full, it takes pictures again.
    """

    def __init__(
        self,
        collection: Collection,
        live: Live,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.collection = collection
        self.live = live
        self.counts = Counts()
        self.disk = Disk(tell)
        self.gallery = Gallery(collection.read)
        self._bursts: OrderedDict[str, _Burst] = OrderedDict()
        self._seen: defaultdict[str, Diversity] = defaultdict(Diversity)
        self._lock = threading.Lock()

    def press(self, label: str, seen: Seen | None = None) -> Kept:
        """Keep the frame that was on the screen, whatever it shows.

        Args:
            label: One of the collection's.
            seen: That frame; None, from who sees none, for the newest.

        Raises:
            InvalidValueError: There is no such label.
            FrameGoneError: The frame is not kept any more; no other one is taken for it.
            SourceError: The camera gives no pictures.
            NotKeptError: The disk does not take it.
        """
        self.collection.check_label(label)
        burst = secrets.token_hex(6)
        found = self._frame(-1, seen)
        if found is None:
            raise SourceError("the camera has given no picture yet", hint="try again in a moment")
        frame, pixels = found
        return self._keep(label, burst, frame, pixels)

    def hold(self, burst: str, label: str, seen: Seen | None = None) -> Kept:
        """Go on with a burst: keep the next frame, if it shows something new.

        A burst that nobody knows any more begins anew. Returns within a second, so that
        whoever holds a button asks again and again, and one who has gone holds nothing. For errors
        see `press`.

        Args:
            burst: As `press` gave it.
            label: Of that press.
            seen: The frame that is on the screen now; None for the next one that comes.
        """
        with self._lock:
            known = self._bursts.get(burst)
        if known is None or known.label != label:
            return self.press(label, seen)
        time.sleep(max(0.0, min(1 / BURST_FPS, known.next_s - time.monotonic())))
        found = self._frame(known.frame, seen)
        if found is None:
            return Kept(burst, None)  # a slow camera, or a recording at its end
        frame, pixels = found
        cells = look_at(pixels).cells
        with self._lock:
            is_alike = not self._seen[label].is_new(cells)
            self.counts.alike += is_alike
        if is_alike:
            known.frame = frame.index
            return Kept(burst, None, is_alike=True)
        return self._keep(label, burst, frame, pixels)

    def relabel(self, identifiers: list[str], label: str) -> Change:
        """Move pictures to another label; see `Collection.relabel`."""
        change = self._change(lambda: self.collection.relabel(identifiers, label))
        self.counts.relabelled += change.count
        return change

    def discard(self, identifiers: list[str]) -> Change:
        """Move pictures to the trash; see `Collection.discard`."""
        change = self._change(lambda: self.collection.discard(identifiers))
        self.counts.discarded += change.count
        return change

    def undo(self) -> Change | None:
        """Take the last thing back; see `Collection.undo`."""
        change = self._change(self.collection.undo)
        if change is not None:
            counts = {"keep": "kept", "relabel": "relabelled", "discard": "discarded"}
            name = counts[change.kind]
            # What an earlier run has done was not counted in this one.
            setattr(self.counts, name, max(0, getattr(self.counts, name) - change.count))
        return change

    def empty_trash(self) -> int:
        """Delete what was discarded, for good; see `Collection.empty_trash`."""
        return change_on_disk(self.collection.empty_trash)

    def _keep(self, label: str, burst: str, frame: CapturedFrame, pixels: Frame) -> Kept:
        look = look_at(pixels)
        content = to_jpeg(frame)
        facts = self._facts(frame)
        try:
            picture = self.disk.attempt(lambda: self.collection.keep(label, content, facts, burst))
        except OSError:
            self.counts.failed += 1
            raise
        with self._lock:
            self._seen[label].remember(look.cells)
            self._bursts[burst] = _Burst(label, frame.index, time.monotonic() + 1 / BURST_FPS)
            while len(self._bursts) > _BURSTS:
                self._bursts.popitem(last=False)
            self.counts.kept += 1
        self.gallery.add(picture, pixels, look)
        return Kept(burst, picture)

    def _change(self, work: Callable[[], _Result]) -> _Result:
        try:
            return change_on_disk(work)
        finally:
            with self._lock:
                self._seen.clear()  # what is not there any more is no reason to leave others out

    def _frame(self, after: int, seen: Seen | None) -> tuple[CapturedFrame, Frame] | None:
        """A frame behind the one with a number, and its pixels; None when there is none.

        It is the one that was seen and no other; without one the newest that can be read.
        """
        if seen is not None:
            frame = self.live.seen(seen.run, seen.frame)
            return (frame, pixels_of(frame)) if frame.index > after else None
        wrong: PictureError | None = None
        for _ in range(_TRIES):
            newest = self.live.newest(after)
            if newest is None:
                break
            try:
                return newest, pixels_of(newest)
            except PictureError as spoilt:
                wrong, after = spoilt, newest.index
        if wrong is not None:
            raise wrong
        return None

    def _facts(self, frame: CapturedFrame) -> dict[str, Any]:
        facts = {"time": round(time.time(), 3), "frame": frame.index, "source": self.live.name}
        return facts | ({"origin": frame.name} if frame.name else {})
