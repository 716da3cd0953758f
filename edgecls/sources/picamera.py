"""Raspberry Pi cameras through picamera2: the image processor resizes, so nothing here has to.

Written `picamera:0`. Not run on a real camera yet; a stand-in with picamera2's interface is.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecls.errors import NoSuchSourceError, NotInstalledError, SourceError
from edgecls.sources import CapturedFrame, Closing, SourceWishes

# Where Debian's python3-picamera2 is, seen from an environment that does not see it.
_SYSTEM: Final = Path("/usr/lib/python3/dist-packages/picamera2")
_INSTALL: Final = "sudo apt install -y --no-install-recommends python3-picamera2"
# A picture with a margin, since models look at its middle, and resizing likes some pixels to spare.
_MARGIN: Final = 1.25
_DEFAULT_SIDE: Final = 480
_LEAST_SIDE: Final = 64
_DEFAULT_FPS: Final = 30.0
# Filled, waiting, read, and one to spare; picamera2's six would only let frames grow old.
_BUFFERS: Final = 4
_MODE: Final = {"crop_limits", "fps", "size", "bit_depth"}


class PiCameraSource(Closing):
    """A Pi camera that is streaming; it is live, so read it all the time.

    Args:
        number: As `rpicam-hello --list-cameras` counts them.
        wishes: A size is kept; without one, frames are a little larger than the model's image and
            have the sensor's shape.
        system_folder: Where the system's own picamera2 would be.
    """

    is_live = True
    is_sequence = True

    def __init__(
        self, number: int, wishes: SourceWishes | None = None, system_folder: Path = _SYSTEM
    ) -> None:
        wishes = wishes or SourceWishes()
        self.name = f"picamera:{number}"
        self.rate = wishes.fps or _DEFAULT_FPS
        self._timeout_s = wishes.silence_s
        self._index = -1
        self._first_s: float | None = None
        module = _import(system_folder)
        _refuse_webcam(module, number)
        try:
            self._camera = module.Picamera2(number)
        except (RuntimeError, IndexError) as wrong:
            raise SourceError(
                f"the Pi camera {number} cannot be opened: {wrong}",
                hint="'rpicam-hello --list-cameras' must list it, and no program may be using it",
            ) from wrong
        try:
            self._camera.configure(self._configuration(wishes))
            self._camera.start()
        except (RuntimeError, ValueError, KeyError) as wrong:
            self.close()
            raise SourceError(
                f"the Pi camera {number} cannot be set up: {wrong}",
                hint="choose another frame size, or none",
            ) from wrong

    def read(self) -> CapturedFrame | None:
        """The next frame; waits for it no longer than the timeout.

        Raises:
            SourceError: The camera stopped.
        """
        try:
            (pixels,), metadata = self._camera.capture_arrays(["main"], wait=self._timeout_s)
        except TimeoutError as wrong:
            raise SourceError(
                f"the Pi camera {self.name} sent nothing for {self._timeout_s:g} s",
                hint="check its ribbon cable, with the board switched off",
            ) from wrong
        except RuntimeError as wrong:
            raise SourceError(f"the Pi camera {self.name} is lost: {wrong}") from wrong
        self._index += 1
        taken_s = _taken_s(metadata)
        if self._first_s is None:
            self._first_s = taken_s
        # A fourth channel is there where the driver knows no format of three.
        frame = np.ascontiguousarray(pixels[:, :, :3], np.uint8)
        return CapturedFrame(frame, self._index, taken_s - self._first_s, taken_s)

    def close(self) -> None:
        """Stop the camera; may be called twice."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.stop()
            camera.close()

    def _configuration(self, wishes: SourceWishes) -> Any:
        fps = wishes.fps or _DEFAULT_FPS
        height, width = wishes.size or fit_size(self._camera.sensor_resolution, wishes.model_size)
        sensor = full_view(self._modes(), fps)
        # A camera that picamera2 has no tuning for may not let its rate be set.
        has_rate = "FrameDurationLimits" in getattr(
            self._camera, "camera_controls", ("FrameDurationLimits",)
        )
        return self._camera.create_video_configuration(
            # The trap: libcamera names formats by their order in a register, so what it calls
            # BGR888 lies in memory as red, green, blue.
            main={"size": (width, height), "format": "BGR888"},
            raw=None,  # else the sensor's own pixels are kept too, in buffers for nobody
            buffer_count=_BUFFERS,
            controls={"FrameRate": fps} if has_rate else {},
            **({"sensor": sensor} if sensor else {}),
        )

    def _modes(self) -> Sequence[Mapping[str, Any]]:
        """What picamera2 finds out of the sensor; nothing where that fails, as for some it does."""
        try:
            modes: Sequence[Mapping[str, Any]] = self._camera.sensor_modes
        except (KeyError, IndexError, TypeError, RuntimeError):
            return ()
        return modes


