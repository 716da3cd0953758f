"""kill -9 while reviewing: no picture is lost, and nothing acknowledged is undone."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from tests.review.recording import close, contents, open_review, record

KILLS: Final = int(os.environ.get("EDGECLS_KILLS", "4"))
ROOT: Final = Path(__file__).parents[2]


def review_and_kill(folder: Path, into: Path, after_s: float) -> list[tuple[str, str]]:
    """Decide for a moment, from the first acknowledged decision on; gives all of them."""
    command = [sys.executable, "-m", "tests.review.recording", str(folder), str(into)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)
        process.kill()
        rest = process.stdout.read()
    whole = (first + rest).decode()
    lines = whole[: whole.rfind("\n") + 1].splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


@pytest.mark.fault(65)
def test_no_picture_is_lost_and_no_acknowledged_decision(tmp_path: Path) -> None:
    folder, into = tmp_path / "seen", tmp_path / "pictures"
    shown = [("cat", 0.5, seed, 10.0 * seed) for seed in range(40 * KILLS)]
    digest_of = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in record(folder, shown)
    }
    moments = random.Random(1)
    acknowledged: list[tuple[str, str]] = []
    for _ in range(KILLS):
        acknowledged += review_and_kill(folder, into, moments.uniform(0.0, 0.04))
    review = open_review(folder, into)  # as the next start does
    left = {c.picture.name for _, candidates in review.groups for c in candidates}
    close(review)
    here, there = contents(folder), contents(into)
    # A copy that was begun and not acknowledged lies in the trash of the data set by now.
    files = [path for path in into.rglob("*.jpg") if ".trash" not in path.parts]
    in_set = {hashlib.sha256(path.read_bytes()).hexdigest(): path.parent.name for path in files}

    assert len(acknowledged) >= KILLS
    assert set(digest_of.values()) <= here.keys() | there.keys()
    assert [
        n for label, n in acknowledged if label != "trash" and in_set[digest_of[n]] != label
    ] == []
    assert [name for _, name in acknowledged if name in left] == []
    # What is in the data set is not shown again, so nothing is ever there twice.
    assert [name for name in left if digest_of[name] in in_set] == []
    assert len(files) == len(in_set)
