"""Scenes with the kernel's own test camera, which sends plain pixels."""

from __future__ import annotations

import json
import subprocess

from scenes import DEVICE, CameraCommand, edgecls, tell, wait_for_device, write

DRIVER = "/sys/bus/platform/drivers/vivid/"


def drop(percent: int) -> None:
    """Let the driver lose that share of all frames."""
    control = f"percentage_of_dropped_buffers={percent}"
    subprocess.run(["v4l2-ctl", "-d", DEVICE, "-c", control], check=True)


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
camera.stop()
