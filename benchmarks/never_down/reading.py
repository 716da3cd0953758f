"""A capture that reads a camera which is about to fail, and a watch on when it has frames again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from faulty_camera import FaultyCamera

from edgecls.capture import Capture
from edgecls.contract.events import Event
from edgecls.sources import Source, open_source
from edgecls.sources.isolated import IsolatedSource
from tests.support.rtsp_server import RtspServer

_GIVE_UP_S: Final = 30.0


class Bench:
    """A capture, and the camera that it reads."""

    def __init__(self, open_: Callable[[], Source]) -> None:
        self.source: Source | None = None
        self._open = open_
        self._stop = threading.Event()
        self.capture = Capture(self._opened, self._stop, self._note)
        self.capture.open()
        self.capture.start()

    def take(self, count: int) -> float:
        """Take frames; gives when the last of them was there."""
        end_s = time.monotonic() + _GIVE_UP_S
        while count and time.monotonic() < end_s:
            count -= self.capture.take() is not None
        return time.monotonic()

    def take_after(self, moment: Callable[[], float], started_s: float) -> float:
        """Seconds from the moment, once it has come, to the first frame that was taken later."""
        end_s = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < end_s:
            frame = self.capture.take()
            at = moment()
            if frame is not None and at > started_s and frame.captured_s > at:
                return time.monotonic() - at
        return float("inf")

    def close(self) -> None:
        """End reading."""
        self._stop.set()
        self.capture.close()
        if isinstance(self.source, IsolatedSource):
            self.source.close()

    def _opened(self) -> Source:
        self.source = self._open()
        return self.source

    def _note(self, _event: Event) -> None:
        """What is lost and back is seen by the frames."""


@contextmanager
def http() -> Iterator[tuple[FaultyCamera, Bench]]:
    """An MJPEG camera."""
    camera = FaultyCamera(30.0)
    bench = Bench(lambda: open_source(camera.url))
    try:
        bench.take(5)
        yield camera, bench
    finally:
        bench.close()
        camera.close()


@contextmanager
def rtsp() -> Iterator[tuple[RtspServer, Bench]]:
    """An RTSP camera, read by a process of its own."""
    with RtspServer(fps=30.0) as server:
        bench = Bench(lambda: open_source(server.url()))
        try:
            bench.take(5)
            yield server, bench
        finally:
            bench.close()
