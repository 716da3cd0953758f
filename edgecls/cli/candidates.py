"""Options about other models than the live one: a candidate beside it, a new file in its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.contract.labels import Labels
    from edgecls.contract.modelfile import ModelFile
    from edgecls.decision import DecisionSettings
    from edgecls.reload import Reloader
    from edgecls.runtimes.accelerator import Accelerator
    from edgecls.shadow import Shadow

_PANEL: Final = "Other models"

ShadowOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--shadow",
        help="Run this model beside the live one and compare what they say.",
        rich_help_panel=_PANEL,
    ),
    Reads("model"),
]
ShadowEveryOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--shadow-every", help="Compare on every so many-th frame.", rich_help_panel=_PANEL
    ),
]
ReloadOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--reload",
        help="Take up a sound model file that is renamed over --model.",
        rich_help_panel=_PANEL,
    ),
]


def open_shadow(
    path: Path | None,
    every: int,
    labels: Labels | None,
    live: Classifier,
    settings: DecisionSettings,
) -> Shadow | None:
    """The candidate; always on the CPU, with one thread, so that the live model keeps its engine.

    Raises:
        ModelFileError: It cannot be used.
        InvalidValueError: Its labels are others.
    """
    from edgecls.errors import InvalidValueError

    if every < 1:
        raise InvalidValueError(f"--shadow-every is {every}, wanted at least 1")
    if path is None:
        return None
    from edgecls.classifier import Classifier
    from edgecls.cli.options import print_assumptions
    from edgecls.shadow import Shadow

    runtime = live.runtime.name if live.runtime.name != "edgetpu" else "auto"
    candidate = Classifier.open(path, labels=labels, runtime=runtime)
    print_assumptions(candidate.model)
    return Shadow(candidate, settings, live.labels, every=every)


def make_reloader(
    path: Path,
    labels: Labels | None,
    runtime: str,
    threads: int,
    accelerator: Accelerator | None,
    *,
    is_verified: bool,
) -> Reloader:
    """What watches the model file; make it before the model is loaded."""
    from edgecls.reload import Reloader

    def load(path: Path) -> ModelFile:
        from edgecls.contract.modelfile import load_model_file

        return load_model_file(path, labels)

    def open_engine(model: ModelFile) -> Classifier:
        from edgecls.classifier import Classifier
        from edgecls.runtimes import open_runtime

        return Classifier(model, open_runtime(model, runtime, threads, accelerator))

    # The fake engine computes nothing that golden vectors could be compared with.
    is_real = runtime != "fake"
    return Reloader(path, load, open_engine, is_verified=is_verified and is_real)
