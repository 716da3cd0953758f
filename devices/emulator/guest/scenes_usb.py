"""Scenes with a webcam that sends MJPEG and can be pulled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from scenes import DEVICE, CameraCommand, tell, wait_for, wait_for_device

from edgecls.errors import PictureError
from edgecls.sources import open_source

LARGE = ("640", "480", "10", "large-0.jpg", "large-1.jpg")
SMALL = ("320", "240", "10", "small-0.jpg", "small-1.jpg")
READ = 20


class Plug:
    """The webcam's cable."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def push_in(self, webcam: tuple[str, ...]) -> None:
        """Until the kernel has made its file."""
        self._process = subprocess.Popen([sys.executable, "-S", "-E", "webcam.py", *webcam])
        wait_for_device()

    def pull(self) -> None:
        """At once, as a cable is pulled."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def signal(self, number: int) -> None:
        """To the webcam."""
        assert self._process is not None
        self._process.send_signal(number)


plug = Plug()
plug.push_in(LARGE)
sent = {Path(name).read_bytes() for name in LARGE[3:]}
as_sent = decoded = damaged = 0
with open_source("0") as source:
    for _ in range(READ):
        try:
            frame = source.read()
        except PictureError:
            damaged += 1
            continue
        assert frame is not None
        as_sent += frame.jpeg in sent
        decoded += frame.pixels is not None
tell("frames", read=READ, as_sent=as_sent, decoded=decoded, damaged=damaged)

camera = CameraCommand()
camera.go_through("unplug", plug.pull, lambda: plug.push_in(LARGE))
camera.go_through("hang", lambda: plug.signal(signal.SIGUSR1), lambda: plug.signal(signal.SIGUSR2))
camera.go_through("another resolution", plug.pull, lambda: plug.push_in(SMALL))
camera.stop()
plug.pull()
wait_for(lambda: not os.path.exists(DEVICE))
