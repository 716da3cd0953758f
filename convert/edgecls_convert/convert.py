"""From a trained model to a verified model file."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from edgecls.console import ShowProgress
from edgecls.contract.card import ModelCard
from edgecls.contract.cost import to_cost
from edgecls.contract.modelfile import ModelFile, write_model_file
from edgecls.contract.run import RunFolder
from edgecls.errors import InvalidValueError
from edgecls.runtimes.gate import remember
from edgecls_convert.admission import Admission, Admitted, admit
from edgecls_convert.attempt import Attempt, convert_once, open_classifier
from edgecls_convert.calibration import CALIBRATION_IMAGES, CalibrationSet, load_calibration_set
from edgecls_convert.decide import Decision, decide
from edgecls_convert.edgetpu import (
    EdgeTpuForm,
    check_edgetpu_choice,
    make_edgetpu_form,
    refuse_unmapped,
)
from edgecls_convert.forms import INT8, Target
from edgecls_convert.gate import (
    MAX_CLASS_DROP_POINTS,
    MAX_DROP_POINTS,
    MIN_AGREEMENT_PERCENT,
    Tolerance,
)
from edgecls_convert.golden import make_golden
from edgecls_convert.learnt import measure_learnt
from edgecls_convert.parity import Comparison, compare
from edgecls_convert.quantize import FLOAT
from edgecls_convert.remedies import RemedyMode
from edgecls_convert.remedies.finetune import SCHEDULE, Schedule
from edgecls_convert.sanity import describe_guessing, refuse_other_float
from edgecls_convert.source import ConversionSource, open_run_source

Warn: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose.

    Args:
        max_drop: Percentage points of top-1 that the converted form may lose.
        max_class_drop: The same of any class's recall; see `Tolerance`.
        min_agreement: Least share of the pictures, in percent, that both forms answer alike.
        calibration: Number of calibration pictures.
        seed: Of the choice of calibration pictures and golden vectors.
        target: The form, and the types of image and scores.
        remedy: Whether remedies are tried: where the form lost too much, always, or never.
        shows_layers: Whether the error of each layer is measured also where nothing was lost.
        schedule: Of the fine-tune, the last remedy.
        is_for_edgetpu: Whether to compile it for a Coral Edge TPU, too.
        min_mapped: Least share of operators that must run there, in percent.
    """

    max_drop: float = MAX_DROP_POINTS
    max_class_drop: float = MAX_CLASS_DROP_POINTS
    min_agreement: float = MIN_AGREEMENT_PERCENT
    calibration: int = CALIBRATION_IMAGES
    seed: int = 0
    target: Target = INT8
    remedy: RemedyMode = "needed"
    shows_layers: bool = False
    schedule: Schedule = SCHEDULE
    is_for_edgetpu: bool = False
    min_mapped: float = 0.0

    def __post_init__(self) -> None:
        _ = self.tolerance  # refuses what no loss can be compared with
        if self.seed < 0:
            raise InvalidValueError(f"seed {self.seed} is negative", hint="--seed 0")
        check_edgetpu_choice(self.target.form, self.min_mapped, is_chosen=self.is_for_edgetpu)

    @property
    def tolerance(self) -> Tolerance:
        """What may be lost."""
        return Tolerance(self.max_drop, self.max_class_drop, self.min_agreement)

    @property
    def admission(self) -> Admission:
        """What is done about the gate."""
        return Admission(
            self.target, self.tolerance, self.remedy, self.shows_layers, self.schedule, self.seed
        )


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """What was written and how good it is.

    Args:
        path: Of the model file.
        size_bytes: Its size.
        model: As a board reads it.
        comparison: Float against the converted form.
        calibration: What the ranges were taken from; None for a form that needs none.
        target: The form that was made.
        warnings: What is doubtful, in plain words.
        edgetpu: The form for a Coral Edge TPU, where it was asked for.
        admitted: Remedies and layers, where there were any.
    """

    path: Path
    size_bytes: int
    model: ModelFile
    comparison: Comparison
    calibration: CalibrationSet | None
    target: Target = INT8
    warnings: tuple[str, ...] = ()
    edgetpu: EdgeTpuForm | None = None
    admitted: Admitted | None = None

    def to_json(self) -> dict[str, Any]:
        """As `edgecls convert --json` prints it."""
        return {
            "model": str(self.path),
            "bytes": self.size_bytes,
            "form": self.target.form,
            **self.comparison.to_json(),
            "calibration_images": len(self.calibration.images) if self.calibration else 0,
            "calibration": self.calibration.to_json() if self.calibration else None,
            "decision": {
                **self.model.card.output.to_json(),
                **self.model.card.metrics.get("decision", {}),
            },
            "golden_vectors": len(self.model.golden or ()),
            "minimum_runtime": self.model.structure.minimum_runtime,
            "operators": {
                name: {"count": count, "version": version}
                for name, (count, version) in self.model.structure.operator_counts.items()
            },
            "warnings": list(self.warnings),
            **(self.admitted.to_json() if self.admitted else {}),
            **({"edgetpu": self.edgetpu.to_json()} if self.edgetpu else {}),
        }


def convert_run(
    run: RunFolder,
    output: Path,
    settings: Settings,
    progress: ShowProgress,
    warn: Warn = lambda _: None,
) -> Conversion:
    """Convert what a training left behind; see `open_run_source` and `convert_source`."""
    check_output(output)
    return convert_source(open_run_source(run), output, settings, progress, warn)


