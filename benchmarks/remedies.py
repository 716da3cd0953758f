"""What remedies win back: per-tensor weights forced on EfficientNet-Lite0, fine-tuned on CIFAR-10.

    EDGECLS_DATA=... python benchmarks/remedies.py           trains first, in a temporary folder
    EDGECLS_DATA=... python benchmarks/remedies.py FOLDER     keeps the run there, and uses it again

One scale for all channels of a layer is what depthwise convolutions cannot bear. The remedies are
those of `edgecls convert --remedy`; what they win back is measured on all 10,000 test pictures, and
each of them on the validation pictures that choose between them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cifar10 import JOBS, edgecls, unpack

WON_BACK = 0.7
# Nothing is refused here: the loss is what is looked at.
ANYTHING = ("--max-drop", "100", "--max-class-drop", "100", "--json")


def main(folder: str = "") -> None:
    """Train unless there is a run, convert with remedies, print one JSON line."""
    data = Path(os.environ.get("EDGECLS_DATA", "../shared/data"))
    archive = data / "cifar10-jpeg.zip"
    if not archive.is_file():
        print(f"skipped: there is no {archive}; set EDGECLS_DATA to the folder that holds it")
        return
    with contextlib.ExitStack() as undo:
        place = Path(folder or undo.enter_context(tempfile.TemporaryDirectory())).resolve()
        place.mkdir(parents=True, exist_ok=True)
        os.environ["EDGECLS_CACHE"] = str(place / "cache")
        run = find_run(place, archive)
        started = time.monotonic()
        found = convert(place, run)
        minutes = (time.monotonic() - started) / 60
    before, after = found["before_remedies"]["top1"], found["per-tensor"]["top1"]
    lost, won = found["float"]["top1"] - before, after - before
    print(
        json.dumps(
            {
                "test_pictures": found["float"]["images"],
                "float_top1": found["float"]["top1"],
                "per_tensor_top1": before,
                "remedied_top1": after,
                "won_back": round(won / lost, 3) if lost > 0 else None,
                "minutes": round(minutes, 1),
                "remedies": [
                    {name: entry.get(name) for name in ("remedy", "top1", "gained_points", "kept")}
                    for entry in found["remedies"]
                ],
            }
        )
    )
    if won < WON_BACK * lost:
        sys.exit(f"the promise is {WON_BACK:.0%} of what was lost")


def find_run(place: Path, archive: Path) -> str:
    """The run in a folder; trained there first where there is none."""
    for metrics in sorted(place.glob("runs/*/metrics.json")):
        return str(metrics.parent)
    job = JOBS["transfer"]
    pictures = place / "cifar10"
    if not pictures.is_dir():
        unpack(archive, pictures, job.per_class)
    trained = edgecls(str(place), "train", str(pictures), *job.options, "--out", "runs", "--json")
    return str(place / trained["run"])


def convert(place: Path, run: str) -> Any:
    """`edgecls convert` of a run with all remedies, whatever is lost."""
    options = ("--form", "per-tensor", "--remedy", "--output", "remedied.tflite")
    return edgecls(str(place), "convert", run, *options, *ANYTHING)


if __name__ == "__main__":
    main(*sys.argv[1:2])
