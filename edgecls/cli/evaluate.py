"""`edgecls evaluate`: measure a model file on labelled pictures."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.options import (
    DeviceOption,
    JsonOption,
    LabelsOption,
    ModelOption,
    OnLossOption,
    PerformanceOption,
    RuntimeOption,
    ThreadsOption,
    choose_accelerator,
    open_classifier,
)
from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.evaluation import Evaluation

_SHOWN = 20


def evaluate(
    data: Annotated[
        str,
        typer.Argument(
            help="'digits' (the 1,000 held-out ones), or a folder with one folder a class,"
            " named by label or by class number."
        ),
        Reads("data"),
    ],
    model: ModelOption,
    labels: LabelsOption = None,
    as_json: JsonOption = False,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
    device: DeviceOption = None,
    performance: PerformanceOption = None,
    on_loss: OnLossOption = None,
) -> None:
    """Measure accuracy, precision, recall and F1 on labelled pictures.

    \b
    edgecls evaluate --model model.tflite digits
    edgecls evaluate --model model.tflite pictures/test --json
    """
    from edgecls.evaluation import evaluate as measure

    accelerator = choose_accelerator(device, performance, on_loss)
    classifier = open_classifier(model, labels, runtime, threads, accelerator)
    with ExitStack() as stack:
        evaluation = measure(
            classifier, data, lambda total: stack.enter_context(progress("evaluate", total))
        )
    for problem in (*evaluation.unreadable, *evaluation.failed)[:_SHOWN]:
        print(f"warning: left out: {printable(problem)}", file=sys.stderr)
    if as_json:
        print(json_line(evaluation.to_json()))
    else:
        _print_table(evaluation)


def _print_table(evaluation: Evaluation) -> None:
    from edgecls.metrics import wilson_interval

    quality = evaluation.quality
    low, high = wilson_interval(round(quality.top1 * quality.images), quality.images)
    failed = f", {len(evaluation.failed)} failed in the model" if evaluation.failed else ""
    print(f"pictures  {quality.images} ({len(evaluation.unreadable)} unreadable{failed})")
    print(f"top-1     {quality.top1:.1%} (95% interval {low:.1%} to {high:.1%})")
    print(f"top-5     {quality.top5:.1%}")
    print(f"macro F1  {quality.macro_f1:.3f}")
    shown = sorted((c for c in quality.per_class if c.images), key=lambda c: c.recall)
    more = f" (the {_SHOWN} with the lowest recall)" if len(shown) > _SHOWN else ""
    print(f"\n{'label' + more:<40} {'pictures':>8} {'precision':>9} {'recall':>7} {'F1':>6}")
    for entry in shown[:_SHOWN]:
        print(
            f"{printable(entry.label):<40.40} {entry.images:>8} {entry.precision:>9.3f}"
            f" {entry.recall:>7.3f} {entry.f1:>6.3f}"
        )
