"""V4L2 and USB cameras, read from the kernel without a copy too many.

MJPEG frames are handed on undecoded, so that only those that are classified are decoded, and at the
size that the model needs. YUYV and other plain pixels become RGB by BT.601, limited range, which is
what USB cameras send (the default colour matching of the USB video class).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from edgecls.errors import NoSuchSourceError, PictureError, SourceError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2
from edgecls.profile.devices import find_users
from edgecls.sources import CapturedFrame, Closing, SourceWishes, known_sources
from edgecls.sources.jpeg import trim
from edgecls.sources.v4l2.device import Device, FileKernel, Kernel, Setting
from edgecls.sources.v4l2.listing import (
    CameraInfo,
    Mode,
    describe,
    find_cameras,
)

__all__ = ["CameraInfo", "CameraSource", "find_cameras", "open_source"]

DEFAULT_SIZE: Final = (480, 640)
_DEFAULT_FPS: Final = 30.0
_JPEGS: Final = ("MJPG", "JPEG")
# Pixel format -> (bytes a pixel of a row, rows for a height, OpenCV's conversion).
_PIXELS: Final[dict[str, tuple[int, float, int]]] = {
    "YUYV": (2, 1, cv2.COLOR_YUV2RGB_YUYV),
    "UYVY": (2, 1, cv2.COLOR_YUV2RGB_UYVY),
    "NV12": (1, 1.5, cv2.COLOR_YUV2RGB_NV12),
    "YU12": (1, 1.5, cv2.COLOR_YUV2RGB_I420),
    "RGB3": (3, 1, -1),
    "BGR3": (3, 1, cv2.COLOR_BGR2RGB),
    "GREY": (1, 1, cv2.COLOR_GRAY2RGB),
}
_MOST_NAMED: Final = 8
# USB 2 carries YUYV up to this size at 30 frames a second.
_MOST_YUYV: Final = 640 * 480


class CameraSource(Closing):
    """A camera that is streaming; it is live, so read it all the time.

    Args:
        device: `/dev/video0`.
        wishes: Size, rate and pixel format; what the driver made of them is in `setting`, and
            where that differs, in `warnings`.
        open_kernel: Opens the device; a made-up one in tests.
    """

    is_live = True
    is_sequence = True

    def __init__(
        self,
        device: str,
        wishes: SourceWishes | None = None,
        open_kernel: Callable[[str], Kernel] | None = None,
    ) -> None:
        wishes = wishes or SourceWishes()
        self.name = device
        self._timeout_s = wishes.silence_s
        self._index = -1
        self._first_s: float | None = None
        try:
            opened = (open_kernel or _open_kernel)(device)
        except SourceError:
            raise
        except OSError as wrong:
            raise _cannot_open(device, wrong) from wrong
        self._device = Device(opened)
        try:
            self.setting = _set_up(self._device, opened, device, wishes)
            self._device.start()
        except OSError as wrong:
            self._device.close()
            raise (
                wrong if isinstance(wrong, SourceError) else _cannot_open(device, wrong)
            ) from wrong
        self.warnings = _compare(self.setting, wishes)
        self.rate = self.setting.fps

    def read(self) -> CapturedFrame | None:
        """The next frame; waits for it no longer than the timeout.

        Raises:
            SourceError: Unplugged, or silent for too long.
            PictureError: A frame that is damaged or cut off.
        """
        try:
            content, taken_s = self._device.take(self._timeout_s)
        except TimeoutError as wrong:
            raise SourceError(
                f"the camera {self.name} sent nothing for {self._timeout_s:g} s",
                hint="unplug it and plug it in again; does its cable or hub give enough power?",
            ) from wrong
        except OSError as wrong:
            raise SourceError(
                f"the camera {self.name} is lost: {wrong.strerror}", hint="is it plugged in?"
            ) from wrong
        self._index += 1
        if self._first_s is None:
            self._first_s = taken_s
        media_s = taken_s - self._first_s
        if self.setting.pixel_format in _JPEGS:
            return CapturedFrame(None, self._index, media_s, taken_s, jpeg=trim(content))
        begun = time.monotonic()
        frame = to_rgb(content, self.setting)
        decode_ms = (time.monotonic() - begun) * 1e3
        return CapturedFrame(frame, self._index, media_s, taken_s, decode_ms)

    def close(self) -> None:
        """Let go of the device."""
        self._device.close()


def open_source(text: str, wishes: SourceWishes | None = None) -> CameraSource:
    """Open `0`, `1`, ... or `/dev/videoN`."""
    return CameraSource(f"/dev/video{text}" if text.isdecimal() else text, wishes)


def to_rgb(content: bytes, setting: Setting) -> Frame:
    """Turn plain pixels into a frame.

    Args:
        content: As the driver gives them, rows of `setting.stride` bytes.
        setting: Of a pixel format other than JPEG.

    Returns:
        uint8 RGB, (height, width, 3). YUV is taken as BT.601, limited range.

    Raises:
        PictureError: Fewer bytes than the frame has.
    """
    bytes_a_pixel, share, conversion = _PIXELS[setting.pixel_format]
    height, width = setting.size
    rows, used = int(height * share), width * bytes_a_pixel
    stride = max(setting.stride, used)
    if len(content) < stride * (rows - 1) + used:
        raise PictureError(f"the camera sent {len(content)} bytes of a frame of {stride * rows}")
    missing = stride * rows - len(content)  # the last row may lack its padding
    padded = np.frombuffer(content + bytes(missing) if missing > 0 else content, np.uint8)
    pixels = padded[: stride * rows].reshape(rows, stride)[:, :used]
    if share == 1 and bytes_a_pixel > 1:
        pixels = pixels.reshape(rows, width, bytes_a_pixel)
    frame = pixels if conversion < 0 else cv2.cvtColor(pixels, conversion)
    return np.ascontiguousarray(frame, np.uint8)


def choose_format(modes: Sequence[Mode], wishes: SourceWishes) -> str:
    """The pixel format to ask for.

    By default YUYV up to 640x480, which is cheaper to convert than a JPEG is to decode, and MJPG
    above, where USB 2 cannot carry YUYV at 30 frames a second.

    Raises:
        SourceError: The camera has none that can be read.
    """
    offered = list(dict.fromkeys(mode.pixel_format for mode in modes))
    if wishes.pixel_format != "auto":
        if offered and wishes.pixel_format not in offered:
            raise SourceError(
                f"the camera has no {wishes.pixel_format}, it has {_enumerate(offered)}",
                hint="choose one of those, or leave it to us with 'auto'",
            )
        return wishes.pixel_format
    height, width = wishes.size or DEFAULT_SIZE
    fps = wishes.fps or _DEFAULT_FPS
    is_light = height * width <= _MOST_YUYV and fps <= _DEFAULT_FPS
    preferred = ("YUYV", *_JPEGS) if is_light else (*_JPEGS, "YUYV")
    for fourcc in (*preferred, *_PIXELS):
        if fourcc in offered:
            return fourcc
    if not offered:
        return "MJPG"  # a driver that lists nothing; it will say what it set
    raise SourceError(
        f"the camera gives {_enumerate(offered)}, and none of them can be read",
        hint="a Raspberry Pi camera is 'picamera:0'",
    )


def _enumerate(formats: Sequence[str]) -> str:
    more = ", ..." if len(formats) > _MOST_NAMED else ""
    return ", ".join(formats[:_MOST_NAMED]) + more


def _set_up(device: Device, kernel: Kernel, path: str, wishes: SourceWishes) -> Setting:
    details = describe(CameraInfo(path, ""), kernel.ioctl)
    if details is None or details.problem:
        why = details.problem if details is not None else "it is a codec or a metadata device"
        raise SourceError(
            f"{path} gives no frames: {why}", hint="'edgecls cameras' lists what does"
        )
    pixel_format = choose_format(details.modes, wishes)
    setting = device.configure(
        pixel_format, wishes.size or DEFAULT_SIZE, wishes.fps or _DEFAULT_FPS
    )
    if setting.pixel_format not in (*_JPEGS, *_PIXELS):
        raise SourceError(
            f"the camera {path} gives {setting.pixel_format}, which cannot be read",
            hint="'edgecls cameras' lists what it can do",
        )
    return setting


def _compare(setting: Setting, wishes: SourceWishes) -> tuple[str, ...]:
    """What was asked for and not given."""
    asked = []
    if wishes.size is not None and setting.size != wishes.size:
        asked.append(f"{wishes.size[1]}x{wishes.size[0]}")
    if wishes.fps is not None and setting.fps and abs(setting.fps - wishes.fps) > 0.05 * wishes.fps:
        asked.append(f"{wishes.fps:g} frames a second")
    if wishes.pixel_format not in ("auto", setting.pixel_format):
        asked.append(wishes.pixel_format)
    return (f"asked for {' and '.join(asked)}, the camera gives {setting}",) if asked else ()


def _cannot_open(device: str, wrong: OSError) -> SourceError:
    users = ", ".join(find_users(device))
    if users:
        return SourceError(
            f"the camera {device} is in use by {users}", hint="end that program first"
        )
    return SourceError(
        f"the camera {device} cannot be opened: {wrong.strerror or wrong}",
        hint="is another program using it? 'fuser -v " + device + "' tells",
    )


def _open_kernel(device: str) -> Kernel:
    _refuse_unusable(device)
    return FileKernel(device)


def _refuse_unusable(device: str) -> None:
    if not re.fullmatch(r"/dev/video\d+", device) and not os.path.exists(device):
        raise NoSuchSourceError(
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
