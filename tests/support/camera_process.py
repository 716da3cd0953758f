"""`edgecls camera` as a process, whose events a test waits for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.patience import patience

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its last event, all of them, stderr and exit code."""

    summary: Event
    events: list[Event]
    stderr: str
    code: int

    def of(self, kind: str) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event["event"] == kind]

    @property
    def states(self) -> list[str]:
        """Of the source."""
        return [event["state"] for event in self.of("source")]


class CameraProcess:
    """A loop that runs until it is stopped, or ends by itself.

    Args:
        model: A model file.
        source: As after `--source`.
        more: Further options.
        environment: Variables to set.
    """

    def __init__(self, model: Path, source: str, *more: str, **environment: str) -> None:
        self.events: list[Event] = []
        self._told = threading.Condition()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "edgecls", "camera", "--json", "--duration", "60"),
                *("--model", str(model), "--source", source, *more),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def children(self) -> list[int]:
        """The processes that it has started and not ended."""
        tasks = Path(f"/proc/{self.pid}/task")
        lists = [(tasks / task / "children").read_text() for task in os.listdir(tasks)]
        return [int(child) for child in " ".join(lists).split()]

    def wait_for(self, kind: str, seconds: float = 20.0, **fields: Any) -> Event:
        """The first event of a kind with these fields that comes after those waited for."""
        return self.wait_until(
            lambda event: event["event"] == kind and fields.items() <= event.items(), seconds
        )

    def wait_until(self, fits: Callable[[Event], bool], seconds: float = 20.0) -> Event:
        """The first event that fits; it and all before it are not looked at again."""
        end_s = time.monotonic() + patience(seconds)
        with self._told:
            while True:
                for number, event in enumerate(self.events[self._seen :]):
                    if fits(event):
                        self._seen += number + 1
                        return event
                left_s = end_s - time.monotonic()
                assert left_s > 0, f"nothing came of what was waited for: {self.events[-5:]}"
                assert self._reader.is_alive(), f"it has ended: {self.events[-5:]}"
                self._told.wait(min(left_s, 0.2))

    _seen = 0

    def end(self, seconds: float = 30.0) -> Ended:
        """Wait until it ends by itself."""
        code = self._process.wait(patience(seconds))
        self._reader.join(10)
        assert self._process.stderr is not None
        events = self.events
        summary = events[-1] if events and events[-1]["event"] == "summary" else {}
        return Ended(summary, events, self._process.stderr.read(), code)

    def stop(self) -> Ended:
        """Ask it to end."""
        self._process.terminate()
        return self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_wrong: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            with self._told:
                self.events.append(event)
                self._told.notify_all()
