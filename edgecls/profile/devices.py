"""Who has a device open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def find_users(device: str, proc_folder: Path = _PROC) -> tuple[str, ...]:
    """Programs that have the device open, as `name (pid)`; only those that we may look into."""
    users = []
    for process in proc_folder.glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(os.readlink(handle) == device for handle in (process / "fd").iterdir()):
                name = (process / "comm").read_text("utf-8", "replace").strip()
                users.append(f"{name} ({process.name})")
        except OSError:  # somebody else's, or gone by now
            continue
    return tuple(sorted(users))
