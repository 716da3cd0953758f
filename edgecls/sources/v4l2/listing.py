"""Which cameras this machine has, and what each can do."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from edgecls.profile.devices import find_users
from edgecls.sources.v4l2 import structs

_SYS: Final = Path("/sys/class/video4linux")
# Drivers that enumerate without an end exist; no camera has more modes.
_MOST_MODES: Final = 256

# Parts of a Raspberry Pi's image processor: video devices that give no frames by themselves.
_PROCESSORS: Final = ("bcm2835-isp", "pispbe", "bcm2835-codec", "rpi-hevc-dec")

# Fills in a structure, as `fcntl.ioctl(descriptor, request, structure)`; raises OSError.
Ask: TypeAlias = Callable[[int, Any], object]


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A video device that this machine has: `/dev/video0` and the name its driver gives it."""

    device: str
    name: str


@dataclass(frozen=True, slots=True)
class Mode:
    """A pixel format at a frame size.

    Args:
        pixel_format: Four letters, such as `MJPG` and `YUYV`.
        size: (height, width) in pixels; the largest, where any size in steps will do.
        fps: Frame rates, fastest first; empty if the driver does not say.
        least_size: The smallest size, where any size in steps will do; else as `size`.
    """

    pixel_format: str
    size: tuple[int, int]
    fps: tuple[float, ...]
    least_size: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """As `edgecls cameras --json` prints it."""
        return {
            "format": self.pixel_format,
            "width": self.size[1],
            "height": self.size[0],
            "fps": list(self.fps),
            **(
                {"least_width": self.least_size[1], "least_height": self.least_size[0]}
                if self.least_size != self.size
                else {}
            ),
        }


@dataclass(frozen=True, slots=True)
class CameraDetails:
    """What is known of one camera; `problem` says why not more."""

    device: str
    name: str
    driver: str = ""
    bus: str = ""
    modes: tuple[Mode, ...] = ()
    users: tuple[str, ...] = ()
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `edgecls cameras --json` prints it."""
        return {
            "device": self.device,
            "name": self.name,
            "driver": self.driver,
            "bus": self.bus,
            "formats": [mode.to_json() for mode in self.modes],
            "used_by": list(self.users),
            **({"problem": self.problem} if self.problem else {}),
        }


def find_cameras(sys_folder: Path = _SYS) -> list[CameraInfo]:
    """Video devices, as the kernel lists them."""
    if not sys_folder.is_dir():
        return []
    found = (path for path in sys_folder.iterdir() if re.fullmatch(r"video\d+", path.name))
    devices = sorted(found, key=lambda path: int(path.name[5:]))
    return [CameraInfo(f"/dev/{path.name}", _read_name(path / "name")) for path in devices]


def list_cameras() -> list[CameraDetails]:
    """Every device that gives frames; metadata nodes, codecs and outputs are left out."""
    details = (inspect_camera(camera) for camera in find_cameras())
    return [camera for camera in details if camera is not None]


def inspect_camera(camera: CameraInfo) -> CameraDetails | None:
    """What a device can do; None if it is no camera."""
    users = find_users(camera.device)
    try:
        descriptor = os.open(camera.device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as wrong:
        return CameraDetails(camera.device, camera.name, users=users, problem=_explain(wrong))
    try:
        return describe(camera, lambda number, what: fcntl.ioctl(descriptor, number, what), users)
    finally:
        os.close(descriptor)


def describe(camera: CameraInfo, ask: Ask, users: tuple[str, ...] = ()) -> CameraDetails | None:
    """What an open device says of itself; None if it is no camera."""
    capability = structs.Capability()
    try:
        ask(structs.QUERY_CAPABILITY, capability)
    except OSError as wrong:
        return CameraDetails(camera.device, camera.name, users=users, problem=_explain(wrong))
    can = capability.capabilities
    if can & structs.HAS_DEVICE_CAPS:
        can = capability.device_caps
    if can & structs.IS_CODEC or not can & (structs.CAN_CAPTURE | structs.CAN_CAPTURE_PLANES):
        return None
    driver = capability.driver.decode("utf-8", "replace")
    if driver in _PROCESSORS:
        return None
    bus = capability.bus_info.decode("utf-8", "replace")
    name = camera.name or capability.card.decode("utf-8", "replace")
    if not can & structs.CAN_CAPTURE:
        problem = "its frames come in planes, which is not supported; try picamera:0"
        return CameraDetails(camera.device, name, driver, bus, users=users, problem=problem)
    modes = tuple(mode for fourcc in _formats(ask) for mode in _modes(ask, fourcc))
    return CameraDetails(camera.device, name, driver, bus, modes, users)


def _each(ask: Ask, number: int, make: Callable[[int], Any]) -> Iterator[Any]:
    """Answers to one enumeration, until the driver has no more."""
    for index in range(_MOST_MODES):
        asked = make(index)
        try:
            ask(number, asked)
        except OSError:  # EINVAL at the end, ENOTTY where it cannot be asked at all
            return
        yield asked


def _formats(ask: Ask) -> list[str]:
    found = _each(
        ask,
        structs.ENUMERATE_FORMATS,
        lambda index: structs.FormatDescription(index=index, type=structs.CAPTURE),
    )
    return [structs.to_fourcc(format_.pixelformat) for format_ in found]


def _modes(ask: Ask, fourcc: str) -> Iterator[Mode]:
    code = structs.from_fourcc(fourcc)
    for answer in _each(
        ask,
        structs.ENUMERATE_SIZES,
        lambda index: structs.FrameSize(index=index, pixel_format=code),
    ):
        if answer.type == structs.DISCRETE:
            size = least = (answer.size.discrete.height, answer.size.discrete.width)
        else:
            steps = answer.size.stepwise
            size, least = (steps.max_height, steps.max_width), (steps.min_height, steps.min_width)
        yield Mode(fourcc, size, _rates(ask, code, size), least)
        if answer.type != structs.DISCRETE:
            return  # steps are one answer that holds for all sizes


def _rates(ask: Ask, code: int, size: tuple[int, int]) -> tuple[float, ...]:
    rates = set()
    for answer in _each(
        ask,
        structs.ENUMERATE_INTERVALS,
        lambda index: structs.FrameInterval(
            index=index, pixel_format=code, width=size[1], height=size[0]
        ),
    ):
        if answer.type == structs.DISCRETE:
            rates.add(to_fps(answer.interval.discrete))
        else:
            rates |= {to_fps(answer.interval.stepwise.min), to_fps(answer.interval.stepwise.max)}
            break
    return tuple(sorted(rates - {0.0}, reverse=True))


def to_fps(interval: structs.Fraction) -> float:
    """Frames a second of an interval in seconds; 0 for none."""
    if not interval.numerator:
        return 0.0
    return round(float(interval.denominator) / float(interval.numerator), 2)


def _explain(wrong: OSError) -> str:
    if wrong.errno in (errno.EACCES, errno.EPERM):
        return "not yours to use: join the group video"
    if wrong.errno == errno.EBUSY:
        return "another program is using it"
    return wrong.strerror or str(wrong)


def _read_name(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
