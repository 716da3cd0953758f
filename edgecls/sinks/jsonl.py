"""Events as JSON lines, to standard output or to a file that is rotated."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TextIO

from edgecls.console import json_line
from edgecls.contract.events import Event
from edgecls.errors import SinkClosedError, SinkError, TargetError
from edgecls.imaging.captured import CapturedFrame
from edgecls.sinks import Sink
from edgecls.storage.guard import check_file, open_stream
from edgecls.storage.journal import Journal, LineFormat, older
from edgecls.storage.outage import Outage
from edgecls.storage.targets import EVENTS

MAX_BYTES: Final = 100 << 20
KEEP: Final = 5
LINES: Final = LineFormat(begins=b'{"event"')


class JsonlSink(Sink):
    """One event a line, written at once, to an open stream."""

    def __init__(self, out: TextIO, name: str = "jsonl") -> None:
        self.name = name
        self._out = out

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
        """Write a line."""
        try:
            self._out.write(json_line(event.to_json()) + "\n")
            self._out.flush()
        except BrokenPipeError as gone:
            raise SinkClosedError(f"nobody reads {self.name} any more") from gone
        except (OSError, ValueError) as wrong:  # ValueError: the file is closed
            raise SinkError(f"cannot write events to {self.name}: {wrong}") from wrong

    def close(self) -> None:
        """Close a file; standard output stays open."""
        if self._out is not sys.stdout:
            self._out.close()


class JsonlFileSink(Sink):
    """One event a line in a file; a disk that takes nothing is waited for.

    Args:
        journal: The file.
        path: Its name.
        tell: Takes a line for people, when the disk fails and when it works again.
    """

    def __init__(self, journal: Journal, path: Path, tell: Callable[[str], None]) -> None:
        self.name = str(path)
        self._journal = journal
        self._outage = Outage(self.name, tell)

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
        """Write a line, or count it as missed."""
        line = json_line(event.to_json()).encode() + b"\n"
        self._outage.attempt(lambda: self._journal.append(line))

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    @property
    def counts(self) -> Mapping[str, int]:
        """Events that the disk did not take."""
        return {"errors": self._outage.missed}


def open_jsonl(
    path: Path,
    tell: Callable[[str], None] = lambda _: None,
    *,
    max_bytes: int = MAX_BYTES,
    keep: int = KEEP,
) -> Sink:
    """Append to a file, or write to a device or a pipe.

    Args:
        path: Rotated and repaired only where it is a regular file.
        tell: Takes a line for people.
        max_bytes: Size from which on the file is renamed and begun anew; 0 for never.
        keep: How many older files stay.

    Raises:
        SinkError: It cannot be written.
        TargetError: One of the older names is taken by a file of another kind.
    """
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            return JsonlSink(open_stream(path), str(path))
        for number in range(1, keep + 1 if max_bytes else 1):
            check_file(older(path, number), EVENTS, "--jsonl")
        journal = Journal(path, LINES, max_bytes=max_bytes, keep=keep, waits=True)
    except (SinkError, TargetError):
        raise
    except (OSError, ValueError) as wrong:  # ValueError: a NUL in the name
        reason = wrong.strerror if isinstance(wrong, OSError) else wrong
        raise SinkError(
            f"cannot write events to '{path}': {reason}",
            hint="check that the folder exists and is writable",
        ) from wrong
    if journal.repaired_bytes:
        tell(f"{path}: its last line was torn and is cut off ({journal.repaired_bytes} bytes)")
    return JsonlFileSink(journal, path, tell)
