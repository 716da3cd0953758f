"""What pages are given as it happens: feeds, and the one of events."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

_EVENT_LIMIT_BYTES: Final = 256 << 10


class Viewer(Protocol):
    """A connection that is given a feed; only the server's own thread has to do with it."""

    waiting_bytes: int
    later: bytes

    def write(self, content: bytes) -> None:
        """Send this as soon as the client takes it."""

    def drop(self) -> None:
        """Close the connection."""


class Feed(Protocol):
    """Something that goes on for as long as somebody looks."""

    content_type: str

    def attach(self, wake: Callable[[], None]) -> None:
        """Be served from now on; `wake` makes the server's thread call `flush`."""

    def join(self, viewer: Viewer) -> None:
        """One more looks."""

    def leave(self, viewer: Viewer) -> None:
        """One less; who never joined may leave."""

    def flush(self) -> None:
        """Give the viewers what there is to give."""

    def beat(self) -> None:
        """Give them a sign of life."""


class Watched:
    """Who looks, and how to wake the server."""

    def __init__(self) -> None:
        self._viewers: list[Viewer] = []
        self._lock = threading.Lock()
        self._wake: Callable[[], None] = lambda: None

    @property
    def is_watched(self) -> bool:
        """Whether anybody looks."""
        return bool(self._viewers)

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    def attach(self, wake: Callable[[], None]) -> None:
        """See `Feed`."""
        self._wake = wake

    def leave(self, viewer: Viewer) -> None:
        """See `Feed`."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)


class Channel(Watched):
    """Server-sent events: each is written down once, however many look.

    A page that takes nothing any more is dropped with its connection; when it comes back, `hello`
    tells it where things stand, so what it missed does not matter.

    Args:
        hello: Gives the events, as (name, value), that a page is told first. Called in the server's
            thread for each page that comes, so it must not block.
    """

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, hello: Callable[[], Iterable[tuple[str, Any]]] = tuple) -> None:
        super().__init__()
        self._hello = hello
        self._waiting: list[bytes] = []

    def send(self, name: str, value: Any) -> None:
        """Tell all pages; safe in any thread. Costs nothing while nobody looks.

        Args:
            name: Of the event, a plain word.
            value: What `json.dumps` takes.
        """
        if not self._viewers:
            return
        content = _to_event(name, value)
        with self._lock:
            self._waiting.append(content)
        self._wake()

    def join(self, viewer: Viewer) -> None:
        """Tell where things stand, and all that comes from now on."""
        self.flush()
        self._viewers.append(viewer)
        viewer.write(b"retry: 1000\n\n" + b"".join(_to_event(*event) for event in self._hello()))

    def flush(self) -> None:
        """Give the viewers what was sent."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        if waiting:
            self._give(b"".join(waiting))

    def beat(self) -> None:
        """A comment, which pages overlook."""
        self._give(b": still here\n\n")

    def _give(self, content: bytes) -> None:
        for viewer in list(self._viewers):
            if viewer.waiting_bytes + len(content) > _EVENT_LIMIT_BYTES:
                viewer.drop()
            else:
                viewer.write(content)


def _to_event(name: str, value: Any) -> bytes:
    # JSON has no line feeds, so one `data` line holds it.
    return f"event: {name}\ndata: {json.dumps(value, allow_nan=False)}\n\n".encode()
