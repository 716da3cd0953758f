"""What stands between this machine and a running camera loop: each trap with its cure.

Every check looks at a `System`, so tests make up the machines that are hard to come by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgecls.doctor.cameras import check_cameras, find_cameras
from edgecls.doctor.finding import Finding
from edgecls.doctor.power import check_heat, check_memory, check_memory_limit, check_power
from edgecls.doctor.software import (
    check_bits,
    check_engine,
    check_opencv,
    check_picamera2,
    check_processor_list,
)
from edgecls.doctor.system import System
from edgecls.profile import Profile

__all__ = ["Finding", "System", "examine", "is_local_camera"]

# Written behind `--source`: what is read from a camera of this machine.
_LOCAL: Final = ("/dev/video", "picamera:")


def is_local_camera(source: str) -> bool:
    """Whether a source is a camera of this machine, and no network, file or made-up one."""
    return source.isdecimal() or source.startswith(_LOCAL)


def examine(
    system: System, profile: Profile, *, source: str = "", model_bytes: int = 0
) -> Iterator[Finding]:
    """Look at everything but Edge TPUs, which need an engine to be asked; nothing is opened twice.

    Args:
        system: The machine.
        profile: Of the board.
        source: What the loop would read; empty for any camera.
        model_bytes: Of the model's file; 0 without one.
    """
    yield from check_bits(system)
    yield from check_engine(system)
    yield from check_processor_list(system)
    yield from check_opencv(system)
    has_ribbon = any(camera.kind == "ribbon" for camera in find_cameras(system))
    picamera2 = list(check_picamera2(system, is_wanted=has_ribbon))
    yield from picamera2
    yield from check_cameras(
        system,
        profile,
        has_picamera2=any(finding.state == "ok" for finding in picamera2),
        is_needed=not source or is_local_camera(source),
    )
    yield from check_memory(system, profile, model_bytes)
    yield from check_power(system)
    yield from check_heat(system)
    yield from check_memory_limit(system)
