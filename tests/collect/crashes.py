"""A collecting process that is ended in the middle, and what is there after the next start."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from edgecls.collect.collection import Collection
from edgecls.storage.album import is_picture_name
from tests.support.collector import LABELS

ROOT: Final = Path(__file__).parents[2]
Said = list[dict[str, Any]]


def collect_and_end(
    folder: Path, seed: int, after_s: float, end: Callable[[], None] = lambda: None
) -> Said:
    """Collect for a moment, from the first thing acknowledged on, and kill it; gives what it said.

    Args:
        folder: The collection.
        seed: Of what it does.
        after_s: How long.
        end: What happens to its disk, just before it is killed.
    """
    command = [sys.executable, "-m", "tests.support.collector", str(folder), str(seed)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline() + process.stdout.readline()
        time.sleep(after_s)
        end()
        process.kill()
        said += process.stdout.read()
    return [json.loads(line) for line in said[: said.rfind(b"\n") + 1].splitlines()]


def check(folder: Path, said: Said, digests: dict[str, str]) -> None:
    """Start anew, and fail if anything acknowledged is not so, or anything is half done.

    Args:
        folder: The collection.
        said: What the process said.
        digests: Of every picture that was acknowledged, by file name; those of this time are added.
    """
    done = [line for line in said if "done" in line]
    for line in done:
        if line["done"] == "keep":
            digests[line["names"][0].rpartition("/")[2]] = line["digest"]
    before = {label: set(names) for label, names in done[-1]["there"].items()}
    collection = Collection(folder, LABELS)
    after = {label: {p.file_name for p in collection.pictures(label)} for label in LABELS}
    collection.close()
    if "begun" in said[-1] and after != before:
        _assert_whole(before, after, said[-1])
    else:
        assert after == before
    files = {file.name: file for file in folder.rglob("*.jpg*") if file.is_file()}
    assert [name for name in files if not is_picture_name(name)] == []
    found = {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in files}
    assert {name: found.get(name, "lost") for name in digests} == digests


def _assert_whole(before: dict[str, set[str]], after: dict[str, set[str]], begun: Any) -> None:
    """What was begun and not acknowledged was done as a whole, and nothing beside it."""
    names = {name.rpartition("/")[2] for name in begun["names"]}
    gone = set().union(*before.values()) - set().union(*after.values())
    come = set().union(*after.values()) - set().union(*before.values())
    if begun["begun"] == "keep":
        assert (len(gone), len(come)) == (0, 1)
        assert come <= after[begun["label"]]
    elif begun["begun"] == "relabel":
        assert (len(gone), len(come)) == (0, 0)
        assert names <= after[begun["label"]]
    elif begun["begun"] == "discard":
        assert (gone, come) == (names, set())
