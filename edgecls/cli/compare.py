"""`edgecls compare`: two model files on the same pictures."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from edgecls.cli.options import (
    JsonOption,
    LabelsOption,
    RuntimeOption,
    ThreadsOption,
    open_classifier,
)
from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.comparison import ModelComparison, PairedCount

_SHOWN: Final = 20
# What one calls significant, before and after the correction for several classes.
_LEVEL: Final = 0.05


def compare(
    model_a: Annotated[
        Path,
        typer.Argument(metavar="A", help="A model file (.tflite)."),
        Reads("model"),
    ],
    model_b: Annotated[
        Path,
        typer.Argument(metavar="B", help="Another one."),
        Reads("model"),
    ],
    data: Annotated[
        str,
        typer.Argument(help="Labelled pictures, as for 'edgecls evaluate'."),
        Reads("data"),
    ],
    labels: LabelsOption = None,
    shown: Annotated[
        int, typer.Option("--show", min=0, help="Name so many pictures that changed.")
    ] = 10,
    runtime: RuntimeOption = "auto",
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Compare two models: agreement, accuracy, what changed, and whether that is more than chance.

    Both see the same frames in turns. McNemar's exact test says how likely so lopsided a change is
    where both are equally good; for single classes after Holm's correction for testing several.

    \b
    edgecls compare old.tflite new.tflite pictures/test
    edgecls compare a.tflite b.tflite digits --json
    """
    from edgecls.comparison import compare_models

    first, second = (open_classifier(m, labels, runtime, threads) for m in (model_a, model_b))
    with ExitStack() as stack:
        found = compare_models(
            first, second, data, lambda total: stack.enter_context(progress("compare", total))
        )
    for problem in found.unreadable[:_SHOWN]:
        print(f"warning: left out: {printable(problem)}", file=sys.stderr)
    if as_json:
        names = {"model_a": str(model_a), "model_b": str(model_b)}
        print(json_line({**names, **found.to_json(shown)}))
    else:
        _print_comparison(found, (str(model_a), str(model_b)), shown)


def _print_comparison(found: ModelComparison, names: tuple[str, str], shown: int) -> None:
    all_of_them = found.overall
    print(f"pictures   {all_of_them.images} ({len(found.unreadable)} unreadable)")
    for letter, name, quality, latency in zip(
        "AB", names, found.qualities, found.latency_ms, strict=True
    ):
        print(
            f"{letter}          top-1 {quality.top1:.1%}, macro F1 {quality.macro_f1:.3f},"
            f" p50 {latency['p50']:.2f} ms, p95 {latency['p95']:.2f} ms  {printable(name)}"
        )
    print(f"agreement  {found.agreement:.1%} ({all_of_them.changed} pictures changed)")
    print(f"changed    {_verdict(all_of_them)}")
    _print_classes(found)
    _print_changes(found, shown)


def _verdict(count: PairedCount) -> str:
    if not count.only_first + count.only_second:
        return "no picture was won or lost"
    counts = f"{count.only_first} only A has right, {count.only_second} only B"
    if count.p >= _LEVEL:
        return f"{counts}: no more than chance (McNemar, p = {count.p:.2g})"
    better = "A" if count.only_first > count.only_second else "B"
    return f"{counts}: {better} is better (McNemar, p = {count.p:.2g})"


def _print_classes(found: ModelComparison) -> None:
    changed = sorted((c for c in found.per_class if c.changed), key=lambda c: (c.p, -c.changed))
    if not changed:
        return
    rest = len(changed) - _SHOWN
    print(f"\n{'label':<30} {'pictures':>8} {'changed':>7} {'only A':>6} {'only B':>6} {'p':>9}")
    for count in changed[:_SHOWN]:
        mark = " *" if count.adjusted_p < _LEVEL else ""
        print(
            f"{printable(count.label):<30.30} {count.images:>8} {count.changed:>7}"
            f" {count.only_first:>6} {count.only_second:>6} {count.adjusted_p:>9.2g}{mark}"
        )
    if rest > 0:
        print(f"and {rest} more (--json shows all)")


def _print_changes(found: ModelComparison, shown: int) -> None:
    for number, change in enumerate(found.changes[:shown]):
        if not number:
            print()
        print(
            f"{printable(change.name)}: {printable(change.label)}"
            f" (A: {printable(change.first)}, B: {printable(change.second)})"
        )
    rest = len(found.changes) - shown
    if shown and rest > 0:
        print(f"and {rest} more (--show {len(found.changes)})")
