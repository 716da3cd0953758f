"""Pictures a second of `edgecls classify`, by decoding threads, and how flat its memory stays.

Run: python benchmarks/classify.py [MODEL.tflite] [PICTURES]

Without a model, a made-up one of 128x128 pixels runs, so that what is measured is reading, decoding
and preparing. The pictures are links to a few JPEGs of 640x480 pixels, one in a hundred is cut off;
each way runs in a process of its own. The plain loop reads, decodes and classifies one picture at a
time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PICTURES = 3000
SIZE = (480, 640)
KINDS = 8

# Runs in the child: WAY is `plain` or a number of decoding threads.
WORK = """
import json, sys, time
from pathlib import Path
from edgecls.batch import classify_files
from edgecls.classifier import Classifier
from edgecls.errors import PictureError
from edgecls.pictures.folder import find_pictures, read_picture

def resident_mb():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(fields["VmRSS"].split()[0]) / 1024

def plain(classifier, paths):
    for path in paths:
        try:
            scores = classifier.classify(read_picture(path)).scores
            yield path, classifier.top(scores, 3), ""
        except PictureError as wrong:
            yield path, [], wrong.problem

model, folder, way, total = sys.argv[1:]
classifier = Classifier.open(Path(model))
paths = find_pictures([Path(folder)])
results = plain(classifier, paths) if way == "plain" else (
    (result.path, result.predictions, result.error)
    for result in classify_files(classifier, paths, 3, int(way))
)
memory, count, failed, last, ordered = [], 0, 0, "", True
started, cpu = time.perf_counter(), time.process_time()
for path, _, error in results:
    count += 1
    failed += bool(error)
    ordered &= last < str(path)
    last = str(path)
    if count % (int(total) // 10) == 0:
        memory.append(resident_mb())
seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
print(json.dumps({"count": count, "failed": failed, "ordered": ordered, "seconds": seconds,
                  "cpu": cpu, "memory_mb": memory}))
"""


def main(model: str = "", pictures: int = PICTURES) -> None:
    """Print one row for each way."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = make_pictures(folder, pictures)
        chosen = model or str(make_model(folder))
        print(f"{pictures} pictures of {SIZE[1]}x{SIZE[0]}, {Path(chosen).name}")
        print(f"{'way':<20} {'files/s':>8} {'CPU ms':>8} {'MB at 10%':>10} {'MB at end':>10}")
        for way in ("plain", "1", "2"):
            show(way, run(chosen, made, way, pictures), pictures)


def show(way: str, found: dict[str, float | list[float]], pictures: int) -> None:
    """One row; the counts must be right, or the figures are worth nothing."""
    assert found["count"] == pictures
    assert found["failed"] == pictures // 100
    assert found["ordered"]
    memory, seconds, cpu = found["memory_mb"], found["seconds"], found["cpu"]
    assert isinstance(memory, list)
    assert isinstance(seconds, float)
    assert isinstance(cpu, float)
    name = "plain loop" if way == "plain" else f"{way} decoding thread{'s' if way != '1' else ''}"
    print(
        f"{name:<20} {pictures / seconds:>8.0f} {cpu / pictures * 1e3:>8.2f} {memory[0]:>10.1f}"
        f" {memory[-1]:>10.1f}",
        flush=True,
    )


def run(model: str, folder: Path, way: str, pictures: int) -> dict[str, float | list[float]]:
    """Measure one way in a process of its own."""
    command = [sys.executable, "-c", WORK, model, str(folder), way, str(pictures)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, float | list[float]] = json.loads(done.stdout)
    return found


def make_pictures(folder: Path, count: int) -> Path:
    """Links to a few JPEGs, one in a hundred to one that is cut off."""
    from edgecls.imaging.opencv import cv2

    random = np.random.default_rng(0)
    for kind in range(KINDS):
        # Soft shapes and some noise: as large a file as a photo of this size has.
        small = random.integers(0, 256, (12, 16, 3), np.uint8)
        photo = cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_CUBIC).astype(np.int16)
        photo += random.integers(-12, 13, photo.shape, np.int16)
        cv2.imwrite(str(folder / f"{kind}.jpg"), np.clip(photo, 0, 255).astype(np.uint8))
    whole = (folder / "0.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    made = folder / "pictures"
    made.mkdir()
    for number in range(count):
        kind = "torn" if number % 100 == 99 else number % KINDS
        os.symlink(folder / f"{kind}.jpg", made / f"{number:06}.jpg")
    return made


def make_model(folder: Path) -> Path:
    """A small model of 128x128 RGB."""
    sys.path.insert(0, str(ROOT))
    from tests.support.tiny_model import write_tiny_model

    path = folder / "small.tflite"
    write_tiny_model(path, (128, 128), "RGB")
    return path


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "",
        int(sys.argv[2]) if len(sys.argv) > 2 else PICTURES,
    )
