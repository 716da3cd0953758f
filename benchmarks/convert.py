"""How long `edgecls convert` takes, and on what: digits, and EfficientNet-Lite0 with 200 pictures.

    EDGECLS_DATA=... python benchmarks/convert.py

Each network is trained for a moment first, which does not count; nor do imports. Then the very
steps of the command are timed, with 200 calibration pictures: reading them, both conversions,
measuring float and int8 on the held-out pictures, and all that remains (loading, golden vectors,
writing). Last, every form of EfficientNet-Lite0: its size, and the fastest of 20 inferences in one
thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from transfer import unpack

# Seconds, on two cores that have nothing else to do.
PROMISES: Final = {"digits": 5.0, "EfficientNet-Lite0": 40.0}


def main() -> None:
    """Convert both and print the times."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["EDGECLS_CACHE"] = str(Path(scratch, "cache"))
        seconds = {
            "digits": convert("digits", train(Path(scratch, "a"), "digits", "--epochs", "2"))
        }
        archive = Path(os.environ.get("EDGECLS_DATA", "../shared/data"), "cifar10-jpeg.zip")
        if archive.is_file():
            unpack(archive, Path(scratch, "photos"))
            recipe = "--recipe efficientnet-lite0-quick --imgsz 224 --epochs 3".split()
            run = train(Path(scratch, "b"), str(Path(scratch, "photos")), *recipe)
            seconds["EfficientNet-Lite0"] = convert("EfficientNet-Lite0", run)
            compare_forms(run)
        else:
            print(f"EfficientNet-Lite0 skipped: there is no {archive}; set EDGECLS_DATA")
    slow = [f"{name} {took:.1f} s" for name, took in seconds.items() if took > PROMISES[name]]
    if slow:
        sys.exit(f"slower than promised ({PROMISES}): {', '.join(slow)}")


def train(folder: Path, *arguments: str) -> Path:
    """A run of a moment, by the command, in a process of its own."""
    folder.mkdir()
    command = [sys.executable, "-m", "edgecls", "train", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "runs/train/1"


def convert(name: str, path: Path) -> float:
    """Seconds of the whole conversion, of the clock or the CPU; the steps are printed."""
    from edgecls.contract.run import open_run
    from edgecls_convert.convert import Settings, convert_run
    from edgecls_convert.quiet import import_tensorflow

    import_tensorflow()
    steps: dict[str, float] = {}

    @contextmanager
    def progress(title: str, total: int) -> Iterator[object]:
        started = time.perf_counter()
        yield lambda *_: None
        steps[f"{title} ({total})"] = time.perf_counter() - started

    started, started_cpu = time.perf_counter(), time.process_time()
    settings = Settings(max_drop=100.0, max_class_drop=100.0)
    found = convert_run(open_run(path), path / "model.tflite", settings, progress)  # type: ignore[arg-type]
    whole, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    steps["everything else"] = whole - sum(steps.values())
    images = found.comparison.in_int8.images
    print(
        f"{name}: {whole:.1f} s ({cpu:.1f} s of CPU), {images} held-out pictures,"
        f" {found.size_bytes >> 10} KiB"
    )
    for title, seconds in steps.items():
        print(f"  {seconds:5.1f} s  {seconds / whole:4.0%}  {title}")
    # On a busy machine the time of the CPU is nearer to that of an idle one.
    return min(whole, cpu)


def compare_forms(path: Path) -> None:
    """Size and time of one inference of every form, next to int8."""
    from edgecls.contract.run import open_run
    from edgecls.errors import EdgeclsError
    from edgecls_convert.attempt import convert_once, open_classifier
    from edgecls_convert.calibration import load_calibration_set
    from edgecls_convert.forms import FORMS, Target
    from edgecls_convert.source import open_run_source

    source = open_run_source(open_run(path))
    calibration = load_calibration_set(source.pictures, 20, 0, lambda *_: None)
    usual_ms = 0.0
    for name in FORMS:
        try:
            model = convert_once(source.network, source.card, Target(name), calibration)
            classifier = open_classifier(model)
        except EdgeclsError as wrong:
            print(f"  {name:10}  {wrong.problem}")
            continue
        latency_ms = fastest_ms(lambda run=classifier.run_image: run(calibration.images[0]))  # type: ignore[misc]
        usual_ms = usual_ms or latency_ms
        size = len(model.flatbuffer) >> 10
        print(
            f"  {name:10} {size:6} KiB  {latency_ms:6.1f} ms,"
            f" {latency_ms / usual_ms:4.1f} times int8"
        )


def fastest_ms(work: Callable[[], object]) -> float:
    """CPU time of the fastest of 20 runs: what other processes take is left out."""
    found = []
    for _ in range(20):
        started = time.thread_time()
        work()
        found.append(time.thread_time() - started)
    return 1e3 * min(found)


if __name__ == "__main__":
    main()
