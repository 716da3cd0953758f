"""`edgecls verify`: does this machine compute what the model's maker computed?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecls.cli.options import JsonOption, RuntimeOption, ThreadsOption
from edgecls.console import json_line


def verify(
    model: Annotated[Path, typer.Argument(help="The model file (.tflite).")],
    as_json: JsonOption = False,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
) -> None:
    """Replay the golden vectors in a model file on this machine's engine.

    \b
    edgecls verify model.tflite
    """
    from edgecls.classifier import Classifier, replay_golden

    classifier = Classifier.open(model, runtime=runtime, threads=threads)
    report = replay_golden(classifier)
    engine = f"{classifier.runtime.name} {classifier.runtime.version}"
    if as_json:
        print(
            json_line(
                {
                    "model": str(model),
                    "runtime": engine,
                    "vectors": report.vectors,
                    "largest_difference": report.largest,
                    "unit": report.unit,
                }
            )
        )
        return
    print(
        f"{report.vectors} golden vectors reproduced on {engine},"
        f" largest difference {report.largest:g} {report.unit}"
    )
