"""Made recordings to review, and a process that decides about one until it is killed."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgecls.collect.collection import Collection
from edgecls.collect.gallery import Gallery
from edgecls.console import progress
from edgecls.contract.events import Prediction, PredictionEvent
from edgecls.imaging.opencv import cv2
from edgecls.review.found import find_pictures
from edgecls.review.groups import Group, group_candidates
from edgecls.review.look import look_at_all, reader
from edgecls.review.review import Review
from edgecls.storage.album import Album
from edgecls.storage.quota import Quota

# Label, score, scene, seconds: two frames of one scene, and two others.
SHOWN = (
    ("cat", 0.9, 1, 10.0),
    ("cat", 0.55, 2, 20.0),
    ("cat", 0.6, 2, 20.5),
    ("dog", 0.7, 3, 30.0),
)


def scene(seed: int, noise: int = 0) -> Any:
    """Twelve blocks of colours drawn by `seed`; with `noise` another frame of the same scene."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    frame = cv2.resize(cells, (128, 96), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    frame += np.random.default_rng(noise).integers(-3, 4, frame.shape, np.int16)
    return np.clip(frame, 0, 255).astype(np.uint8)


def jpeg_of(seed: int, noise: int = 0) -> bytes:
    content: bytes = cv2.imencode(".jpg", scene(seed, noise))[1].tobytes()
    return content


def part(seed: int, noise: int = 0) -> bytes:
    """For the documentation: a nut (even seeds) or a bolt on a workbench, under a lamp."""
    random = np.random.default_rng(noise)
    rows, columns = np.indices((360, 480))
    light = 150 - 0.12 * np.hypot(rows - 120, columns - 330) + random.normal(0, 3, (360, 480))
    frame = np.clip(light[:, :, None] * np.array([0.72, 0.86, 1.0]), 0, 255).astype(np.uint8)
    x, y = 240 + int(random.integers(-12, 12)), 180 + int(random.integers(-12, 12))
    steel, shade = (178, 172, 166), (70, 66, 62)
    angles = np.radians(np.arange(0, 360, 60) + 7 * seed + noise)
    hexagon = np.stack([x + 78 * np.cos(angles), y + 78 * np.sin(angles)], axis=1).astype(np.int32)
    if seed % 2:
        cv2.rectangle(frame, (x, y - 26), (x + 190, y + 26), shade, -1, cv2.LINE_AA)
        cv2.rectangle(frame, (x, y - 28), (x + 186, y + 18), steel, -1, cv2.LINE_AA)
        for thread in range(x + 90, x + 186, 9):
            cv2.line(frame, (thread, y - 28), (thread - 5, y + 18), shade, 2, cv2.LINE_AA)
    cv2.fillPoly(frame, [hexagon + np.array([5, 9], np.int32)], shade, cv2.LINE_AA)
    cv2.fillPoly(frame, [hexagon], steel, cv2.LINE_AA)
    if not seed % 2:
        cv2.circle(frame, (x, y), 42, shade, -1, cv2.LINE_AA)
        cv2.circle(frame, (x + 3, y + 4), 36, (96, 112, 124), -1, cv2.LINE_AA)
    content: bytes = cv2.imencode(".jpg", cv2.GaussianBlur(frame, (0, 0), 1.2))[1].tobytes()
    return content


def record(
    folder: Path,
    shown: Sequence[tuple[str, float, int, float]],
    draw: Callable[[int, int], bytes] = jpeg_of,
) -> list[str]:
    """What `camera --record` leaves: label, score, scene and moment of each; gives the names."""
    album = Album(folder, Quota())
    names = []
    for number, (label, score, seed, time_s) in enumerate(shown):
        best = [Prediction(0, label, score), Prediction(1, "other", 1 - score)]
        event = PredictionEvent(number, time_s, label, score, best, None)
        facts = {**event.to_json(), "event": "picture"}
        names.append(album.add(label, draw(seed, number), "jpg", facts))
    album.close()
    return names


def groups_of(folder: Path) -> tuple[Group, ...]:
    found = find_pictures(folder)
    gallery = Gallery(reader(found.root))
    return group_candidates(found.root, look_at_all(found, gallery, None, progress))


def open_review(folder: Path, into: Path) -> Review:
    collection = Collection(into, quota_bytes=0, min_free_bytes=0)
    return Review(folder.resolve(), groups_of(folder), collection)


def close(review: Review) -> None:
    review.close()
    review.collection.close()


def ids_of(review: Review) -> list[str]:
    """Of what is left, as the page shows it."""
    return [c.picture.id for _, left in review.groups for c in left]


def contents(folder: Path) -> dict[str, str]:
    """Hash -> name of every picture below a folder, those in the trash among them."""
    return {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.relative_to(folder).as_posix()
        for path in folder.rglob("*.jpg")
    }


def main(folder: Path, into: Path) -> None:
    """Decide about picture after picture; say each on stdout once it is acknowledged."""
    review = open_review(folder, into)
    for turn, (_, left) in enumerate(review.groups):
        ids = [candidate.picture.id for candidate in left]
        names = [candidate.picture.name for candidate in left]
        if turn % 3 == 2:
            change = review.reject(ids)
        else:
            change = review.relabel(ids, "cat" if turn % 3 else "dog")
        if change.count != len(ids):
            raise RuntimeError(f"{change} of {names}")
        for name in names:
            print(("dog", "cat", "trash")[turn % 3], name, flush=True)
    close(review)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
