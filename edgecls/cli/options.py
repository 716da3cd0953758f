"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.contract.labels import Labels
    from edgecls.contract.modelfile import ModelFile
    from edgecls.runtimes.accelerator import Accelerator

ModelOption: TypeAlias = Annotated[
    Path, typer.Option("--model", "-m", help="The model file (.tflite)."), Reads("model")
]
LabelsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--labels", help="Label file, for a model that carries none: one name a line."),
    Reads("labels"),
]
RuntimeOption: TypeAlias = Annotated[
    str, typer.Option("--runtime", help="Engine: auto, litert, tflite_runtime, edgetpu or fake.")
]
ThreadsOption: TypeAlias = Annotated[
    int, typer.Option("--threads", help="Threads of one inference; small models gain nothing.")
]
DeviceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device", help="Edge TPU: usb:0, pci:0, or :0 for the first.", show_default=":0"
    ),
]
PerformanceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--performance",
        help="Edge TPU's clock: Low, Medium, High or Max (a USB stick gets hot).",
        show_default="High",
    ),
]
OnLossOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--on-loss",
        help="When the Edge TPU is lost or hangs: restart it, go on with the uncompiled model"
        " beside it on the cpu, or stop.",
        show_default="restart",
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON, one object a line.")
]
TopOption: TypeAlias = Annotated[int, typer.Option("--top-k", help="Labels to show.")]

MAX_LABELS_BYTES = 4 << 20


def load_labels(path: Path | None) -> Labels | None:
    """The labels of a `--labels` file; None without one."""
    if path is None:
        return None
    from edgecls.contract.files import read_regular_file
    from edgecls.contract.labels import Labels
    from edgecls.errors import EdgeclsError

    content = read_regular_file(path, MAX_LABELS_BYTES, EdgeclsError)
    try:
        return Labels.from_text(content)
    except EdgeclsError as wrong:
        raise EdgeclsError(f"label file '{path}': {wrong.problem}", hint=wrong.hint) from wrong


def open_classifier(
    model: Path,
    labels: Path | None,
    runtime: str,
    threads: int,
    accelerator: Accelerator | None = None,
) -> Classifier:
    """Load a model into an engine, and say on stderr what had to be assumed."""
    from edgecls.classifier import Classifier

    classifier = Classifier.open(
        model,
        labels=load_labels(labels),
        runtime=runtime,
        threads=threads,
        accelerator=accelerator,
    )
    print_assumptions(classifier.model)
    print_warnings(classifier.model)
    return classifier


def choose_accelerator(
    device: str | None, performance: str | None, on_loss: str | None
) -> Accelerator | None:
    """The Edge TPU that was chosen; None where nothing was said of one."""
    from edgecls.runtimes.accelerator import Accelerator

    given = {"device": device, "performance": performance, "on_loss": on_loss}
    said = {name: value for name, value in given.items() if value is not None}
    return Accelerator(**said) if said else None  # type: ignore[arg-type]  # refused there


def print_assumptions(model: ModelFile) -> None:
    """Say on stderr what a model without a card left open."""
    from edgecls.console import printable

    if model.assumptions:
        print(f"{printable(model.name)} carries no card; assumed:", file=sys.stderr)
        for assumption in model.assumptions:
            print(f"  {printable(assumption)}", file=sys.stderr)


def print_warnings(model: ModelFile) -> None:
    """Say on stderr which runtimes would answer wrongly, without an error."""
    from edgecls.console import printable
    from edgecls.contract.pitfalls import find_pitfalls

    for pitfall in find_pitfalls(model.structure):
        print(f"warning: {printable(f'{model.name}: {pitfall}')}", file=sys.stderr)
