"""V4L2 and USB cameras, through OpenCV."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgecls.errors import SourceError
from edgecls.imaging.opencv import cv2
from edgecls.sources import CapturedFrame, Closing, known_sources

DEFAULT_SIZE: Final = (480, 640)
_SYS: Final = Path("/sys/class/video4linux")


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A video device that this machine has: `/dev/video0` and the name its driver gives it."""

    device: str
    name: str


def find_cameras(sys_folder: Path = _SYS) -> list[CameraInfo]:
    """Video devices, as the kernel lists them."""
    if not sys_folder.is_dir():
        return []
    found = (path for path in sys_folder.iterdir() if re.fullmatch(r"video\d+", path.name))
    devices = sorted(found, key=lambda path: int(path.name[5:]))
    return [CameraInfo(f"/dev/{path.name}", _read_name(path / "name")) for path in devices]


class CameraSource(Closing):
    """A camera that is streaming; it is live, so read it all the time."""

    is_live = True
    is_sequence = True

    def __init__(self, device: str, size: tuple[int, int] = DEFAULT_SIZE) -> None:
        self.name = device
        _refuse_unusable(device)
        self._capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                f"the camera {device} cannot be opened",
                hint="is another program using it? 'fuser -v " + device + "' tells",
            )
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
        # Cameras queue frames: a long queue makes the label lag behind the picture.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._started_s = time.monotonic()
        self._index = -1

    def read(self) -> CapturedFrame | None:
        """The next frame; blocks until the camera has one, at most 3 s."""
        arrived = self._capture.grab()
        now = time.monotonic()
        pixels = self._capture.retrieve()[1] if arrived else None
        if pixels is None:
            # After unplugging, OpenCV says so at once and for ever, and still claims to be open.
            raise SourceError(f"the camera {self.name} gives no frames", hint="is it plugged in?")
        self._index += 1
        frame = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        decode_ms = (time.monotonic() - now) * 1e3
        return CapturedFrame(frame, self._index, now - self._started_s, now, decode_ms)

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()


def open_source(text: str) -> CameraSource:
    """Open `0`, `1`, ... or `/dev/videoN`."""
    return CameraSource(f"/dev/video{text}" if text.isdecimal() else text)


def _refuse_unusable(device: str) -> None:
    if not re.fullmatch(r"/dev/video\d+", device) and not os.path.exists(device):
        raise SourceError(
            f"{device!r} is no camera", hint="cameras are /dev/video0, /dev/video1, ..."
        )
    if not os.path.exists(device):
        others = ", ".join(camera.device for camera in find_cameras())
        raise SourceError(
            f"there is no camera {device}" + (f"; this machine has {others}" if others else ""),
            hint=f"plug one in, or choose another --source: {known_sources()}",
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(
            f"you may not use the camera {device}",
            hint="join the group video: sudo usermod -aG video $USER, then log in again",
        )


def _read_name(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
