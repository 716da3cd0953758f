"""Limits in seconds that hold on a busy machine, too: a hang is still a hang."""

from __future__ import annotations

import subprocess
import sys
import time

# What starting an empty Python takes on an idle machine, generously.
_USUAL_START_S = 0.05


def patience(seconds: float) -> float:
    """`seconds`, times how much slower than usual this machine is at this moment."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    return seconds * max(1.0, (time.monotonic() - started) / _USUAL_START_S)
