"""`edgecls classify`: classify picture files."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.options import (
    JsonOption,
    LabelsOption,
    ModelOption,
    RuntimeOption,
    ThreadsOption,
    TopOption,
    open_classifier,
)
from edgecls.console import json_line, printable

if TYPE_CHECKING:
    from edgecls.classifier import Classifier


def classify(
    files: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    model: ModelOption,
    labels: LabelsOption = None,
    top_k: TopOption = 3,
    as_json: JsonOption = False,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
) -> None:
    """Classify pictures; exit 1 if any of them could not be read.

    \b
    edgecls classify --model model.tflite cat.jpg
    edgecls classify --model model.tflite --json pictures/
    """
    from edgecls.errors import InvalidValueError, PictureError
    from edgecls.pictures.folder import find_pictures

    if top_k < 1:
        raise InvalidValueError(f"--top-k is {top_k}, wanted at least 1")
    classifier = open_classifier(model, labels, runtime, threads)
    seen = failed = 0
    for path in find_pictures(files):
        seen += 1
        try:
            result = _classify_file(classifier, path, top_k)
        except PictureError as wrong:
            failed += 1
            result = {"file": str(path), "error": wrong.problem}
        _print_result(result, as_json=as_json)
    if failed:
        print(f"{failed} of {seen} files could not be classified", file=sys.stderr)
        raise typer.Exit(1)
    if not seen:
        raise PictureError("there are no pictures in what was given", hint="name files or folders")


def _classify_file(classifier: Classifier, path: Path, top_k: int) -> dict[str, Any]:
    from edgecls.pictures.folder import read_picture

    started = time.perf_counter()
    frame = read_picture(path)
    decode_ms = (time.perf_counter() - started) * 1e3
    result = classifier.classify(frame)
    latency_ms = {"decode": decode_ms, **result.latency_ms}
    return {
        "file": str(path),
        "predictions": [
            prediction.to_json() for prediction in classifier.top(result.scores, top_k)
        ],
        "latency_ms": {stage: round(value, 3) for stage, value in latency_ms.items()},
    }


def _print_result(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json_line(result), flush=True)
    elif "error" in result:
        print(f"error: {printable(result['error'])}", file=sys.stderr)
    else:
        best = ", ".join(
            f"{printable(entry['label'])} {entry['score']:.1%}" for entry in result["predictions"]
        )
        print(f"{printable(result['file'])}: {best}", flush=True)