def open_source(text: str, wishes: SourceWishes | None = None) -> PiCameraSource:
    """Open `picamera:0`."""
    number = text.partition(":")[2] or "0"
    if not (number.isascii() and number.isdecimal() and len(number) < 4):
        raise NoSuchSourceError(f"{text!r} is no Pi camera", hint="write picamera:0 or picamera:1")
    return PiCameraSource(int(number), wishes)


def list_pi_cameras() -> list[tuple[str, str]]:
    """How each Pi camera is written, and its sensor; nothing where picamera2 is not installed.

    A camera's number is its place in picamera2's list, which is not libcamera's own (`Num`).
    """
    try:
        found = _import(_SYSTEM).Picamera2.global_camera_info()
    except (NotInstalledError, RuntimeError):
        return []
    return [
        (f"picamera:{number}", str(camera.get("Model", "")))
        for number, camera in enumerate(found)
        if not _is_webcam(camera)
    ]


def fit_size(resolution: tuple[int, int], model_size: tuple[int, int] | None) -> tuple[int, int]:
    """The frame size to ask for: the sensor's shape, a little larger than the model's image.

    Args:
        resolution: Of the sensor, (width, height), as picamera2 gives it.
        model_size: (height, width); None for frames of 480 lines.

    Returns:
        (height, width), both even, as the image processor wants them.
    """
    width, height = resolution
    side = _DEFAULT_SIDE if model_size is None else max(max(model_size) * _MARGIN, _LEAST_SIDE)
    scale = min(1.0, side / min(width, height))
    return _even(height * scale), _even(width * scale)


def full_view(modes: Sequence[Mapping[str, Any]], fps: float) -> dict[str, Any]:
    """The sensor mode that sees everything, with the fewest pixels, and fast enough if one is.

    Left alone, libcamera takes the mode nearest to the frame size, and small modes of many sensors
    show only their middle.
    """
    # Modes that are not of the sensor's own pixels say nothing but their format.
    modes = [mode for mode in modes if mode.keys() >= _MODE]
    if not modes:
        return {}

    def view(mode: Mapping[str, Any]) -> int:
        return int(mode["crop_limits"][2] * mode["crop_limits"][3])

    widest = max(view(mode) for mode in modes)
    # Modes of one view differ by a few pixels.
    full = [mode for mode in modes if view(mode) >= 0.97 * widest]
    fast = [mode for mode in full if mode["fps"] >= fps]
    best = min(fast or full, key=lambda mode: mode["size"][0] * mode["size"][1])
    return {"output_size": best["size"], "bit_depth": best["bit_depth"]}


def _refuse_webcam(module: Any, number: int) -> None:
    """libcamera opens webcams too, and gives pixels of theirs that nothing here can read."""
    try:
        found = module.Picamera2.global_camera_info()
    except RuntimeError:
        return  # making the camera will tell why
    if number < len(found) and _is_webcam(found[number]):
        raise NoSuchSourceError(
            f"picamera:{number} is a webcam on USB ({found[number].get('Model', 'of no name')})",
            hint="'edgecls cameras' lists it as /dev/videoN; give that as --source",
        )


def _is_webcam(camera: Mapping[str, Any]) -> bool:
    """By the path of its device, as picamera2 itself tells them apart."""
    return "/usb" in str(camera.get("Id", ""))


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)


def _taken_s(metadata: Mapping[str, Any]) -> float:
    """When the sensor had the frame, on the clock of `time.monotonic`."""
    now = time.monotonic()
    stamp = metadata.get("SensorTimestamp")
    if stamp is None:
        return now
    age_s = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - stamp) * 1e-9
    return now - age_s if 0 <= age_s < 10 else now


def _import(system_folder: Path) -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError as missing:
        if missing.name not in (None, "picamera2", "libcamera"):
            raise NotInstalledError(
                f"picamera2 needs {missing.name}, which this environment does not have",
                hint=f"{_INSTALL} brings what it needs; an environment sees that if it was made"
                " with: python3 -m venv --system-site-packages",
            ) from missing
        if sys.prefix != sys.base_prefix and system_folder.exists():
            raise NotInstalledError(
                "picamera2 is installed on this system, but this environment does not see it",
                hint=f"python3 -m venv --system-site-packages {sys.prefix}",
            ) from missing
        raise NotInstalledError(
            "Pi cameras need picamera2, which is not installed",
            hint=f"on Raspberry Pi OS (no other system has it): {_INSTALL}, and make the"
            " environment with: python3 -m venv --system-site-packages",
        ) from missing
    except ValueError as wrong:  # "numpy.dtype size changed"
        raise NotInstalledError(
            f"picamera2 cannot be loaded: {wrong}",
            hint="its simplejpeg was built for another numpy: pip install --force-reinstall"
            " simplejpeg",
        ) from wrong
