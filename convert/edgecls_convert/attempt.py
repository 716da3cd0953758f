"""One try at a form: converted, checked, on an engine, and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgecls.classifier import Classifier
from edgecls.contract.card import ModelCard
from edgecls.contract.modelfile import ModelFile, parse_model_file, to_bytes
from edgecls.errors import EngineError
from edgecls.runtimes import open_runtime
from edgecls_convert.calibration import CalibrationSet
from edgecls_convert.forms import Target
from edgecls_convert.parity import Comparison
from edgecls_convert.quantize import to_flatbuffer
from edgecls_convert.rules import check_rules


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """A converted form and how good it is.

    Args:
        network: What was converted: Keras, batch of one.
        classifier: The converted form on the board's engine.
        comparison: Float against it.
        in_float: The float form of the network that was trained, on the same engine.
    """

    network: Any
    classifier: Classifier
    comparison: Comparison
    in_float: Classifier

    @property
    def model(self) -> ModelFile:
        """The converted form, without metrics and golden vectors so far."""
        return self.classifier.model


def convert_once(
    network: Any, card: ModelCard, target: Target, calibration: CalibrationSet | None = None
) -> ModelFile:
    """Convert, and check on the bytes what must hold for every model of this form.

    Args:
        network: Keras, raw pixels in, batch of one; see `network.to_network`.
        card: Of the model.
        target: What to make.
        calibration: For the forms that need one.

    Returns:
        The bytes that will be written: what is measured is what boards get.

    Raises:
        ModelFileError: TensorFlow cannot convert it, or what it made breaks a rule.
    """
    images = calibration.to_representative() if calibration and target.is_calibrated else ()
    flatbuffer = to_flatbuffer(network, target, images)
    model = parse_model_file(to_bytes(flatbuffer, card, None), f"the {target.form} model")
    check_rules(model, target)
    return model


def open_classifier(model: ModelFile) -> Classifier:
    """The model on the board's engine.

    Raises:
        EngineError: The engine cannot run it, as with some layers in 16 bits.
    """
    try:
        return Classifier(model, open_runtime(model, is_probed=False))  # it was made just now
    except EngineError as wrong:
        raise EngineError(
            f"{wrong.problem}; nothing was written", hint="choose another form: --form int8"
        ) from wrong
