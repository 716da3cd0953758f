"""The worst mistakes on test pictures: the surest wrong answers, and where the network looked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.errors import NotAClassifierError
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import Image
from edgecls_train.dataset import Dataset
from edgecls_train.evaluate import Measured
from edgecls_train.heatmap import GradCam, HeatMap, overlay

SHOWN: Final = 12
# Photos are shown no larger than this, in pixels; a report is one file.
_MOST_SIDE: Final = 224
# Below it a picture is drawings of few pixels, which JPEG would smear.
_SMALL_SIDE: Final = 64
_JPEG_QUALITY: Final = 85


@dataclass(frozen=True, slots=True)
class Mistake:
    """A picture whose answer is wrong.

    Args:
        name: Of the picture, as in its set.
        truth: Its label.
        answer: What the network said.
        score: Of the answer, 0 to 1.
        truth_score: Of the true label, 0 to 1.
        picture: The image that the network saw, PNG or JPEG.
        heat: The same with what spoke for the answer in red; empty where that is not known.
        is_small: Whether it has so few pixels that they should stay visible.
    """

    name: str
    truth: str
    answer: str
    score: float
    truth_score: float
    picture: bytes
    heat: bytes
    is_small: bool


def show_mistakes(
    model: Any, dataset: Dataset, measured: Measured, count: int = SHOWN
) -> tuple[Mistake, ...]:
    """The `count` surest wrong answers, the surest first.

    Args:
        model: Keras network that the scores are of.
        dataset: The pictures.
        measured: Scores of some of them.
        count: How many at most.
    """
    chosen = find_mistakes(measured, count)
    explain = _explainer(model) if len(chosen) else None
    return tuple(_show(dataset, measured, int(index), explain) for index in chosen)


def find_mistakes(measured: Measured, count: int) -> npt.NDArray[np.intp]:
    """Indices into `measured` of the surest wrong answers, the surest first."""
    wrong = np.flatnonzero(measured.scores.argmax(axis=1) != measured.targets)
    surest = np.argsort(-measured.scores[wrong].max(axis=1), kind="stable")
    return wrong[surest[:count]]


def _explainer(model: Any) -> Callable[[Image, int], HeatMap] | None:
    try:
        return GradCam(model)
    except NotAClassifierError:  # a network without feature maps is shown without heat
        return None


def _show(
    dataset: Dataset,
    measured: Measured,
    index: int,
    explain: Callable[[Image, int], HeatMap] | None,
) -> Mistake:
    position, scores = int(measured.positions[index]), measured.scores[index]
    answer, truth = int(scores.argmax()), int(measured.targets[index])
    image = np.asarray(dataset.images[position])
    return Mistake(
        name=dataset.names[position],
        truth=dataset.labels[truth],
        answer=dataset.labels[answer],
        score=float(scores[answer]),
        truth_score=float(scores[truth]),
        picture=_encode(image),
        heat=_encode(overlay(image, explain(image, answer))) if explain else b"",
        is_small=max(image.shape[:2]) < _SMALL_SIDE,
    )


def _encode(image: npt.NDArray[np.uint8]) -> bytes:
    height, width = image.shape[:2]
    largest = max(height, width)
    if largest > _MOST_SIDE:
        size = (width * _MOST_SIDE // largest, height * _MOST_SIDE // largest)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    bgr = image if image.ndim == 2 or image.shape[2] == 1 else image[:, :, ::-1]
    kind, options = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if largest < _SMALL_SIDE:
        kind, options = ".png", []
    _, content = cv2.imencode(kind, np.ascontiguousarray(bgr), options)
    return content.tobytes()
