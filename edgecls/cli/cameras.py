"""`edgecls cameras`: which cameras this machine has, and what each can do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from edgecls.cli.options import JsonOption
from edgecls.console import json_line, printable

if TYPE_CHECKING:
    from edgecls.sources.v4l2.listing import CameraDetails, Mode


def cameras(as_json: JsonOption = False) -> None:
    """List the cameras of this machine: formats, sizes, frame rates, and who is using them.

    \b
    edgecls cameras
    edgecls cameras --json
    """
    from edgecls.sources.picamera import list_pi_cameras
    from edgecls.sources.v4l2.listing import CameraDetails, list_cameras

    on_ribbon = [CameraDetails(device, name) for device, name in list_pi_cameras()]
    print_cameras([*list_cameras(), *on_ribbon], as_json=as_json)


def print_cameras(found: Sequence[CameraDetails], *, as_json: bool) -> None:
    """Print cameras for people, or as one JSON object each."""
    if as_json:
        for camera in found:
            print(json_line(camera.to_json()))
        return
    if not found:
        print("no cameras (plug one in, or try --source fake:digits)")
    for camera in found:
        _show(camera)


def _show(camera: CameraDetails) -> None:
    about = ", ".join(text for text in (camera.driver, camera.bus) if text)
    end = f"  ({about})" if about else ""
    print(printable(f"{camera.device}  {camera.name}{end}"))
    for fourcc, modes in groupby(camera.modes, key=lambda mode: mode.pixel_format):
        for number, mode in enumerate(modes):
            print(f"  {printable(fourcc) if not number else '':<6}{_describe(mode)}")
    if camera.users:
        print(f"  in use by {printable(', '.join(camera.users))}")
    if camera.problem:
        print(f"  {printable(camera.problem)}")


def _describe(mode: Mode) -> str:
    size = f"{mode.size[1]}x{mode.size[0]}"
    if mode.least_size != mode.size:
        size = f"{mode.least_size[1]}x{mode.least_size[0]} to {size}"
    rates = ", ".join(f"{rate:g}" for rate in mode.fps)
    return f"{size:<12}{rates} a second" if rates else size
