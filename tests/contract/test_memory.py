"""How much memory a process may take: the least of its machine's and of its groups' limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecls.contract.memory import memory_bytes

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
MB = 1 << 20
NEW_MOUNT = "41 31 0:38 {top} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
OLD_MOUNT = (
    "34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)


def make(root: Path, group: str, mounts: str, limits: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(group)
    (root / "proc/self/mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mounts)
    for place, limit in limits.items():
        path = root / "sys/fs/cgroup" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")
    return root


@pytest.mark.fault(132)
@pytest.mark.parametrize(
    ("group", "mounts", "limits", "expected"),
    [
        pytest.param(
            "0::/app\n", NEW_MOUNT.format(top="/"), {"app/memory.max": str(400 * MB)}, 400 * MB,
            id="version 2",
        ),
        pytest.param(
            "0::/a/b/c\n", NEW_MOUNT.format(top="/"),
            {"a/memory.max": str(300 * MB), "a/b/memory.max": "max", "a/b/c/memory.max":
             str(500 * MB)},
            300 * MB, id="the group above allows less",
        ),
        pytest.param(
            "0::/\n", NEW_MOUNT.format(top="/"), {"memory.max": str(256 * MB)}, 256 * MB,
            id="version 2 as a container sees it",
        ),
        pytest.param(
            "0::/../../app\n", NEW_MOUNT.format(top="/"), {"app/memory.max": str(256 * MB)},
            256 * MB, id="version 2 beside its own name space",
        ),
        pytest.param(
            "9:name=systemd:/\n4:memory:/app\n0::/\n", OLD_MOUNT.format(top="/"),
            {"memory/app/memory.limit_in_bytes": str(400 * MB)}, 400 * MB, id="version 1",
        ),
        pytest.param(
            "4:cpu,memory:/docker/abc\n", OLD_MOUNT.format(top="/docker/abc"),
            {"memory/memory.limit_in_bytes": str(200 * MB)}, 200 * MB,
            id="version 1 as a container sees it",
        ),
        pytest.param(
            "4:memory:/app\n", OLD_MOUNT.format(top="/"),
            {"memory/app/memory.limit_in_bytes": "9223372036854771712"}, MACHINE, id="no limit",
        ),
        pytest.param(
            "0::/app\n", NEW_MOUNT.format(top="/"), {"app/memory.max": "max"}, MACHINE, id="max",
        ),
        pytest.param(
            "0::/app\n", NEW_MOUNT.format(top="/"), {"app/memory.max": "many"}, MACHINE,
            id="no number",
        ),
        pytest.param("0::\nx\n:\n", "x\n - cgroup2\n", {}, MACHINE, id="rubbish"),
        pytest.param("", "", {}, MACHINE, id="no groups at all"),
    ],
)  # fmt: skip
def test_the_least_limit_counts(
    group: str, mounts: str, limits: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert memory_bytes(make(tmp_path, group, mounts, limits)) == expected


def test_a_machine_without_groups_has_its_memory(tmp_path: Path) -> None:
    assert memory_bytes(tmp_path) == MACHINE


@pytest.mark.fault(132)
def test_the_largest_picture_goes_by_the_limit() -> None:
    told = subprocess.run(
        [
            "/bin/sh", "-c",
            'ulimit -v 1000000; OPENBLAS_NUM_THREADS=1 exec "$0" -c "$1"',
            sys.executable, "from edgecls.imaging.opencv import MAX_PIXELS; print(MAX_PIXELS)",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(told.stdout) == 1_024_000_000 // 4 // 6
