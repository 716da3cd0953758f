"""A table of classified frames, for spreadsheets and pandas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from edgecls.contract.events import Event, PredictionEvent
from edgecls.contract.moment import to_moment
from edgecls.contract.tables import FRAME_COLUMNS, to_row
from edgecls.imaging.captured import CapturedFrame
from edgecls.sinks import Sink
from edgecls.storage.journal import Journal, LineFormat
from edgecls.storage.outage import Outage

# The first cell may be cut anywhere; once it is whole it is a time, see `_moment_of`.
_TORN_ROW: Final = re.compile(
    rb"-?\d[\d:T.+-]*|(?:\d{4}-\d\d-\d\dT[\d:.+]+|-?\d+\.\d{3}),.*", re.DOTALL
)
_FIRST_CLOCK_S: Final = 1e9  # in 2001; no recording is that long


class CsvSink(Sink):
    """One row a classified frame.

    Args:
        path: The file; begun with a header, appended to where it has the same one.
        tell: Takes a line for people, when the disk fails and when it works again.

    Raises:
        SinkError: It cannot be written, or holds another table.
    """

    takes: ClassVar = (PredictionEvent,)

    def __init__(self, path: Path, tell: Callable[[str], None] = lambda _: None) -> None:
        self.name = str(path)
        # Rows end with CR LF (RFC 4180) and cells hold no CR, so a torn row is known as one.
        header = to_bytes(FRAME_COLUMNS)
        lines = LineFormat(begins=b"", header=header, end=b"\r\n", is_torn=_is_torn_row)
        self._journal = Journal(path, lines, waits=True)
        self._outage = Outage(self.name, tell)
        if self._journal.repaired_bytes:
            tell(f"{path}: its last row was torn and is cut off")

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
        """Write a row, or count it as missed."""
        if isinstance(event, PredictionEvent):
            row = to_bytes(_cells_of(event))
            self._outage.attempt(lambda: self._journal.append(row))

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    @property
    def counts(self) -> Mapping[str, int]:
        """Rows that the disk did not take."""
        return {"errors": self._outage.missed}


def to_bytes(cells: Sequence[str]) -> bytes:
    """A row as UTF-8, defused as `to_row` does.

    Line feeds stay, in quotes; carriage returns become line feeds, so that CR LF ends a row and
    nothing else. A name that is not UTF-8 is shown with backslashes.
    """
    plain = [cell.replace("\r\n", "\n").replace("\r", "\n") for cell in cells]
    return to_row(plain).encode("utf-8", "backslashreplace")


def _is_torn_row(torn: bytes) -> bool:
    """Whether half a row may be one of ours: it begins with a time, and a person's seldom does."""
    return _TORN_ROW.fullmatch(torn) is not None


def _cells_of(event: PredictionEvent) -> Sequence[str]:
    return (
        _moment_of(event.time),
        str(event.frame),
        event.label,
        f"{event.score:.4f}",
        event.steady,
        "" if event.age_ms is None else f"{event.age_ms:.2f}",
        event.name,
        event.truth,
    )


def _moment_of(seconds: float) -> str:
    """The time of day in UTC; of a recording, whose time begins with 0, the seconds."""
    if seconds < _FIRST_CLOCK_S:
        return f"{seconds:.3f}"
    return to_moment(seconds).isoformat(timespec="milliseconds")
