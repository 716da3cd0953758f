"""kill -9 at any moment: no corrupt picture, none lost that was acknowledged."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.support.recording import look_at, record_and_kill

# `python -m tests.faults.endurance` kills 200 times.
KILLS: Final = int(os.environ.get("EDGECLS_KILLS", "20"))


@pytest.mark.fault(65)
@pytest.mark.parametrize("part", range(4))
def test_nothing_is_corrupt_and_nothing_acknowledged_is_lost(tmp_path: Path, part: int) -> None:
    moments = random.Random(part)
    folder = tmp_path / "records"
    acknowledged: list[str] = []
    for _ in range(-(-KILLS // 4)):
        acknowledged += record_and_kill(folder, moments.uniform(0.0, 0.05))
    outcome = look_at(folder, acknowledged)
    assert outcome.corrupt == []
    assert outcome.lost == []
    assert outcome.without_a_line == []
    assert outcome.unknown == []
    assert outcome.strangers == []
    assert len(acknowledged) >= KILLS // 4
    shutil.rmtree(folder)  # some hundred megabytes
