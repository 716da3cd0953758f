"""Classify any number of picture files: decoded in parallel, in order, in flat memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecls.classifier import Classifier
from edgecls.contract.events import Prediction
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import FrameFailedError, InvalidValueError, PictureError
from edgecls.imaging.prepare import Image, prepare
from edgecls.pictures.ahead import in_order
from edgecls.pictures.folder import read_picture
from edgecls.runtimes.failures import Failures

# Linux allows no path beyond 4,096 bytes; what is longer is no list of names.
MAX_NAME_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class FileResult:
    """What one file came to: the best predictions, or why it could not be classified."""

    path: Path
    predictions: tuple[Prediction, ...] = ()
    latency_ms: dict[str, float] = field(default_factory=dict)
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `edgecls classify --json` prints it."""
        if self.error:
            return {"file": str(self.path), "error": self.error}
        return {
            "file": str(self.path),
            "predictions": [prediction.to_json() for prediction in self.predictions],
            "latency_ms": {stage: round(value, 3) for stage, value in self.latency_ms.items()},
        }


def classify_files(
    classifier: Classifier, paths: Iterable[Path], top_k: int = 3, workers: int | None = None
) -> Iterator[FileResult]:
    """Classify files, one result each, in order.

    Args:
        classifier: An open model; it runs in the caller's thread.
        paths: Taken as they are needed: neither the names nor the pictures pile up.
        top_k: Predictions of each file, at least 1.
        workers: Threads that read, decode and prepare; None for one a core.

    Raises:
        InvalidValueError: No thread is asked for.
        EngineError: The engine failed, on more than some files.
    """
    if workers is not None and workers < 1:
        raise InvalidValueError(f"{workers} decoding threads were asked for, wanted at least 1")
    preprocessing = classifier.model.card.preprocessing
    failures = Failures()

    def load(path: Path) -> _Loaded:
        return _load(path, preprocessing)

    for loaded in in_order(load, paths, workers):
        if loaded.image is None:
            yield FileResult(loaded.path, error=loaded.error)
        else:
            try:
                result = _classify(classifier, loaded, loaded.image, top_k)
            except FrameFailedError as failed:
                failures.add(failed, classifier.model.name)
                yield FileResult(loaded.path, error=f"{str(loaded.path)!r}: {failed.problem}")
            else:
                failures.end()
                yield result


def _classify(classifier: Classifier, loaded: _Loaded, image: Image, top_k: int) -> FileResult:
    started = time.perf_counter()
    scores = classifier.to_scores(classifier.run_image(image))
    invoke_ms = (time.perf_counter() - started) * 1e3
    best = tuple(classifier.top(scores, top_k))
    return FileResult(loaded.path, best, {**loaded.latency_ms, "invoke": invoke_ms})


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    path: Path
    image: Image | None = None
    latency_ms: dict[str, float] = field(default_factory=dict)
    error: str = ""


def _load(path: Path, preprocessing: Preprocessing) -> _Loaded:
    """Decode and prepare one file: what waits for the engine is an image, not a frame."""
    started = time.perf_counter()
    try:
        frame = read_picture(path)
    except PictureError as wrong:
        return _Loaded(path, error=wrong.problem)
    decoded = time.perf_counter()
    image = prepare(frame, preprocessing, np.empty(preprocessing.shape, np.uint8))
    done = time.perf_counter()
    latency_ms = {"decode": (decoded - started) * 1e3, "prepare": (done - decoded) * 1e3}
    return _Loaded(path, image, latency_ms)


def split_names(read: Callable[[], bytes], *, is_null_separated: bool = False) -> Iterator[Path]:
    """File names out of a stream, each as soon as it is whole; empty ones are left out.

    Args:
        read: The next bytes, none at the end; such as `lambda: os.read(0, 65536)`.
        is_null_separated: As `find -print0` writes them; else one name a line.

    Raises:
        InvalidValueError: What comes is no list of names.
    """
    separator = b"\0" if is_null_separated else b"\n"
    rest = b""
    while content := read():
        *names, rest = (rest + content).split(separator)
        if len(rest) > MAX_NAME_BYTES:
            raise InvalidValueError(
                f"a name on standard input has more than {MAX_NAME_BYTES} bytes",
                hint="give one name a line, or with --null names that end in NUL",
            )
        yield from _to_paths(names, is_null_separated=is_null_separated)
    yield from _to_paths([rest], is_null_separated=is_null_separated)


def _to_paths(names: list[bytes], *, is_null_separated: bool) -> Iterator[Path]:
    for name in names:
        # A list that was written on Windows.
        text = os.fsdecode(name if is_null_separated else name.removesuffix(b"\r"))
        if text:
            yield Path(text)
