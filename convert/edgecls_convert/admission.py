"""From a first conversion to one that may be written: remedies, the gate, and what is shown."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecls.console import ShowProgress
from edgecls.contract.files import write_atomically
from edgecls.contract.run import RunFolder
from edgecls.errors import EdgeclsError, NotAClassifierError
from edgecls.storage.guard import check_file
from edgecls.storage.targets import PAGE
from edgecls_convert.attempt import Attempt, convert_once
from edgecls_convert.calibration import CalibrationSet
from edgecls_convert.forms import Target
from edgecls_convert.gate import Tolerance, passes, refuse_loss
from edgecls_convert.layer_error import LayerError, measure_layers, worst_layers
from edgecls_convert.page import PAGE_NAME, draw_page
from edgecls_convert.parity import Comparison
from edgecls_convert.quantize import FLOAT
from edgecls_convert.remedies import Outcome, RemedyMode, treat
from edgecls_convert.remedies.finetune import SCHEDULE, Schedule
from edgecls_convert.remedies.graph import read_graph
from edgecls_convert.source import ConversionSource
from edgecls_convert.subsets import choose_stratified

# Each takes some 50 ms at 224x224 with the plain kernels; the mean over more is the same.
_LAYER_IMAGES: Final = 16


@dataclass(frozen=True, slots=True)
class Admission:
    """What the user chose about the gate.

    Args:
        target: The form.
        tolerance: What it may lose.
        remedy: When remedies are tried.
        shows_layers: Whether the layers are measured also where the gate opens at once.
        schedule: Of the fine-tune.
        seed: Of the choice of pictures.
    """

    target: Target
    tolerance: Tolerance
    remedy: RemedyMode = "needed"
    shows_layers: bool = False
    schedule: Schedule = SCHEDULE
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Admitted:
    """A conversion that lost no more than allowed.

    Args:
        attempt: Measured on the held-out pictures.
        calibration: What its ranges were taken from; None for a form that needs none.
        outcomes: Of the remedies that were tried.
        layers: Their errors; empty where nobody asked.
        page: The picture of them; None where none was written.
        first: Of the conversion before remedies, where any was tried.
    """

    attempt: Attempt
    calibration: CalibrationSet | None
    outcomes: tuple[Outcome, ...] = ()
    layers: tuple[LayerError, ...] = ()
    page: Path | None = None
    first: Comparison | None = None

    def to_provenance(self) -> dict[str, Any]:
        """As the card keeps it: `{"remedies"}`, or nothing where none was tried."""
        found = [outcome.to_provenance() for outcome in self.outcomes]
        return {"remedies": found} if found else {}

    def to_json(self) -> dict[str, Any]:
        """As `edgecls convert --json` prints it: what there is of remedies, layers and page."""
        found: dict[str, Any] = {}
        if self.first is not None:
            found["before_remedies"] = {
                "top1": round(self.first.in_int8.top1, 6),
                "drop": round(self.first.drop, 6),
                "agreement": round(self.first.agreement, 6),
            }
        if self.outcomes:
            found["remedies"] = [outcome.to_json() for outcome in self.outcomes]
        if self.layers:
            found["layers"] = [error.to_json() for error in self.layers]
        return {**found, "page": str(self.page)} if self.page else found


def admit(
    source: ConversionSource,
    attempt: Attempt,
    calibration: CalibrationSet | None,
    admission: Admission,
    output: Path,
    progress: ShowProgress,
) -> Admitted:
    """Let a conversion pass, as it is or remedied, or refuse it.

    Args:
        source: The model and its pictures.
        attempt: The first conversion.
        calibration: Of it.
        admission: The user's choices.
        output: Of the model; what is shown of a model without a run goes beside it.
        progress: Shows how far each step is.

    Raises:
        AccuracyLossError: It lost too much, and no remedy helped enough.
    """
    treated = treat(
        source,
        attempt,
        calibration,
        admission.target,
        admission.tolerance,
        admission.remedy,
        progress,
        admission.schedule,
    )
    first = attempt.comparison if treated.outcomes else None
    is_admitted = passes(treated.attempt.comparison, admission.tolerance)
    if is_admitted and not admission.shows_layers:
        return Admitted(treated.attempt, treated.calibration, treated.outcomes, first=first)
    layers = find_layer_errors(source, treated.attempt, admission)
    content = draw_page(treated.attempt.comparison, layers, treated.outcomes)
    page = _write_page(source, output, content, is_admitted=is_admitted)
    refuse_loss(
        treated.attempt.comparison,
        admission.tolerance,
        layers=[error.describe() for error in worst_layers(layers)],
        causes=_find_causes(source, calibration),
        outcomes=[outcome.describe() for outcome in treated.outcomes],
        page=page,
    )
    return Admitted(treated.attempt, treated.calibration, treated.outcomes, layers, page, first)


def find_layer_errors(
    source: ConversionSource, attempt: Attempt, admission: Admission
) -> tuple[LayerError, ...]:
    """Errors of all layers over some held-out pictures; empty for forms that are not of 8 bits."""
    if not admission.target.is_integer:
        return ()
    pictures = source.pictures
    chosen = choose_stratified(pictures.subsets["test"], _LAYER_IMAGES, admission.seed)
    images = [pictures.load_image(example) for example in chosen]
    in_float = attempt.in_float.model
    if attempt.network is not source.network:
        in_float = convert_once(attempt.network, source.card, FLOAT)
    names: set[str] = set()
    with contextlib.suppress(NotAClassifierError):  # then they are called as TFLite does
        names = {step.layer.name for step in read_graph(source.network).steps}
    return measure_layers(in_float, attempt.model, images, names)


def _find_causes(source: ConversionSource, calibration: CalibrationSet | None) -> list[str]:
    """What is known to be doubtful about the pictures that ranges were taken from."""
    return [*source.warnings, *(calibration.warnings if calibration else ())]


def _write_page(
    source: ConversionSource, output: Path, content: str, *, is_admitted: bool
) -> Path | None:
    """Into the run's folder; beside the model where there is no run, and a model is written."""
    if RunFolder(source.path).is_complete:
        path = source.path / PAGE_NAME
    elif is_admitted:
        path = output.with_name(f"{output.stem}-{PAGE_NAME}")
    else:
        return None
    # A folder that cannot be written to must not hide what is wrong with the model.
    with contextlib.suppress(EdgeclsError):
        check_file(path, PAGE)  # a page of that name may be somebody's own
        write_atomically(path, content.encode())
        return path
    return None
