"""Scenes with a webcam that sends MJPEG and can be pulled."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from scenes import DEVICE, LARGE, CameraCommand, Plug, tell, wait_for

from edgecls.errors import PictureError
from edgecls.sources import open_source

SMALL = ("320", "240", "10", "small-0.jpg", "small-1.jpg")
READ = 20


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
