"""Where a model looks in pictures: a heat map beside each prepared image, as PNG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from edgecls.classifier import Classifier
from edgecls.contract.card import ModelCard
from edgecls.contract.keras_file import load_keras_model
from edgecls.contract.labels import Labels
from edgecls.contract.run import RunFolder
from edgecls.errors import InvalidValueError, ModelFileError
from edgecls.imaging.decode import Frame
from edgecls.imaging.prepare import Image, prepare
from edgecls.storage.kinds import mark_drawing
from edgecls.tempering import temper
from edgecls_train.backend import load_keras
from edgecls_train.heatmap import GradCam, HeatMap, occlusion_map, occlusion_positions, overlay
from edgecls_train.plots import draw_pair

Method = Literal["gradcam", "occlusion"]

_PREDICT_BATCH: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """One picture, explained.

    Args:
        label: That the heat map is about.
        score: Of that label, 0 to 1.
        best: The label that the model gives.
        best_score: Of that one.
        image: As prepared for the model.
        heat: Where the label comes from.
    """

    label: str
    score: float
    best: str
    best_score: float
    image: Image
    heat: HeatMap

    @property
    def peak(self) -> tuple[float, float]:
        """The hottest place, (down, right) as shares of the image's sides."""
        row, column = np.unravel_index(int(self.heat.argmax()), self.heat.shape)
        height, width = self.heat.shape
        return (float(row) + 0.5) / height, (float(column) + 0.5) / width

    def to_png(self) -> bytes:
        """The image, and beside it the heat laid over it, with label and score."""
        title = f"{self.label} {self.score:.1%}"
        if self.label != self.best:
            title += f" (the answer is {self.best} {self.best_score:.1%})"
        return mark_drawing(draw_pair(self.image, overlay(self.image, self.heat), title))


class Explainer:
    """A model that tells where it looks.

    Args:
        card: Its labels and preparation.
        score_images: (N, height, width, channels) uint8 -> (N, classes).
        grad_cam: Explains one class of an image; None where there are no gradients.
        resolution: Smallest score that can be told from 0.
    """

    def __init__(
        self,
        card: ModelCard,
        score_images: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]],
        grad_cam: Callable[[Image, int], HeatMap] | None = None,
        resolution: float = 1e-6,
    ) -> None:
        self.card = card
        self._resolution = resolution
        self.method: Method = "gradcam" if grad_cam else "occlusion"
        self._score_images = score_images
        self._grad_cam = grad_cam

    @property
    def steps(self) -> int:
        """How many steps `explain` tells of."""
        return 1 if self._grad_cam else occlusion_positions(self.card.preprocessing.size)

    def explain(
        self,
        frame: Frame,
        label: str | None = None,
        advance: Callable[[int], None] = lambda _: None,
    ) -> Explained:
        """Explain a label of one frame.

        Args:
            frame: uint8 RGB, (height, width, 3).
            label: The best one if none is given.
            advance: Told how many of `steps` are done.

        Raises:
            InvalidValueError: The model has no such label.
        """
        image = prepare(frame, self.card.preprocessing)
        scores = self._score_images(image[None])[0]
        best = int(scores.argmax())
        target = best if label is None else _index_of(label, self.card.labels)
        if self._grad_cam:
            heat = self._grad_cam(image, target)
        else:
            heat = occlusion_map(
                self._score_images, image, target, advance, resolution=self._resolution
            )
        advance(self.steps)
        labels = self.card.labels
        return Explained(
            labels[target], float(scores[target]), labels[best], float(scores[best]), image, heat
        )


def open_explainer(path: Path, method: Method | None = None) -> Explainer:
    """Load a model that can be explained.

    Args:
        path: A run folder, its model.keras, or a .tflite file.
        method: `gradcam` (the default for Keras networks) or `occlusion` (anything else).

    Raises:
        ModelFileError: It is none of these, or cannot be read.
        RunError: Its card is missing.
        NotAClassifierError: Grad-CAM was asked for, and it has no feature maps.
        InvalidValueError: Grad-CAM was asked for, and it is a .tflite.
    """
    if path.is_dir():
        return _open_run(RunFolder(path), method)
    if path.suffix == ".keras":
        return _open_keras(path, RunFolder(path.parent).load_card(), method)
    if method == "gradcam":
        raise InvalidValueError(
            f"Grad-CAM needs gradients, which '{path}' does not have",
            hint="give the run folder that it was converted from, or use --method occlusion",
        )
    classifier = Classifier.open(path)
    steps = classifier.model.output.to_quant_params()
    return Explainer(
        classifier.model.card,
        _scores_of_engine(classifier),
        # Half a step: what is stored as 0 may be as much.
        resolution=min(0.25, steps.scale / 2.0) if steps else 1e-6,
    )


def _open_run(run: RunFolder, method: Method | None) -> Explainer:
    return _open_keras(run.model_path, run.load_card(), method)


def _open_keras(path: Path, card: ModelCard, method: Method | None) -> Explainer:
    keras = load_keras()
    try:
        model = load_keras_model(keras, path)
    except ModelFileError:
        raise
    # Keras raises whatever the layers' own constructors raise on a configuration they refuse.
    except Exception as wrong:
        reason = str(wrong).splitlines()[0] if str(wrong) else type(wrong).__name__
        raise ModelFileError(
            f"'{path}' cannot be read as a Keras model: {reason}",
            hint="it is written by 'edgecls train'",
        ) from wrong
    grad_cam = None if method == "occlusion" else GradCam(model)
    return Explainer(card, _scores_of_network(model, card.output.temperature), grad_cam)


def _scores_of_network(
    model: Any, temperature: float
) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]:
    def score(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scores = model.predict(images, batch_size=_PREDICT_BATCH, verbose=0)
        return temper(np.asarray(scores, np.float32), temperature).astype(np.float32)

    return score


def _scores_of_engine(
    classifier: Classifier,
) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]:
    def score(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.stack([classifier.to_scores(classifier.run_image(image)) for image in images])

    return score


def _index_of(label: str, labels: Labels) -> int:
    if label not in labels.names:
        known = ", ".join(labels.names[:5]) + (", ..." if len(labels) > 5 else "")
        raise InvalidValueError(f"the model has no label {label!r}", hint=f"it has: {known}")
    return labels.names.index(label)
