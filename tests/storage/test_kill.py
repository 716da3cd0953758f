"""kill -9 at any moment: no corrupt picture, none lost that was acknowledged."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from edgecls.storage.album import LOG_NAME, Album, is_picture_name
from edgecls.storage.quota import Quota
from tests.support.recorder import content_of

# Set EDGECLS_KILLS=200 for a longer proof.
KILLS: Final = int(os.environ.get("EDGECLS_KILLS", "20"))
ROOT: Final = Path(__file__).parents[2]


def record_and_kill(folder: Path, after_s: float) -> list[str]:
    """Record for a moment, from the first acknowledged picture on; gives all of them."""
    command = [sys.executable, "-m", "tests.support.recorder", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        rest = process.stdout.read()
    whole = (first + rest).decode()
    return whole[: whole.rfind("\n") + 1].splitlines()


@pytest.mark.parametrize("part", range(4))
def test_nothing_is_corrupt_and_nothing_acknowledged_is_lost(tmp_path: Path, part: int) -> None:
    moments = random.Random(part)
    acknowledged: list[str] = []
    for _ in range(-(-KILLS // 4)):
        acknowledged += record_and_kill(tmp_path / "records", moments.uniform(0.0, 0.05))
    Album(tmp_path / "records", Quota()).close()  # as the next start would
    found = {
        str(path.relative_to(tmp_path / "records")): path.read_bytes()
        for path in (tmp_path / "records").glob("*/*")
    }
    corrupt = [name for name, content in found.items() if content != content_of(number_of(name))]
    logged = {
        json.loads(line)["file"]
        for line in (tmp_path / "records" / LOG_NAME).read_text().splitlines()
    }
    assert corrupt == []
    assert [name for name in acknowledged if name not in found] == []
    assert [name for name in acknowledged if name not in logged] == []
    assert [name for name in logged if name not in found] == []
    assert [name for name in found if not is_picture_name(name.rpartition("/")[2])] == []
    assert len(acknowledged) >= KILLS // 4
    shutil.rmtree(tmp_path / "records")  # some hundred megabytes


def number_of(name: str) -> int:
    return int(name.rpartition("/")[2].partition("-")[0])
