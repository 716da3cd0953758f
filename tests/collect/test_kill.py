"""kill -9 and power cuts at any moment of collecting: nothing acknowledged is lost or half done."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

import pytest

from tests.collect.crashes import check, collect_and_end
from tests.support.power import Disk

# Set EDGECLS_KILLS=200 and EDGECLS_POWER_CUTS=30 for a longer proof.
KILLS: Final = int(os.environ.get("EDGECLS_KILLS", "20"))
CUTS: Final = int(os.environ.get("EDGECLS_POWER_CUTS", "3"))


@pytest.mark.fault(65)
@pytest.mark.parametrize("part", range(4))
def test_after_a_kill_every_thing_is_done_or_was_never_begun(tmp_path: Path, part: int) -> None:
    folder = tmp_path / "pictures"
    moments = random.Random(part)
    digests: dict[str, str] = {}
    for kill in range(-(-KILLS // 4)):
        said = collect_and_end(folder, 100 * part + kill, moments.uniform(0.0, 0.15))
        check(folder, said, digests)
    assert len(digests) >= KILLS // 4


@pytest.mark.fault(66)
@pytest.mark.parametrize("cut", range(CUTS))
def test_so_it_is_when_the_power_is_cut(ext4_disk: Disk, cut: int) -> None:
    after_s = random.Random(cut).uniform(0.0, 0.7)
    said = collect_and_end(ext4_disk.path / "pictures", cut, after_s, ext4_disk.cut)
    with ext4_disk.restored() as path:
        check(path / "pictures", said, {})