def convert_source(
    source: ConversionSource,
    output: Path,
    settings: Settings,
    progress: ShowProgress,
    warn: Warn = lambda _: None,
) -> Conversion:
    """Convert, check, measure, and only then write.

    Args:
        source: The model and its pictures.
        output: The model file; what is there stays untouched unless everything went well.
        settings: The user's choices.
        progress: Shows how far each step is.
        warn: Told what is doubtful, at once: also where the conversion then fails.

    Raises:
        AccuracyLossError: The form lost too much.
        DatasetError: A picture cannot be read any more.
        ModelFileError: The network cannot be converted.
        EdgeclsError: `output` cannot be written.
    """
    check_output(output)
    calibration = _calibrate(source, settings, progress)
    warnings = (*source.warnings, *(calibration.warnings if calibration else ()))
    for warning in warnings:
        warn(warning)
    attempt = _attempt(source, calibration, settings, progress)
    if settings.is_for_edgetpu:
        refuse_unmapped(attempt.model, settings.min_mapped)
    in_float = attempt.comparison.in_float
    refuse_other_float(source, in_float)
    # A model without a run was looked at before.
    if not source.warnings and (guessing := describe_guessing(in_float)):
        warn(guessing)
        warnings = (*warnings, guessing)
    admitted = admit(source, attempt, calibration, settings.admission, output, progress)
    attempt, calibration = admitted.attempt, admitted.calibration
    decision = decide(
        attempt.classifier, attempt.comparison, source.pictures, settings.seed, progress
    )
    golden = make_golden(attempt.classifier, source.pictures, settings.seed)
    learnt = measure_learnt(
        attempt.classifier, decision.output, source.pictures, settings.seed, progress
    )
    card = dataclasses.replace(
        _complete_card(source.card, admitted, decision, settings.target), learnt=learnt
    )
    model = write_model_file(output, attempt.model.flatbuffer, card, golden)
    engine = attempt.classifier.runtime
    remember(model, engine.name, engine.version)  # it ran here, on every picture of the comparison
    edgetpu = None
    if settings.is_for_edgetpu:
        edgetpu = make_edgetpu_form(output, progress, settings.min_mapped)
    return Conversion(
        output,
        output.stat().st_size,
        model,
        decision.comparison,
        calibration,
        settings.target,
        warnings,
        edgetpu,
        admitted,
    )


def check_output(output: Path) -> None:
    """Say before minutes of work what would go wrong after them.

    Raises:
        InvalidValueError: There is no folder to write into, or the name is that of a folder.
    """
    if not output.parent.is_dir():
        raise InvalidValueError(
            f"there is no folder '{output.parent}' to write '{output.name}' into",
            hint="make it first, or choose another --output",
        )
    if output.is_dir():
        raise InvalidValueError(
            f"'{output}' is a folder, wanted the name of a file",
            hint=f"--output {output / 'model.tflite'}",
        )


def _calibrate(
    source: ConversionSource, settings: Settings, progress: ShowProgress
) -> CalibrationSet | None:
    if not settings.target.is_calibrated:
        return None
    wanted = min(settings.calibration, len(source.pictures.subsets["train"]))
    with progress("reading calibration pictures", wanted) as advance:
        return load_calibration_set(source.pictures, settings.calibration, settings.seed, advance)


def _attempt(
    source: ConversionSource,
    calibration: CalibrationSet | None,
    settings: Settings,
    progress: ShowProgress,
) -> Attempt:
    """The form that was asked for, measured against float."""
    target, card = settings.target, source.card
    with progress(f"converting to float and {target.form}", 3) as advance:
        network = source.network
        advance(1, "loaded")
        in_float = open_classifier(convert_once(network, card, FLOAT))
        advance(2, "float")
        converted = convert_once(network, card, target, calibration)
        classifier = open_classifier(converted)
        advance(3, target.form)
    with progress(f"measuring float and {target.form}", len(source.pictures.subsets["test"])) as a:
        comparison = compare(in_float, classifier, source.pictures, a, target.form)
    return Attempt(network, classifier, comparison, in_float)


def _complete_card(
    card: ModelCard,
    admitted: Admitted,
    decision: Decision,
    target: Target,
) -> ModelCard:
    structure, calibration = admitted.attempt.model.structure, admitted.calibration
    # Nothing of when and where: the same run gives the same bytes.
    conversion = {
        "form": target.form,
        "input_type": target.input_type,
        "output_type": target.output_type,
        **(calibration.to_provenance() if calibration else {}),
        "tensorflow": importlib.metadata.version("tensorflow"),
        "keras": importlib.metadata.version("keras"),
        "minimum_runtime": structure.minimum_runtime,
        **admitted.to_provenance(),
    }
    provenance = {**card.provenance, "conversion": conversion}
    # Where the pictures lie on this machine is nobody's business on the board.
    provenance["data"] = Path(str(provenance["data"])).name
    metrics = {**card.metrics, **decision.comparison.to_metrics()}
    return dataclasses.replace(
        card,
        output=decision.output,
        cost=to_cost(structure),
        provenance=provenance,
        metrics={**metrics, "decision": decision.metrics} if decision.metrics else metrics,
    )
