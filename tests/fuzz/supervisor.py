"""Watches the process that reads: what kills, hangs or bloats it is a finding, and it goes on."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.fuzz.target import Target, input_of, load_target

ROOT: Final = Path(__file__).parents[2]
# Importing everything and reading the sound ones, on a busy machine.
_START_S: Final = 300.0
_MOST_SHOWN: Final = 10


@dataclass(slots=True)
class Finding:
    """An input that did what none may do."""

    index: int
    what: str
    content: bytes

    @property
    def name(self) -> str:
        """Of its fixture."""
        return hashlib.sha256(self.content).hexdigest()[:12]


@dataclass(slots=True)
class Report:
    """What a run came to."""

    target: str
    seed: int
    count: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    slowest_s: float = 0.0
    most_mb: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "target": self.target,
            "seed": self.seed,
            "count": self.count,
            "seconds": round(self.seconds, 1),
            "outcomes": dict(self.outcomes.most_common()),
            "findings": [
                {"index": found.index, "what": found.what, "fixture": found.name}
                for found in self.findings[:_MOST_SHOWN]
            ],
            "slowest_s": self.slowest_s,
            "most_mb": self.most_mb,
        }


class ReaderEndedError(Exception):
    """The process is gone; the text says how: `hang`, a signal, an exit status, or nothing."""


class Reader:
    """One process that reads, from input `start` on."""

    def __init__(self, name: str, seed: int, start: int, end: int, files: Sequence[Path]) -> None:
        arguments = [str(each) for each in (seed, start, end, *files)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", name, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._rest = b""

    def line(self, limit_s: float) -> str:
        """The next line.

        Raises:
            ReaderEndedError: There is none, or none in time; the process is gone by then.
        """
        end_s = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            if not select.select([self._pipe], [], [], max(0.0, end_s - time.monotonic()))[0]:
                self.close()
                raise ReaderEndedError("hang")
            more = self._pipe.read(1 << 16)
            if not more:
                status = self._process.wait()
                name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
                raise ReaderEndedError(name if status else "")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        """End it; may be called twice."""
        self._process.kill()
        self._process.wait()
        self._pipe.close()


def fuzz(
    name: str,
    count: int,
    seed: int,
    *,
    files: Sequence[Path] = (),
    budget_s: float = float("inf"),
    advance: Callable[[int], None] = lambda _: None,
) -> Report:
    """Feed a target.

    Args:
        name: In `TARGETS`.
        count: Of inputs.
        seed: The same seed gives the same inputs.
        files: These instead.
        budget_s: No more is begun after so many seconds.
        advance: Told how many are done.

    Raises:
        RuntimeError: The process that reads does not start, or does not read sound input.
    """
    run = _Run(load_target(name), Report(name, seed), files)
    started = time.monotonic()
    done, total = 0, len(files) or count
    while done < total:
        reader = Reader(name, seed, done, total, files[done:])
        try:
            while (index := run.begin(reader)) is not None:
                run.finish(reader, index)
                done = index + 1
                advance(done)
                if time.monotonic() - started > budget_s:
                    total = done
                    break
        except ReaderEndedError:
            done = run.index + 1  # the next process goes on behind what killed this one
        finally:
            reader.close()
    run.report.seconds = time.monotonic() - started
    return run.report


class _Run:
    """Turns what a reader says into a report."""

    def __init__(self, target: Target, report: Report, files: Sequence[Path]) -> None:
        self.report = report
        self.index = -1
        self._target = target
        self._files = files
        self._seeds = () if files else target.seeds()

    def begin(self, reader: Reader) -> int | None:
        """Which input it reads now; None when it has read all."""
        try:
            self.index = int(reader.line(_START_S))
        except ReaderEndedError as ended:
            if str(ended):
                raise RuntimeError(f"the process that reads failed before: {ended}") from ended
            return None
        return self.index

    def finish(self, reader: Reader, index: int) -> None:
        """What came of it."""
        self.report.count += 1
        try:
            found = json.loads(reader.line(self._target.limit_s))
        except ReaderEndedError as ended:
            self._note(index, f"the process died: {ended}")
            raise
        self.report.outcomes[found["outcome"]] += 1
        self.report.slowest_s = max(self.report.slowest_s, found["seconds"])
        self.report.most_mb = max(self.report.most_mb, found["grown_mb"])
        if "finding" in found:
            self._note(index, found["finding"])
        elif found["grown_mb"] > self._target.memory_mb:
            self._note(index, f"it took {found['grown_mb']} MB, at most {self._target.memory_mb}")

    def _note(self, index: int, what: str) -> None:
        if self._files:
            content = self._files[index].read_bytes()
        else:
            content = input_of(self._target, self._seeds, self.report.seed, index)
        self.report.findings.append(Finding(index, what, content))
