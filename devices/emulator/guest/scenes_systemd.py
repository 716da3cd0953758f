"""Scenes with a camera loop that systemd runs: killed, and in front of a camera that hangs."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from scenes import DEVICE, MODEL, tell, wait_for, wait_for_device, write

UNIT = f"""[Service]
WorkingDirectory=/opt/machine
Environment=PYTHONPATH=/opt/edgecls HOME=/tmp
ExecStart=/usr/bin/python3 -m edgecls camera --model {MODEL} --source {DEVICE} --jsonl /run/events
Restart=always
RestartSec=1
StartLimitIntervalSec=0
"""
EVENTS = Path("/run/events")


def systemctl(*words: str) -> str:
    """Its answer."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def count_predictions() -> int:
    """Of all runs of the service."""
    return EVENTS.read_text().count('"prediction"') if EVENTS.exists() else 0


def wait_for_more(predictions: int) -> bool:
    """Whether there came three more than so many."""
    return bool(wait_for(lambda: count_predictions() >= predictions + 3))


wait_for_device()
Path("/run/systemd/system").mkdir(exist_ok=True)
write("/run/systemd/system/camera.service", UNIT)
systemctl("daemon-reload")
systemctl("start", "camera")
tell("start", classifies=wait_for_more(0), state=systemctl("is-active", "camera"))
systemctl("kill", "--signal=KILL", "camera")
killed_s = time.time()
seen = count_predictions()
classifies = wait_for_more(seen)
tell(
    "kill",
    classifies=classifies,
    back_after_s=round(time.time() - killed_s, 1),
    restarts=int(systemctl("show", "--property=NRestarts", "--value", "camera")),
)
systemctl("stop", "camera")
tell("end", state=systemctl("is-active", "camera"))
