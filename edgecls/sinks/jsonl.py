"""Events as JSON lines, to a file or to standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from edgecls.console import json_line
from edgecls.contract.events import Event
from edgecls.errors import SinkClosedError, SinkError


class JsonlSink:
    """One event a line, written at once."""

    def __init__(self, out: TextIO, name: str = "jsonl") -> None:
        self.name = name
        self._out = out

    def handle(self, event: Event) -> None:
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


def open_jsonl(path: Path) -> JsonlSink:
    """Append to a file.

    Raises:
        SinkError: It cannot be written.
    """
    try:
        return JsonlSink(path.open("a", encoding="ascii"), str(path))
    except OSError as wrong:
        raise SinkError(
            f"cannot write events to '{path}': {wrong.strerror}",
            hint="check that the folder exists and is writable",
        ) from wrong
