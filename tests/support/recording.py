"""Recording that is cut short, and what is there afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.storage.album import LOG_NAME, Album, is_picture_name
from edgecls.storage.quota import Quota
from tests.support.power import Disk
from tests.support.recorder import LARGE, content_of

ROOT: Final = Path(__file__).parents[2]
SMALL: Final = 20_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cut left behind: names.

    Args:
        acknowledged: `Album.add` had returned them.
        lost: Acknowledged, and not there.
        corrupt: There under a final name, with other bytes.
        without_a_line: Acknowledged, and not in the log.
        strangers: Files that no album makes.
        unknown: In the log, and not there.
    """

    acknowledged: list[str]
    lost: list[str]
    corrupt: list[str]
    without_a_line: list[str]
    strangers: list[str]
    unknown: list[str]

    @property
    def is_sound(self) -> bool:
        """Whether everything that was acknowledged is there, and nothing else."""
        return not (
            self.lost or self.corrupt or self.without_a_line or self.strangers or self.unknown
        )


def record_and_kill(folder: Path, after_s: float) -> list[str]:
    """Record for a moment, from the first acknowledged picture on; gives all of them."""
    return _record(folder, after_s, LARGE, lambda: None)


def record_and_cut(disk: Disk, after_s: float, *more: str) -> Outcome:
    """Record, cut the power, and look after the next start."""
    acknowledged = _record(disk.path / "records", after_s, SMALL, disk.cut, *more)
    with disk.restored() as path:
        return look_at(path / "records", acknowledged, SMALL)


def look_at(folder: Path, acknowledged: list[str], least_bytes: int = LARGE) -> Outcome:
    """What is there after the next start, which repairs and sweeps."""
    Album(folder, Quota()).close()
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*.jpg*")
        if path.is_file()
    }
    logged = {json.loads(line)["file"] for line in (folder / LOG_NAME).read_text().splitlines()}
    return Outcome(
        acknowledged,
        lost=[name for name in acknowledged if name not in found],
        corrupt=[
            name for name, content in found.items() if content != _expected(name, least_bytes)
        ],
        without_a_line=[name for name in acknowledged if name not in logged],
        strangers=[name for name in found if not is_picture_name(name.rpartition("/")[2])],
        unknown=[name for name in logged if name not in found],
    )


def _expected(name: str, least_bytes: int) -> bytes:
    return content_of(int(name.rpartition("/")[2].partition("-")[0]), least_bytes)


def _record(
    folder: Path, after_s: float, least_bytes: int, cut: Callable[[], None], *more: str
) -> list[str]:
    command = [sys.executable, "-m", "tests.support.recorder", folder, str(least_bytes), *more]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        cut()
        process.kill()
        whole = (first + process.stdout.read()).decode()
    return whole[: whole.rfind("\n") + 1].splitlines()
