"""Logs of recordings: reviewed from the first look to the last decision, and collected into."""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from edgecls.collect.collection import Collection
from edgecls.errors import InvalidValueError
from edgecls.imaging.opencv import cv2
from edgecls.pictures.bursts import LOG_NAME, read_bursts
from edgecls.review.app import ReviewApp
from edgecls.review.desk import Desk
from edgecls.review.found import open_folder
from edgecls.review.review import Review
from edgecls.web import Request
from tests.fuzz.mutations import mutate, mutate_json
from tests.fuzz.target import Target
from tests.support.tiny_model import frame_of

_NAMES: Final = ("cat/1.jpg", "cat/2.jpg", "dog/3.jpg")
# What a decision synchronises to disk needs none here.
_MEMORY: Final = Path("/dev/shm")
_LIMIT_S: Final = 20.0


def _seeds() -> list[bytes]:
    lines = [
        {
            "file": name,
            "time": 1_700_000_000.5 + number,
            "frame": 10 * number,
            "label": name.partition("/")[0],
            "steady": "cat",
            "score": 0.75,
            "predictions": [{"label": "cat", "score": 0.75}, {"label": "dog", "score": 0.2}],
            "burst": f"000000000001-{number}",
            "review": {"folder": "/seen", "file": name},
        }
        for number, name in enumerate(_NAMES)
    ]
    played = [{**line, "source_file": "old.png", "label": "unknown"} for line in lines]
    return ["".join(f"{json.dumps(line)}\n" for line in log).encode() for log in (lines, played)]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    lines = chance.choice(seeds).splitlines()
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(lines))
        lines[place] = mutate_json(chance, lines[place] or b"{}", seeds)
    content = b"".join(line + b"\n" for line in lines)
    return content if chance.random() < 0.9 else mutate(chance, content, seeds)


@functools.cache
def _picture(level: int) -> bytes:
    return bytes(cv2.imencode(".jpg", frame_of(level))[1])


def read(content: bytes) -> str:
    """Review it, decide about all, take one decision back, and collect into the folder itself."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as place:
        seen, into = Path(place, "seen"), Path(place, "into")
        for level, name in enumerate(_NAMES):
            (seen / name).parent.mkdir(parents=True, exist_ok=True)
            (seen / name).write_bytes(_picture(level))
        (seen / LOG_NAME).write_bytes(content)
        bursts = read_bursts(seen)
        known = _review(seen, into)
        if not set(read_bursts(into)) <= {path.name for path in into.rglob("*")}:
            raise AssertionError("the data set's log is about pictures that are not there")
        shutil.rmtree(seen / ".trash", ignore_errors=True)
        with closing(Collection(seen)) as collection:
            collection.overview()
        return f"{known} of {len(_NAMES)} guessed" + (", in bursts" if bursts else "")


def _review(seen: Path, into: Path) -> int:
    opened = open_folder(seen)
    with (
        closing(Collection(into, quota_bytes=0)) as collection,
        closing(Review(opened.root, (), collection)) as review,
        closing(Desk(opened, review)) as desk,
    ):
        desk.start()
        if not desk.wait_until_ready(_LIMIT_S) or desk.failure is not None:
            raise desk.failure or AssertionError("it does not become ready")
        _look_at_page(ReviewApp(desk))
        candidates = [candidate for _, left in review.groups for candidate in left]
        for candidate in candidates:
            try:
                review.accept([candidate.picture.id])
            except InvalidValueError:  # nobody has guessed, or guessed what can be no label
                review.relabel([candidate.picture.id], "other")
        review.undo()
    return sum(bool(candidate.guess.label) for candidate in candidates)


def _look_at_page(app: ReviewApp) -> None:
    for path in ("/state", "/group"):
        handler = app.web.find("GET", path)
        assert callable(handler)
        reply = handler(Request("GET", path, {}))
        if reply.status != 200:
            raise AssertionError(f"{path} answers {reply.status}: {reply.body!r:.200}")
        json.loads(reply.body)


TARGET: Final = Target("logs of recordings", _seeds, _mutate, read, limit_s=10.0, memory_mb=100)
