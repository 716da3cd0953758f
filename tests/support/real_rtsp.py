"""A real RTSP server for tests; they skip with the reason where it is not installed."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Any, Final, Self

import pytest

_PYTHON: Final = "/usr/bin/python3"
_SERVER: Final = Path(__file__).with_name("gst_server.py")
_NEEDED: Final = (
    "needs a real RTSP server: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0"
    " gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"
)
_ELEMENTS: Final = ("x264enc", "rtph264pay", "rtspsrc", "alawenc", "interlace")
_CHECK: Final = f"""
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in {_ELEMENTS!r})
"""
# Without a B-frame or a frame of lookahead, as cameras encode.
H264: Final = (
    "appsrc ! videoconvert ! video/x-raw,format=I420"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={keyframes}"
    " option-string=scenecut=0 ! rtph264pay name=pay0 pt=96 config-interval=1"
)
AUDIO: Final = (
    "audiotestsrc is-live=true ! audioconvert ! audio/x-raw,rate=8000,channels=1"
    " ! alawenc ! rtppcmapay name=pay{number} pt=8"
)


@functools.cache
def _is_installed() -> bool:
    try:
        checked = subprocess.run([_PYTHON, "-c", _CHECK], check=False, capture_output=True)
    except OSError:
        return False
    return checked.returncode == 0


class RealRtspServer:
    """GStreamer's server in a process of its own.

    Args:
        served: Path -> what `gst_server` takes.
    """

    def __init__(self, **served: dict[str, Any]) -> None:
        if not _is_installed():
            pytest.skip(_NEEDED)
        about = {f"/{name}": value for name, value in served.items()}
        self._process = subprocess.Popen(
            [_PYTHON, _SERVER, json.dumps(about)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def url(self, name: str, login: str = "") -> str:
        """The address to open."""
        return f"rtsp://{login}127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_wrong: object) -> None:
        self._process.kill()
        self._process.communicate()
