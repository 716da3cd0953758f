"""Cameras: is there one, is it ours, and is it free?"""

from __future__ import annotations

import dataclasses
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from edgecls.doctor.finding import Finding, State
from edgecls.doctor.system import System
from edgecls.profile import Profile
from edgecls.profile.devices import find_users

# Beginnings of names that are no cameras: codecs and image processors of a Raspberry Pi.
_PROCESSORS: Final = ("bcm2835-", "pispbe", "rpi-hevc-dec", "rpivid")
_RIBBON: Final = ("unicam", "rp1-cfe")
_OURS: Final = "edgecls uses it already (the service: sudo systemctl stop edgecls-camera)"


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that the kernel shows.

    Args:
        device: As it is written behind `--source`.
        name: As its driver calls it.
        kind: USB cameras and all others that V4L2 gives frames of, or a ribbon (CSI) camera.
        problem: Why it cannot be used now; empty for a sound one.
        cure: What to do about it.
        users: Programs that have it open, as far as we may know.
    """

    device: str
    name: str
    kind: Literal["v4l2", "ribbon"] = "v4l2"
    problem: str = ""
    cure: str = ""
    users: tuple[str, ...] = ()


def find_cameras(system: System) -> list[Camera]:
    """Every camera; a ribbon camera once, though it has several video devices."""
    folders = (system.root / "sys/class/video4linux").glob("video*")
    numbers = sorted(int(path.name[5:]) for path in folders if path.name[5:].isdecimal())
    found: list[Camera] = []
    ribbon: list[Camera] = []
    for number in numbers:
        folder = f"sys/class/video4linux/video{number}"
        name = system.read(f"{folder}/name")
        if name.startswith(_RIBBON):
            ribbon.append(_look_at(system, f"/dev/video{number}", name))
        elif not name.startswith(_PROCESSORS) and system.read(f"{folder}/index") in ("", "0"):
            found.append(_look_at(system, f"/dev/video{number}", name))
    if ribbon:
        first = next((device for device in ribbon if device.problem), ribbon[0])
        found.append(dataclasses.replace(first, device="picamera:0", kind="ribbon"))
    return found


def check_cameras(
    system: System, profile: Profile, *, has_picamera2: bool, is_needed: bool = True
) -> Iterator[Finding]:
    """What stands between the loop and its camera.

    Args:
        system: The machine.
        profile: Of the board.
        has_picamera2: Whether ribbon cameras can be read.
        is_needed: False where the loop will read something else.
    """
    cameras = find_cameras(system)
    sound = [
        each for each in cameras if not each.problem and (each.kind == "v4l2" or has_picamera2)
    ]
    is_running = any(each.problem.startswith(_OURS) for each in cameras)
    worst: State = "warning" if sound or is_running or not is_needed else "blocking"
    if not cameras:
        is_board = not profile.is_generic
        state: State = "blocking" if is_needed and is_board else "warning"
        yield Finding("camera", state, "there is no camera", _find_one(system, is_board=is_board))
    for camera in cameras:
        what = f"{camera.device} ({camera.name})"
        if camera.problem and camera.cure:
            yield Finding("camera", worst, f"{what}: {camera.problem}", camera.cure)
        elif camera.problem:
            yield Finding("camera", "note", f"{what}: {camera.problem}")
        elif camera in sound:
            yield Finding("camera", "ok", what)
        else:
            yield Finding(
                "camera", worst, f"{what}: needs picamera2", "see what is said of picamera2"
            )


def _look_at(system: System, device: str, name: str) -> Camera:
    users = find_users(device, system.root / "proc")
    number = system.try_open(system.root / device[1:])
    if number in (errno.EACCES, errno.EPERM):
        problem, cure = _not_ours(system, device)
    elif any(_is_edgecls(system, user) for user in users):
        problem, cure = f"{_OURS}, as {', '.join(users)}", ""
    elif users or number == errno.EBUSY:
        who = ", ".join(users) or "a program of another user"
        problem = f"in use by {who}, and a camera has one user at a time"
        cure = f"end that program; see who it is with: sudo fuser -v {device}"
    elif number:
        problem = f"cannot be opened: {os.strerror(number)}"
        cure = "unplug it and plug it in again"
    else:
        problem = cure = ""
    return Camera(device, name, "v4l2", problem, cure, users)


def _is_edgecls(system: System, user: str) -> bool:
    number = user.rpartition("(")[2].rstrip(")")
    words = system.read(f"proc/{number}/cmdline").split("\0")
    return any(word.rpartition("/")[2] == "edgecls" for word in words)


def _not_ours(system: System, device: str) -> tuple[str, str]:
    try:
        number = (system.root / device[1:]).stat().st_gid
    except OSError:
        number = -1
    group, members = system.group(number)
    if number in system.groups or group in ("root", "-1"):
        return (
            "not yours to use, though you are in its group",
            "put back the system's udev rules: sudo devices/common/setup.sh",
        )
    if system.user in members:
        return (
            f"not yours to use yet: you joined the group {group} after you had logged in",
            "log out and in again, or restart the board",
        )
    return (
        f"not yours to use: you are not in the group {group}",
        f"sudo usermod -aG {group} {system.user}, then log out and in again",
    )


def _find_one(system: System, *, is_board: bool) -> str:
    cure = "plug in a USB camera"
    if is_board:
        cure += (
            ", or seat the ribbon cable anew (switched off): 'rpicam-hello --list-cameras' must"
            " list it"
        )
    for path in ("boot/firmware/config.txt", "boot/config.txt"):
        text = system.read(path)
        for line in ("start_x=1", "camera_auto_detect=0"):
            if re.search(rf"^\s*{line}\b", text, re.MULTILINE):
                cure += f"; take '{line}' out of /{path} and restart"
    return f"{cure}; without one: --source fake:digits, rtsp://..., a video or a folder"
