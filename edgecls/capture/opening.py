"""Opening a source, for the first time and again, which may take as long as it likes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from edgecls.capture.health import Health
from edgecls.capture.losses import Losses
from edgecls.contract.events import Event, SourceEvent
from edgecls.errors import SourceError
from edgecls.imaging.captured import CapturedFrame
from edgecls.sources import Closing, Source

_POLL_S: Final = 0.1


class NoSource(Closing):
    """What there is when nobody waited for the source: nothing, and at its end."""

    name = ""
    is_live = True
    is_sequence = True

    def read(self) -> CapturedFrame | None:
        """None, always."""
        return None


class Opener:
    """Opens a source for the first time, and again whenever it was lost.

    Args:
        open_source: Opens it; raises SourceError.
        stop: Ends all attempts.
        emit: Takes the events `lost` and `back`.
        health: Looks at what is open.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        stop: threading.Event,
        emit: Callable[[Event], None],
        health: Health,
    ) -> None:
        self.losses = Losses()
        self._open_source = open_source
        self._stop = stop
        self._emit = emit
        self._health = health

    def open_unless(self, stop: threading.Event) -> Source:
        """Open it, or raise what that raises; `NoSource` once `stop` is set.

        It is opened in a thread: a camera that says nothing takes its time, and a signal must end
        that.
        """
        opened: list[Source] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                source = self._open()
            except BaseException as wrong:  # noqa: BLE001  # raised again in the caller's thread
                failed.append(wrong)
                return
            opened.append(source)

        thread = threading.Thread(target=work, name="opening", daemon=True)
        thread.start()
        # No `Event.wait`: a signal handler that sets the event would lock itself out.
        while thread.is_alive() and not stop.is_set():
            thread.join(_POLL_S)
        if failed:
            raise failed[0]
        return opened[0] if opened else NoSource()

    def open_again(self, source: Source, wrong: SourceError) -> Source | None:
        """Say that it is lost, and try until it is open; None when that was stopped."""
        source.close()
        self.losses.lose()
        self._health.end()
        self._emit(SourceEvent("lost", time.time(), source.name, wrong.problem))
        while not self._stop.wait(self.losses.next_delay_s()):
            try:
                opened = self._open()
            except SourceError:
                continue
            self._emit(SourceEvent("back", time.time(), opened.name))
            return opened
        return None

    def _open(self) -> Source:
        source = self._open_source()
        self.losses.find()
        self._health.begin(source)
        return source
