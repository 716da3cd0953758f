"""The process that measures one configuration: `python -m edgecls.bench.worker JSON`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import resource
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import numpy as np

from edgecls.bench import Configuration, Measurement
from edgecls.classifier import Classifier
from edgecls.contract.files import read_regular_file
from edgecls.errors import EdgeclsError, FrameFailedError, InvalidValueError, PictureError
from edgecls.imaging.decode import decode
from edgecls.pictures.folder import MAX_PICTURE_BYTES, find_pictures
from edgecls.runtimes.failures import Failures
from edgecls.runtimes.probe import memory_limit
from edgecls.timing import percentiles

_WARM_UP_S: Final = 0.5
_LEAST_RUNS: Final = 5
_SMALLER: Final = "use a smaller network or a smaller image"
# Addresses of OpenCV, of the pictures and of the largest frame.
_PICTURES_ROOM_BYTES: Final = 1 << 30
# Enough of a folder to be typical, and small enough to keep in memory.
_PICTURES: Final = 50
_PICTURE_BYTES: Final = 64 << 20

Run = Callable[[], dict[str, float]]


def main() -> None:
    """Measure what the argument asks for and print it."""
    configuration = Configuration(**json.loads(sys.argv[1]))
    try:
        _limit_memory(Path(configuration.model))
        found = dataclasses.asdict(measure_here(configuration))
    except MemoryError:
        found = {"error": "the model needs more memory than it may have", "hint": _SMALLER}
    except EdgeclsError as wrong:
        found = {"error": wrong.problem, "hint": wrong.hint}
    sys.stdout.write(json.dumps(found) + "\n")


def _limit_memory(model: Path) -> None:
    """Let one frame of a model that makes sizes out of pixels not take all that there is."""
    with contextlib.suppress(OSError, ValueError):  # a lower limit holds
        limit = memory_limit(model.stat().st_size) + _PICTURES_ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def measure_here(configuration: Configuration) -> Measurement:
    """Measure in this process."""
    started = time.perf_counter()
    classifier = Classifier.open(
        Path(configuration.model),
        runtime=configuration.runtime,
        threads=configuration.threads,
        is_probed=False,  # this process may die: who started it says so
    )
    load_ms = (time.perf_counter() - started) * 1e3
    unreadable = 0
    if configuration.data is None:
        run = _run_noise(classifier)
    else:
        pictures, unreadable = _read_pictures(Path(configuration.data))
        run = _run_pictures(classifier, pictures)
    name = classifier.model.name
    first_ms = _once(run, name)["invoke"]
    _repeat(run, name, min(_WARM_UP_S, configuration.seconds))
    started = time.perf_counter()
    stages = _repeat(run, name, configuration.seconds)
    seconds = time.perf_counter() - started
    invoke = stages.pop("invoke")
    resident_mb, peak_mb = _memory_mb()
    return Measurement(
        model=configuration.model,
        runtime=classifier.runtime.name,
        version=classifier.runtime.version,
        threads=classifier.runtime.threads,
        load_ms=round(load_ms, 3),
        first_ms=round(first_ms, 3),
        latency_ms=percentiles(invoke),
        fps=round(len(invoke) / seconds, 2),
        runs=len(invoke),
        rss_mb=round(resident_mb, 1),
        peak_rss_mb=round(peak_mb, 1),
        drift=round(_drift(invoke), 3),
        stages_ms={stage: percentiles(values) for stage, values in stages.items()},
        unreadable=unreadable,
    )


def _run_noise(classifier: Classifier) -> Run:
    shape = classifier.model.card.preprocessing.shape
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def run() -> dict[str, float]:
        started = time.perf_counter()
        classifier.to_scores(classifier.run_image(image))
        return {"invoke": (time.perf_counter() - started) * 1e3}

    return run


def _run_pictures(classifier: Classifier, pictures: list[bytes]) -> Run:
    following = cycle(pictures)

    def run() -> dict[str, float]:
        started = time.perf_counter()
        frame = decode(next(following))
        decode_ms = (time.perf_counter() - started) * 1e3
        return {"decode": decode_ms, **classifier.classify(frame).latency_ms}

    return run


def _read_pictures(place: Path) -> tuple[list[bytes], int]:
    """Pictures that can be decoded, as bytes, and how many could not."""
    contents: list[bytes] = []
    unreadable = size = 0
    for path in islice(find_pictures([place]), _PICTURES):
        try:
            content = read_regular_file(path, MAX_PICTURE_BYTES, PictureError)
            decode(content)
        except PictureError:
            unreadable += 1
            continue
        contents.append(content)
        size += len(content)
        if size > _PICTURE_BYTES:
            break
    if not contents:
        raise InvalidValueError(
            f"none of the pictures in '{place}' can be read", hint="give another --data"
        )
    return contents, unreadable


def _once(run: Run, model: str) -> dict[str, float]:
    """Of the next picture on which the model does not fail."""
    failures = Failures()
    while True:
        try:
            return run()
        except FrameFailedError as failed:
            failures.add(failed, model)


def _repeat(run: Run, model: str, seconds: float) -> dict[str, list[float]]:
    """Latencies in ms by stage."""
    found: dict[str, list[float]] = {}
    end = time.perf_counter() + seconds
    count = 0
    while count < _LEAST_RUNS or time.perf_counter() < end:
        for stage, value in _once(run, model).items():
            found.setdefault(stage, []).append(value)
        count += 1
    return found


def _drift(values: list[float]) -> float:
    third = max(1, len(values) // 3)
    return float(np.median(values[-third:]) / np.median(values[:third]))


def _memory_mb() -> tuple[float, float]:
    """Resident memory of this process now and at its highest, in MiB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # not Linux: only the highest is known
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)  # bytes on macOS
        return peak, peak
    fields = dict(line.split(":", 1) for line in lines)
    return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


if __name__ == "__main__":
    main()
