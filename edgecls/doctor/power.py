"""Memory, voltage and heat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgecls.doctor.finding import Finding
from edgecls.doctor.system import System
from edgecls.profile import Profile
from edgecls.profile.board import read_board, read_text
from edgecls.profile.firmware import UNDER_VOLTAGE, read_throttled, say_throttled

# Python, numpy, OpenCV and LiteRT with a model: 86 to 100 MB on emulated boards
# (docs/pi-figures.md), and a second process for a model that nobody knows.
LOOP_MB: Final = 120
_LEAST_MB: Final = 200
_HOT_C: Final = 80.0
_SUPPLY: Final = (
    "use the board's own power supply (5.1 V; 3 A, a Pi 5 with USB devices 5 A) and its cable, or"
    " a powered hub for what is plugged in"
)
_COOLING: Final = "a heat sink or a fan; or less work: --fps 5, --motion"


def check_memory(system: System, profile: Profile, model_bytes: int = 0) -> Iterator[Finding]:
    """Is there enough for the loop?

    Args:
        system: The machine.
        profile: Of the board.
        model_bytes: Of the model's file; its weights come on top.
    """
    board = read_board(system.root)
    if not board.memory_mb:
        return
    wanted = LOOP_MB + round(2 * model_bytes / 1e6)
    said = f"{board.memory_mb} MB, {board.free_mb} MB free"
    if board.memory_mb < max(_LEAST_MB, wanted):
        yield Finding(
            "memory",
            "blocking",
            f"{said}: the loop takes about {wanted} MB, and the system needs some, too",
            "use a board with 512 MB or more; on a Pi, see gpu_mem in config.txt",
        )
    elif board.free_mb < wanted:
        yield Finding(
            "memory",
            "warning",
            f"{said}: the loop takes about {wanted} MB, so the system will swap",
            "use the Lite system without a desktop, end other programs, take a smaller model",
        )
    elif profile.memory_mb and board.memory_mb < 0.7 * profile.memory_mb:
        yield Finding(
            "memory",
            "note",
            f"{said}, of the {profile.memory_mb} MB that a {profile.name} has",
        )
    else:
        yield Finding("memory", "ok", said)


def check_power(system: System) -> Iterator[Finding]:
    """Under-voltage and throttling, now or since the start, as the firmware tells them."""
    answer = system.run(("vcgencmd", "get_throttled"))
    bits = read_throttled(system.root, answer.output if answer.is_fine else "")
    if bits is None:
        return
    if not bits:
        yield Finding("voltage", "ok", "no under-voltage and no throttling since the start")
        return
    now, past = say_throttled(bits)
    cure = _SUPPLY if bits & UNDER_VOLTAGE else _COOLING
    check = "voltage" if bits & UNDER_VOLTAGE else "heat"
    if now:
        yield Finding(check, "warning", f"now: {', '.join(now)} ({bits:#x})", cure)
    if past:
        yield Finding(
            check, "warning", f"since the start, but not now: {', '.join(past)} ({bits:#x})", cure
        )


def check_heat(system: System) -> Iterator[Finding]:
    """The hottest sensor."""
    texts = [read_text(path) for path in system.root.glob("sys/class/thermal/thermal_zone*/temp")]
    values = [int(text) / 1000 for text in texts if text.lstrip("-").isdecimal()]
    hottest = max(values, default=0.0)
    if hottest >= _HOT_C:
        yield Finding(
            "heat", "warning", f"{hottest:.0f} degrees C: boards slow down from 80 on", _COOLING
        )


def check_memory_limit(system: System) -> Iterator[Finding]:
    """Limits of a service's memory need a part of the kernel that Raspberry Pi OS leaves off."""
    controllers = system.read("sys/fs/cgroup/cgroup.controllers").split()
    is_installed = (system.root / "etc/systemd/system/edgecls-camera.service").exists()
    if is_installed and controllers and "memory" not in controllers:
        yield Finding(
            "service",
            "note",
            "the kernel's memory cgroup is off, so MemoryMax= of the service does nothing",
            "add cgroup_enable=memory to the one line of /boot/firmware/cmdline.txt, and restart",
        )
