"""From a run folder to a verified int8 model file."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from edgecls.classifier import Classifier
from edgecls.console import Advance
from edgecls.contract.card import ModelCard
from edgecls.contract.modelfile import ModelFile, parse_model_file, to_bytes, write_model_file
from edgecls.contract.run import RunFolder
from edgecls.errors import InvalidValueError
from edgecls.runtimes import open_runtime
from edgecls_convert.calibration import CALIBRATION_IMAGES, CalibrationSet, load_calibration_set
from edgecls_convert.golden import make_golden
from edgecls_convert.network import load_network
from edgecls_convert.parity import Comparison, check_max_drop, compare, refuse_loss, top1_interval
from edgecls_convert.quantize import to_float_flatbuffer, to_int8_flatbuffer
from edgecls_convert.rules import check_int8_rules
from edgecls_convert.subsets import open_run_pictures

MAX_DROP_POINTS: Final = 1.0
ShowProgress: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose.

    Args:
        max_drop: Percentage points of top-1 that int8 may lose.
        calibration: Number of calibration pictures.
        seed: Of the choice of calibration pictures and golden vectors.
    """

    max_drop: float = MAX_DROP_POINTS
    calibration: int = CALIBRATION_IMAGES
    seed: int = 0

    def __post_init__(self) -> None:
        check_max_drop(self.max_drop)
        if self.seed < 0:
            raise InvalidValueError(f"seed {self.seed} is negative", hint="--seed 0")


@dataclass(frozen=True, slots=True, eq=False)
class Conversion:
    """What was written and how good it is.

    Args:
        path: Of the model file.
        size_bytes: Its size.
        model: As a board reads it.
        comparison: Float against int8.
        calibration: What the ranges were taken from.
    """

    path: Path
    size_bytes: int
    model: ModelFile
    comparison: Comparison
    calibration: CalibrationSet

    def to_json(self) -> dict[str, Any]:
        """As `edgecls convert --json` prints it."""
        found = self.comparison.to_metrics()
        for form, quality in (
            ("float", self.comparison.in_float),
            ("int8", self.comparison.in_int8),
        ):
            found[form]["top1_interval"] = [round(share, 6) for share in top1_interval(quality)]
        return {
            "model": str(self.path),
            "bytes": self.size_bytes,
            **found,
            "calibration_images": len(self.calibration.images),
            "golden_vectors": len(self.model.golden or ()),
            "minimum_runtime": self.model.structure.minimum_runtime,
            "operators": {
                name: {"count": count, "version": version}
                for name, (count, version) in self.model.structure.operator_counts.items()
            },
        }


def convert_run(
    run: RunFolder, output: Path, settings: Settings, progress: ShowProgress
) -> Conversion:
    """Convert, check, measure, and only then write.

    Args:
        run: A complete one.
        output: The model file; what is there stays untouched unless everything went well.
        settings: The user's choices.
        progress: Shows how far each step is.

    Raises:
        AccuracyLossError: int8 lost too much.
        RunError: The run does not hold what a conversion needs.
        DatasetError: Its pictures are gone or have changed.
        NotAClassifierError: Its network is not one image in, one list of scores out.
        ModelFileError: Its network cannot be loaded or converted.
        EdgeclsError: `output` cannot be written.
    """
    _check_output(output)
    card = run.load_card()
    pictures = open_run_pictures(run, card)
    wanted = min(settings.calibration, len(pictures.subsets["train"]))
    with progress("reading calibration pictures", wanted) as advance:
        calibration = load_calibration_set(pictures, settings.calibration, settings.seed, advance)
    with progress("converting to float and int8", 3) as advance:
        float_model, int8_model = _convert_both(run, card, calibration, advance)
    int8 = Classifier(int8_model, open_runtime(int8_model))
    with progress("measuring float and int8", len(pictures.subsets["test"])) as advance:
        in_float = Classifier(float_model, open_runtime(float_model))
        comparison = compare(in_float, int8, pictures, advance)
    refuse_loss(comparison, settings.max_drop)
    golden = make_golden(int8, pictures, settings.seed)
    card = _complete_card(card, comparison, calibration, int8_model.structure.minimum_runtime)
    model = write_model_file(output, int8_model.flatbuffer, card, golden)
    return Conversion(output, output.stat().st_size, model, comparison, calibration)


def _convert_both(
    run: RunFolder, card: ModelCard, calibration: CalibrationSet, advance: Advance
) -> tuple[ModelFile, ModelFile]:
    """The float and the int8 model, as boards would get them."""
    network = load_network(run.model_path, card)
    advance(1, "loaded")
    as_float = to_float_flatbuffer(network)
    advance(2, "float")
    as_int8 = to_int8_flatbuffer(network, calibration.to_representative())
    int8_model = _as_model_file(as_int8, card, "the int8 model")
    check_int8_rules(int8_model)
    advance(3, "int8")
    return _as_model_file(as_float, card, "the float model"), int8_model


def _check_output(output: Path) -> None:
    """Say before minutes of work what would go wrong after them."""
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


def _as_model_file(flatbuffer: bytes, card: ModelCard, name: str) -> ModelFile:
    """The bytes that will be written: what is measured is what boards get."""
    return parse_model_file(to_bytes(flatbuffer, card, None), name)


def _complete_card(
    card: ModelCard, comparison: Comparison, calibration: CalibrationSet, minimum_runtime: str
) -> ModelCard:
    # Nothing of when and where: the same run gives the same bytes.
    conversion = {
        "form": "int8",
        "calibration_images": len(calibration.images),
        "calibration_per_class": calibration.per_class,
        "seed": calibration.seed,
        "tensorflow": importlib.metadata.version("tensorflow"),
        "keras": importlib.metadata.version("keras"),
        "minimum_runtime": minimum_runtime,
    }
    provenance = {**card.provenance, "conversion": conversion}
    # Where the pictures lie on this machine is nobody's business on the board.
    provenance["data"] = Path(str(provenance["data"])).name
    return dataclasses.replace(
        card, provenance=provenance, metrics={**card.metrics, **comparison.to_metrics()}
    )
