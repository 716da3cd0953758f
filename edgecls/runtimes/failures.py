"""Frames that an engine failed on: left out one by one, until there are too many in a row."""

from __future__ import annotations

from typing import Final

from edgecls.errors import EngineError, FrameFailedError

# 3 s at 30 frames a second: longer than a hand is before the lens.
MOST_FAILURES_IN_A_ROW: Final = 100


class Failures:
    """Counts frames that failed, and gives up where nothing but failures comes.

    Args:
        most: So many in a row are the model's fault, not that of one kind of frame.
    """

    def __init__(self, most: int = MOST_FAILURES_IN_A_ROW) -> None:
        self.count = 0
        self._most = most
        self._in_a_row = 0

    def end(self) -> None:
        """A frame went well."""
        self._in_a_row = 0

    def add(self, failed: FrameFailedError, model: str) -> None:
        """Count a frame that the model of that name failed on.

        Raises:
            EngineError: It is one too many in a row.
        """
        self.count += 1
        self._in_a_row += 1
        if self._in_a_row >= self._most:
            raise EngineError(
                f"{model!r} failed on {self._in_a_row} frames in a row: {failed.problem}",
                hint="check it with 'edgecls verify', or use another model",
            ) from failed
