"""The board this is: its model, memory, cores, and what is attached, as the kernel tells them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Path = Path("/")
# What drivers of ribbon (CSI) cameras call their video devices: Pi 4 and older, and Pi 5.
_RIBBON: Final = ("unicam", "rp1-cfe")


class Board(NamedTuple):
    """A machine, as far as a profile can be chosen by it.

    Args:
        model: Of the device tree, such as `Raspberry Pi 4 Model B Rev 1.4`; empty on a PC.
        memory_mb: In all, as Linux has it (a board keeps some for itself); 0 where unknown.
        free_mb: That programs can have without swapping; 0 where unknown.
        cores: At least 1.
        usb: Devices that are plugged in, as `vendor:product`.
        has_ribbon_camera: Whether a driver of one is at work.
    """

    model: str = ""
    memory_mb: int = 0
    free_mb: int = 0
    cores: int = 1
    usb: frozenset[str] = frozenset()
    has_ribbon_camera: bool = False


def read_board(root: Path | None = None) -> Board:
    """The board as it is now.

    Args:
        root: Of the file system; a made-up one in tests.
    """
    root = ROOT if root is None else root
    memory = read_text(root / "proc/meminfo")
    return Board(
        model=read_model(root),
        memory_mb=_kilobytes(memory, "MemTotal") >> 10,
        free_mb=_kilobytes(memory, "MemAvailable") >> 10,
        cores=_count_cores(root),
        usb=frozenset(_usb_ids(root)),
        has_ribbon_camera=any(
            read_text(path).startswith(_RIBBON)
            for path in sorted((root / "sys/class/video4linux").glob("video*/name"))
        ),
    )


def read_model(root: Path | None = None) -> str:
    """What the device tree calls the board; empty where there is none."""
    return read_text((ROOT if root is None else root) / "proc/device-tree/model").rstrip("\0")


def read_text(path: Path) -> str:
    """A small file of the kernel, without blanks at its ends; empty if it cannot be read."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except (OSError, ValueError):
        return ""


def _kilobytes(memory: str, name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+) kB", memory, re.MULTILINE)
    return int(found[1]) if found else 0


def _count_cores(root: Path) -> int:
    listed = re.findall(r"^processor\s*:", read_text(root / "proc/cpuinfo"), re.MULTILINE)
    return len(listed) or os.cpu_count() or 1


def _usb_ids(root: Path) -> list[str]:
    folders = (root / "sys/bus/usb/devices").glob("*/idVendor")
    return [f"{read_text(path)}:{read_text(path.with_name('idProduct'))}" for path in folders]
