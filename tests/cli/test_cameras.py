"""`edgecls cameras`: for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from edgecls.cli.cameras import print_cameras
from edgecls.sources.v4l2.listing import CameraDetails, CameraInfo, Mode, describe
from tests.support.made_camera import MadeCamera

USB = describe(CameraInfo("/dev/video0", "Made \x1b[31mcamera"), MadeCamera().ioctl, ("zoom (12)",))
OTHER = CameraDetails(
    "/dev/video2",
    "Sensor",
    modes=(Mode("BG10", (1944, 2592), (), (16, 32)),),
    problem="not yours to use: join the group video",
)


def test_a_camera_is_shown_with_all_it_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert USB is not None
    print_cameras([USB, OTHER], as_json=False)
    assert capsys.readouterr().out == (
        "/dev/video0  Made \\x1b[31mcamera  (uvcvideo, usb-1.2)\n"
        "  YUYV  640x480     30, 15 a second\n"
        "        1280x720    10 a second\n"
        "  MJPG  640x480     30 a second\n"
        "        1280x720    30, 15 a second\n"
        "  in use by zoom (12)\n"
        "/dev/video2  Sensor\n"
        "  BG10  32x16 to 2592x1944\n"
        "  not yours to use: join the group video\n"
    )


def test_json_is_one_object_a_camera(capsys: pytest.CaptureFixture[str]) -> None:
    assert USB is not None
    print_cameras([USB, OTHER], as_json=True)
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["device"] == "/dev/video0"
    assert first["formats"][3] == {
        "format": "MJPG",
        "width": 1280,
        "height": 720,
        "fps": [30.0, 15.0],
    }
    assert first["used_by"] == ["zoom (12)"]
    assert "problem" not in first
    assert second["problem"] == "not yours to use: join the group video"


@pytest.mark.skipif(os.path.exists("/dev/video0"), reason="this machine has a camera")
def test_without_cameras_it_says_so_and_is_done() -> None:
    command = [sys.executable, "-m", "edgecls", "cameras"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "no cameras (plug one in, or try --source fake:digits)\n"
    with_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert (with_json.returncode, with_json.stdout) == (0, "")
