"""How much memory this process may take: the machine's, or less where it is in a container."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_HERE: Final = Path("/")
# A path of more parts than this nobody has made; each is a file to read.
_MOST_LEVELS: Final = 32


def memory_bytes(root: Path = _HERE) -> int:
    """The machine's memory, or the least of the limits that were set for this process.

    Looked at are the limits of its control groups, versions 1 and 2, up to the top of what it can
    see, as Docker, Kubernetes and systemd (`MemoryMax=`) set them, and that of its addresses
    (`ulimit -v`). More than this is never there; less may be free.

    Args:
        root: Where `proc` and `sys` are; another one in tests.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    addresses = resource.getrlimit(resource.RLIMIT_AS)[0]
    limits = [limit for limit in _group_limits(root) if limit > 0]
    if addresses != resource.RLIM_INFINITY:
        limits.append(addresses)
    return min([machine, *limits])


def _group_limits(root: Path) -> Iterator[int]:
    groups = dict(_read_groups(root))
    for version, top, mount in _read_mounts(root):
        if version not in groups:
            continue
        name = "memory.max" if version == 2 else "memory.limit_in_bytes"
        place = root / mount.lstrip("/")
        # What is mounted may be this container's own group, and the path that of the host.
        inner = groups[version].removeprefix(top.rstrip("/"))
        parts = [part for part in inner.split("/") if part not in ("", "..")][:_MOST_LEVELS]
        for depth in range(len(parts), -1, -1):
            yield _read_limit(place.joinpath(*parts[:depth], name))


def _read_groups(root: Path) -> Iterator[tuple[int, str]]:
    """The group of this process in each version (cgroups(7))."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield 2, path
        elif "memory" in controllers.split(","):
            yield 1, path


def _read_mounts(root: Path) -> Iterator[tuple[int, str, str]]:
    """Version, path that is mounted and place of each mount of groups (proc(5), mountinfo)."""
    for line in _read(root / "proc/self/mountinfo").splitlines():
        if "cgroup" not in line:
            continue
        fields, _, system = line.partition(" - ")
        kind, *options = system.split()
        words = fields.split()
        if len(words) < 5:
            continue
        if kind == "cgroup2":
            yield 2, words[3], words[4]
        elif kind == "cgroup" and "memory" in ",".join(options).split(","):
            yield 1, words[3], words[4]


def _read_limit(path: Path) -> int:
    """A limit in bytes; 0 for none."""
    text = _read(path).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux, or hidden
        return ""
