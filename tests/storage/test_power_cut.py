"""The power is cut at any moment: no corrupt picture, none lost that was acknowledged."""

from __future__ import annotations

import os
import random
from typing import Final

import pytest

from tests.support.power import Disk
from tests.support.recording import record_and_cut

# `python -m tests.faults.endurance` cuts it 30 times.
CUTS: Final = int(os.environ.get("EDGECLS_POWER_CUTS", "3"))


@pytest.mark.fault(66)
@pytest.mark.parametrize("cut", range(CUTS))
def test_nothing_is_corrupt_and_nothing_acknowledged_is_lost(ext4_disk: Disk, cut: int) -> None:
    outcome = record_and_cut(ext4_disk, random.Random(cut).uniform(0.0, 0.7))
    assert outcome.acknowledged
    assert outcome.corrupt == []
    assert outcome.lost == []
    assert outcome.without_a_line == []


@pytest.mark.fault(66)
def test_a_recorder_that_does_not_sync_loses_some_so_the_cut_is_a_real_one(ext4_disk: Disk) -> None:
    outcome = record_and_cut(ext4_disk, 0.3, "careless")
    assert outcome.lost or outcome.corrupt
