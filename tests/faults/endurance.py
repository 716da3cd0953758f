"""`python -m tests.faults.endurance`: cut recording short again and again, and write what was seen.

200 times kill -9 and 30 power cuts by default, into docs/reliability/storage.md. Power cuts need a
machine that may mount disks; where it may not, the report says so.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from edgecls.console import progress
from tests.support.power import Disk, NoPowerError
from tests.support.recording import Outcome, look_at, record_and_cut, record_and_kill

REPORT: Final = Path(__file__).parents[2] / "docs/reliability/storage.md"
# Together they fit a small disk; every few kills it is looked at and emptied.
_KILLS_A_FOLDER: Final = 10


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.endurance", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=REPORT)
    asked = parser.parse_args()
    started = time.monotonic()
    killed = _kill(asked.kills, random.Random(asked.seed))
    lines = [_describe(f"kill -9, {asked.kills} times while recording", killed)]
    try:
        cut = _cut(asked.cuts, random.Random(asked.seed))
        what = f"power cuts of an ext4 on a disk with a volatile cache, {asked.cuts} times"
        lines.append(_describe(what, cut))
    except NoPowerError as wrong:
        cut = []
        lines.append(f"**power cuts**: not shown here, no disk can be made ({wrong})")
    command = f"--kills {asked.kills} --cuts {asked.cuts} --seed {asked.seed}"
    lines.append(
        f"{time.monotonic() - started:.0f} s: `python -m tests.faults.endurance {command}`"
    )
    text = "".join(f"- {line}\n" for line in lines)
    print(text, end="")
    asked.report.parent.mkdir(exist_ok=True)
    asked.report.write_text(f"### Recording that is cut short\n\n{text}", "utf-8")
    sys.exit(0 if all(outcome.is_sound for outcome in (*killed, *cut)) else 1)


def _kill(times: int, moments: random.Random) -> list[Outcome]:
    outcomes = []
    with progress("kill -9", times) as advance:
        for done in range(0, times, _KILLS_A_FOLDER):
            folder = Path(tempfile.mkdtemp()) / "records"
            acknowledged: list[str] = []
            for each in range(done, min(done + _KILLS_A_FOLDER, times)):
                acknowledged += record_and_kill(folder, moments.uniform(0.0, 0.1))
                advance(each + 1)
            outcomes.append(look_at(folder, acknowledged))
            shutil.rmtree(folder.parent)
    return outcomes


def _cut(times: int, moments: random.Random) -> list[Outcome]:
    outcomes = []
    with progress("power cuts", times) as advance:
        for done in range(times):
            with tempfile.TemporaryDirectory() as folder:
                disk = Disk(Path(folder))
                try:
                    outcomes.append(record_and_cut(disk, moments.uniform(0.0, 1.0)))
                finally:
                    disk.close()
            advance(done + 1)
    return outcomes


def _describe(what: str, outcomes: list[Outcome]) -> str:
    acknowledged = sum(len(outcome.acknowledged) for outcome in outcomes)
    corrupt = sum(len(outcome.corrupt) for outcome in outcomes)
    lost = sum(len({*outcome.lost, *outcome.without_a_line}) for outcome in outcomes)
    other = sum(len(outcome.strangers) + len(outcome.unknown) for outcome in outcomes)
    return (
        f"**{what}**: {acknowledged} pictures acknowledged, {lost} of them lost, {corrupt} corrupt,"
        f" {other} left half-done after the next start"
    )


if __name__ == "__main__":
    main()
