"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.contract.labels import Labels
    from edgecls.contract.modelfile import ModelFile

ModelOption: TypeAlias = Annotated[
    Path, typer.Option("--model", "-m", help="The model file (.tflite).")
]
LabelsOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--labels", help="Label file, for a model that carries none: one name a line."),
]
RuntimeOption: TypeAlias = Annotated[
    str, typer.Option("--runtime", help="Engine: auto, litert, tflite_runtime or fake.")
]
ThreadsOption: TypeAlias = Annotated[
    int, typer.Option("--threads", help="Threads of one inference; small models gain nothing.")
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


def open_classifier(model: Path, labels: Path | None, runtime: str, threads: int) -> Classifier:
    """Load a model into an engine, and say on stderr what had to be assumed."""
    from edgecls.classifier import Classifier

    classifier = Classifier.open(
        model, labels=load_labels(labels), runtime=runtime, threads=threads
    )
    print_assumptions(classifier.model)
    return classifier


def print_assumptions(model: ModelFile) -> None:
    """Say on stderr what a model without a card left open."""
    if model.assumptions:
        print(f"{model.name} carries no card; assumed:", file=sys.stderr)
        for assumption in model.assumptions:
            print(f"  {assumption}", file=sys.stderr)
