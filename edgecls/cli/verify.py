"""`edgecls verify`: does this machine compute what the model's maker computed?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.options import (
    DeviceOption,
    JsonOption,
    PerformanceOption,
    RuntimeOption,
    ThreadsOption,
    choose_accelerator,
    print_warnings,
)
from edgecls.console import json_line, printable
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.verification import Verification


def verify(
    model: Annotated[
        Path,
        typer.Argument(help="The model file (.tflite)."),
        Reads("model"),
    ],
    as_json: JsonOption = False,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
    device: DeviceOption = None,
    performance: PerformanceOption = None,
) -> None:
    """Check that this machine decodes, prepares and computes as the one that made a model.

    Its golden vectors are replayed: JPEG frames, the images made of them, and the model's outputs.
    Exit 1 names the stage that differs.

    \b
    edgecls verify model.tflite
    edgecls verify model.tflite --runtime tflite_runtime --json
    """
    from edgecls.classifier import Classifier
    from edgecls.verification import verify as replay

    classifier = Classifier.open(
        model,
        runtime=runtime,
        threads=threads,
        accelerator=choose_accelerator(device, performance, None),
    )
    print_warnings(classifier.model)
    found = replay(classifier)
    engine = f"{classifier.runtime.name} {classifier.runtime.version}"
    if as_json:
        print(json_line(_describe(found, str(model), engine)))
        return
    print(
        f"{found.vectors} golden vectors reproduced on {printable(engine)}, largest difference"
        f" {found.largest:g} {found.unit} (allowed: {found.tolerance:g})"
    )
    if found.frames:
        print(f"{found.frames} frames decoded and prepared to the same bytes")
    else:
        print("no frames in it: decoding and preparing were not checked")


def _describe(found: Verification, model: str, engine: str) -> dict[str, Any]:
    return {
        "model": model,
        "runtime": engine,
        "vectors": found.vectors,
        "frames": found.frames,
        "scaled_frames": found.scaled,
        "largest_difference": found.largest,
        "tolerance": found.tolerance,
        "unit": found.unit,
    }
