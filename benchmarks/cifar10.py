"""CIFAR-10: train with the product's own command, convert, and measure int8 on all test pictures.

    EDGECLS_DATA=... python benchmarks/cifar10.py transfer    the first 500 of each class, minutes
    EDGECLS_DATA=... python benchmarks/cifar10.py resnet8     all 50,000 pictures, most of an hour

The pictures are JPEG files of quality 75 with halved colour resolution, and so are those that are
tested: figures compare with others on these files, and not with those on the original pixels.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One training: options of `edgecls train`, training pictures a class, and what is promised."""

    options: tuple[str, ...]
    per_class: int
    minutes: float
    top1: float


JOBS = {
    "transfer": Job(
        (
            *("--recipe", "efficientnet-lite0", "--imgsz", "128", "--finetune", "5"),
            *("--epochs", "8", "--batch-size", "64"),
        ),
        per_class=500,
        minutes=8,
        top1=0.86,
    ),
    "resnet8": Job(("--recipe", "resnet8"), per_class=5000, minutes=60, top1=0.84),
}


def main(name: str = "transfer") -> None:
    """Train, convert, print one JSON line."""
    job = JOBS[name]
    data = Path(os.environ.get("EDGECLS_DATA", "../shared/data"))
    archive = data / "cifar10-jpeg.zip"
    if not archive.is_file():
        print(f"skipped: there is no {archive}; set EDGECLS_DATA to the folder that holds it")
        return
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["EDGECLS_CACHE"] = str(Path(scratch, "cache"))
        pictures = Path(scratch, "cifar10")
        unpack(archive, pictures, job.per_class)
        started = time.monotonic()
        run = edgecls(scratch, "train", str(pictures), *job.options, "--out", "runs", "--json")
        minutes = (time.monotonic() - started) / 60
        made = edgecls(scratch, "convert", run["run"], "--int8", "--json")
    int8 = made["int8"]
    print(
        json.dumps(
            {
                "job": name,
                "train_minutes": round(minutes, 2),
                "test_pictures": int8["images"],
                "float_top1": made["float"]["top1"],
                "int8_top1": int8["top1"],
                "bytes": made["bytes"],
            }
        )
    )
    if int8["top1"] < job.top1 or minutes > job.minutes:
        sys.exit(f"the promise is {job.top1:.0%} within {job.minutes:g} minutes")


def edgecls(folder: str, *words: str) -> Any:
    """Run a command with `--json` and read what it prints."""
    command = [sys.executable, "-m", "edgecls", *words]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def unpack(archive: Path, pictures: Path, per_class: int) -> None:
    """All test pictures, and the first of each class to train on."""
    with zipfile.ZipFile(archive) as file:
        found: dict[tuple[str, str], int] = {}
        for name in sorted(name for name in file.namelist() if name.endswith(".jpg")):
            subset, label = Path(name).parts[-3:-1]
            found[subset, label] = found.get((subset, label), 0) + 1
            if subset == "train" and found[subset, label] > per_class:
                continue
            target = pictures / subset / label / Path(name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read(name))


if __name__ == "__main__":
    main(*sys.argv[1:2])
