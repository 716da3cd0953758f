"""Temperature and thresholds of the converted form, found on its own scores.

Rounding to 8 bits moves scores: what training found for the float network is not what boards need.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from edgecls.calibration import Calibration, calibrate, measure_certainty
from edgecls.classifier import Classifier
from edgecls.console import ShowProgress
from edgecls.contract.card import Output
from edgecls.contract.modelfile import ModelFile
from edgecls.metrics import measure
from edgecls.tempering import temper
from edgecls_convert.parity import Comparison, score_pictures, targets_of
from edgecls_convert.subsets import RunPictures, choose_stratified

# Enough for a threshold at 95% precision; more would cost large sets minutes.
MOST_PICTURES: Final = 2000
# TFLite's integer SOFTMAX always gives multiples of it.
_SOFTMAX_STEP: Final = 1 / 256


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What boards shall make of the scores, and how good the model is then.

    Args:
        output: For the card.
        comparison: Float against the converted form, its scores under the new temperature.
        metrics: How the thresholds fare on the held-out pictures, for the card: plain JSON.
    """

    output: Output
    comparison: Comparison
    metrics: dict[str, Any]


def decide(
    classifier: Classifier,
    comparison: Comparison,
    pictures: RunPictures,
    seed: int,
    progress: ShowProgress,
) -> Decision:
    """Fit on the validation pictures; measure on the test pictures, which were run already.

    Args:
        classifier: The converted form on the board's engine.
        comparison: Of the same form, measured with its card.
        pictures: Of the run; without validation pictures the card's decision stays.
        seed: Of the choice where there are very many pictures.
        progress: Shows how far it is.
    """
    before = classifier.model.card.output
    if not pictures.subsets["val"]:
        return Decision(before, comparison, {})
    found = _fit(classifier, pictures, seed, progress)
    if comparison.scores is None:
        return Decision(found.output, comparison, _describe(found))
    targets, labels = targets_of(pictures, "test"), pictures.card.labels
    raw = temper(comparison.scores, 1.0 / before.temperature)
    tempered = temper(raw, found.output.temperature)
    certainty = measure_certainty(raw, targets, labels, found.output)
    return Decision(
        found.output,
        dataclasses.replace(
            comparison, in_int8=measure(tempered, targets, labels), scores=tempered
        ),
        {**_describe(found), **certainty.to_json()},
    )


def _fit(
    classifier: Classifier, pictures: RunPictures, seed: int, progress: ShowProgress
) -> Calibration:
    chosen = choose_stratified(pictures.subsets["val"], MOST_PICTURES, seed)
    some = dataclasses.replace(pictures, subsets={**pictures.subsets, "val": tuple(chosen)})
    with progress("fitting temperature and thresholds", len(chosen)) as advance:
        scores = score_pictures((_without_decision(classifier),), some, "val", advance)[0]
    return calibrate(
        scores, targets_of(some, "val"), pictures.card.labels, step=score_step(classifier.model)
    )


def score_step(model: ModelFile) -> float:
    """Between two scores that a model can give; 0 where they are float, or softmax comes later."""
    structure = model.structure
    tensor = model.output
    for operator in reversed(structure.operators):
        if operator.outputs[0] == structure.outputs[0] and operator.name == "DEQUANTIZE":
            tensor = structure.tensors[operator.inputs[0]]
    params = tensor.to_quant_params()
    is_softmax = params is not None and abs(params.scale - _SOFTMAX_STEP) < 1e-6
    return _SOFTMAX_STEP if is_softmax else 0.0


def _without_decision(classifier: Classifier) -> Classifier:
    """The same engine, with scores as the network gives them."""
    card = dataclasses.replace(classifier.model.card, output=Output())
    return Classifier(dataclasses.replace(classifier.model, card=card), classifier.runtime)


def _describe(found: Calibration) -> dict[str, Any]:
    return {
        "fitted_on": found.val.images,
        "target_precision": found.target_precision,
        "is_reached": found.is_reached,
    }
