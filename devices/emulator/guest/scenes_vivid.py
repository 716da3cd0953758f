"""Scenes with the kernel's own test camera, which sends plain pixels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from scenes import DEVICE, CameraCommand, edgecls, tell, wait_for_device, write

DRIVER = "/sys/bus/platform/drivers/vivid/"
VIDEO = 44  # the group, as Debian numbers it


def drop(percent: int) -> None:
    """Let the driver lose that share of all frames."""
    control = f"percentage_of_dropped_buffers={percent}"
    subprocess.run(["v4l2-ctl", "-d", DEVICE, "-c", control], check=True)


def doctor(scene: str, **who: Any) -> None:
    """What the doctor says of the camera to root, or to `who`."""
    command = [sys.executable, "-m", "edgecls", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **who)
    findings = json.loads(done.stdout)["findings"]
    told = [finding for finding in findings if finding["check"] == "camera"]
    tell(scene, code=done.returncode, found=told, stderr=done.stderr)


wait_for_device()
listed = edgecls("cameras", "--json")
cameras = [json.loads(line) for line in listed.stdout.splitlines()]
tell("cameras", devices=[camera["device"] for camera in cameras], stderr=listed.stderr)
camera = CameraCommand("--size", "320x180")
camera.go_through("hang", lambda: drop(100), lambda: drop(0))
camera.go_through(
    "unplug",
    lambda: write(DRIVER + "unbind", "vivid.0"),
    lambda: write(DRIVER + "bind", "vivid.0"),
)
doctor("doctor: in use")
camera.stop()
os.chown(DEVICE, 0, VIDEO)
os.chmod(DEVICE, 0o660)
doctor("doctor: not ours", user=1000, group=1000, extra_groups=[])
doctor("doctor: ours", user=1000, group=1000, extra_groups=[VIDEO])
