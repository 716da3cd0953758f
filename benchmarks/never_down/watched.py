"""A camera loop as a process, watched from outside: what it says, and what it takes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).parents[2]


@dataclass(slots=True)
class Watched:
    """A loop as a process, its samples and what it said."""

    name: str
    process: subprocess.Popen[str]
    events: Counter[str] = field(default_factory=Counter)
    last: dict[str, Any] = field(default_factory=dict)
    samples: list[tuple[float, float, int, int, float]] = field(default_factory=list)
    is_read: threading.Event = field(default_factory=threading.Event)
    predicted_s: float = 0.0

    def read(self) -> None:
        """Take what it prints, in a thread; unless nobody is to read."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.is_read.wait()
            self.last = json.loads(line)
            name = self.last["event"]
            if name == "prediction":
                self.predicted_s = time.monotonic()
            state = self.last.get("state", "")
            self.events[" ".join((name, self.last.get("trouble", ""), state)).strip()] += 1

    def sample(self, now: float) -> None:
        """Note memory (MB, of itself and its children), files and threads."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = self.process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            children += [
                child
                for task in os.listdir(f"/proc/{pid}/task")
                if task != str(pid)
                for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            ]
            of_children = sum(_private_mb(int(child)) for child in children)
            files = len(os.listdir(f"/proc/{pid}/fd"))
            threads = len(os.listdir(f"/proc/{pid}/task"))
            self.samples.append((now, _private_mb(pid), files, threads, of_children))

    def figures(self, started_s: float) -> dict[str, Any]:
        """Of the second half: slope, and the most and the fewest files and threads."""
        end_s = self.samples[-1][0]
        late = [one for one in self.samples if one[0] > (started_s + end_s) / 2]
        if len(late) < 10:
            return {}
        at = np.array([one[0] for one in late])
        slope, children = (
            float(np.polyfit(at, [one[k] for one in late], 1)[0]) * 3600 for k in (1, 4)
        )
        return {
            "mb": round(late[-1][1], 1),
            "slope_mb_h": round(slope, 2),
            "files": [min(one[2] for one in late), max(one[2] for one in late)],
            "threads": [min(one[3] for one in late), max(one[3] for one in late)],
            "child_mb": round(late[-1][4], 1),
            "child_slope_mb_h": round(children, 2),
        }


def _private_mb(pid: int) -> float:
    resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE") / 1e6


def start(name: str, *arguments: str) -> Watched:
    """Start a loop, and wait for its first prediction."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecls", "camera", "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    watched = Watched(name, process)
    watched.is_read.set()
    threading.Thread(target=watched.read, daemon=True).start()
    while not watched.predicted_s:
        if process.poll() is not None:
            raise SystemExit(f"{name} ended with {process.returncode}")
        time.sleep(0.05)
    return watched
