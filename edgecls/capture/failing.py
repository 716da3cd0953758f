"""Frames that reached the model and that it failed on: counted, and told once for each spell."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from edgecls.contract.warning_event import WarningEvent
from edgecls.errors import EngineError, FrameFailedError
from edgecls.runtimes.failures import Failures

# A spell is over when the model has been well for so long, and the next is told no sooner.
_WELL_S: Final = 10.0


class FailingFrames:
    """Leaves out what the model fails on, says so, and gives up where it fails on everything.

    Args:
        emit: Takes the warnings.
    """

    def __init__(self, emit: Callable[[WarningEvent], None]) -> None:
        self._emit = emit
        self._failures = Failures()
        self._began_s: float | None = None
        self._last_s = 0.0
        self._latest: tuple[FrameFailedError, str] | None = None

    @property
    def count(self) -> int:
        """How many frames failed."""
        return self._failures.count

    def see_failed(self, failed: FrameFailedError, model: str, source: str) -> None:
        """Count a frame.

        Raises:
            EngineError: There were too many in a row.
        """
        self._latest = failed, model
        self._last_s = now = time.monotonic()
        if self._began_s is None:
            self._began_s = now
            reason = f"the model fails on some frames, which are left out: {failed.problem}"
            self._emit(WarningEvent("failing", "begin", time.time(), source, 0.0, reason))
        self._failures.add(failed, model)

    def check(self) -> None:
        """Say that the model failed on all frames, if it failed on one.

        Raises:
            EngineError: It did.
        """
        if self._latest is not None:
            failed, model = self._latest
            raise EngineError(
                f"{model!r} failed on all {self.count} frames: {failed.problem}",
                hint=failed.hint or "use another model, or try it on other pictures",
            ) from failed

    def see_well(self, source: str) -> None:
        """A frame went through the model."""
        self._failures.end()
        if self._began_s is not None and (now := time.monotonic()) - self._last_s > _WELL_S:
            seconds, self._began_s = now - self._began_s, None
            self._emit(WarningEvent("failing", "end", time.time(), source, seconds))
