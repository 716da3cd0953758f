"""A `.keras` model without a run: what it takes, whose labels it has, and pictures to prove it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Crop, Preprocessing
from edgecls.errors import (
    AccuracyLossError,
    DatasetError,
    InvalidValueError,
    NotAClassifierError,
)
from edgecls.pictures import PictureSet, open_pictures
from edgecls_convert.formats import refuse_other_formats
from edgecls_convert.network import has_layer, load_model, read_signature, written
from edgecls_convert.quiet import import_tensorflow, quietly
from edgecls_convert.sanity import examine
from edgecls_convert.source import ConversionSource
from edgecls_convert.subsets import RunPictures, split_pictures

Rescale: TypeAlias = Literal["none", "0..1", "-1..1"]
_SCALE_AND_OFFSET: Final[dict[str, tuple[float, float]]] = {
    "0..1": (1 / 255, 0.0),
    "-1..1": (1 / 127.5, -1.0),
}
_RESCALING: Final = ("Rescaling", "Normalization")


@dataclass(frozen=True, slots=True)
class ForeignSettings:
    """What the model file does not say itself.

    Args:
        labels: In the order of the scores; None for the folders' names in alphabetical order.
        rescale: What is done to pixels (0-255) before the model; None where the user did not say,
            so that a model that clearly expects something else is refused.
        crop: How a picture of another shape is fitted.
        seed: Of the split.
    """

    labels: Labels | None = None
    rescale: Rescale | None = None
    crop: Crop = "center"
    seed: int = 0

    def __post_init__(self) -> None:
        for what, value, wanted in (
            ("rescale", self.rescale, (None, *get_args(Rescale))),
            ("crop", self.crop, get_args(Crop)),
        ):
            if value not in wanted:
                raise InvalidValueError(
                    f"--{what} {value!r} is none of {', '.join(filter(None, wanted))}"
                )


def open_foreign_source(path: Path, data: str, settings: ForeignSettings) -> ConversionSource:
    """Any Keras 3 model of one image input and one score output, with pictures to prove it.

    Args:
        path: A `.keras` file; code that it carries is never run.
        data: The pictures, as `open_pictures` takes them. Where they come without subsets they
            are split: a fifth to calibrate with, a fifth to fit thresholds with, the rest to
            measure with.
        settings: What the file does not say.

    Raises:
        ModelFileError: It is no `.keras` file, or cannot be loaded without running its code.
        NotAClassifierError: It does not go from one image to one list of scores.
        DatasetError: The pictures are not those of its classes, or too few.
        AccuracyLossError: It clearly expects other pixel values, colours or labels.
    """
    refuse_other_formats(path)
    model = load_model(path)
    preprocessing, classes = _read_geometry(path, model, settings.crop)
    pictures = open_pictures(data)
    labels = _choose_labels(path, classes, pictures, settings.labels)
    card = ModelCard(
        labels,
        preprocessing,
        provenance={
            "data": pictures.origin,
            "model": path.name,
            "rescale": settings.rescale or "none",
            "seed": settings.seed,
        },
    )
    model = rescaled(model, settings.rescale or "none", preprocessing.shape)
    chosen = RunPictures(pictures, card, split_pictures(pictures, labels, settings.seed))
    warnings = _examine(path, model, chosen, settings)
    return ConversionSource(path, model, card, chosen, warnings)


def rescaled(model: Any, rescale: Rescale, shape: tuple[int, int, int]) -> Any:
    """The model behind a Rescaling layer, so that raw pixels (0-255) go into the result.

    Args:
        model: Keras, of pictures of this shape.
        rescale: To which values; with `none` the model itself is returned.
        shape: (height, width, depth).
    """
    if rescale == "none":
        return model
    _, keras = import_tensorflow()
    scale, offset = _SCALE_AND_OFFSET[rescale]
    with quietly():
        image = keras.Input(shape)
        pixels = keras.layers.Rescaling(scale, offset)(image)
        return keras.Model(image, model(pixels, training=False))


def _read_geometry(path: Path, model: Any, crop: Crop) -> tuple[Preprocessing, int]:
    """The image that it takes, and how many scores it gives."""
    image, scores = read_signature(path, model)
    if len(image) != 4 or image[3] not in (1, 3):
        raise NotAClassifierError(
            f"'{path}' takes {written(image)}, wanted (batch, height, width, 1 or 3)",
            hint="a classifier of camera pictures takes one image, channels last",
        )
    if image[1] is None or image[2] is None:
        raise NotAClassifierError(
            f"'{path}' takes pictures of any size, {written(image)}; boards need one size",
            hint="fix it in Python: image = keras.Input((224, 224, 3));"
            " keras.Model(image, model(image)).save('fixed.keras')",
        )
    if len(scores) != 2 or scores[1] is None:
        raise NotAClassifierError(
            f"'{path}' gives {written(scores)}, wanted one score a class: (batch, classes)",
            hint="models of sequences, boxes and masks are not classifiers",
        )
    if scores[1] == 1:
        raise NotAClassifierError(
            f"'{path}' gives a single score, wanted one for each of at least two classes",
            hint="end it in Dense(2, activation='softmax') and train it with two classes",
        )
    channels: Literal["RGB", "GRAY"] = "RGB" if image[3] == 3 else "GRAY"
    return Preprocessing((image[1], image[2]), channels, crop), scores[1]


def _choose_labels(path: Path, classes: int, pictures: PictureSet, given: Labels | None) -> Labels:
    labels = given or pictures.labels
    if len(labels) != classes:
        whose = "the label file has" if given else f"{pictures.origin!r} has folders of"
        raise DatasetError(
            f"'{path}' gives {classes} scores, but {whose} {len(labels)} labels",
            hint="name its classes in the order of its scores: --labels FILE, one a line",
        )
    return labels


def _examine(
    path: Path, model: Any, pictures: RunPictures, settings: ForeignSettings
) -> tuple[str, ...]:
    """Refuse a model that is clearly fed wrongly; what is only doubtful is returned, in words."""
    seen = examine(model, pictures, settings.seed)
    found = f"'{path}' is right on {seen.top1:.1%} of {seen.images} held-out pictures"
    if seen.reason and settings.rescale is None:
        raise AccuracyLossError(
            f"{found}, {seen.reason.problem}",
            hint=f"{seen.reason.cure}; to convert it all the same: --rescale none",
        )
    if seen.reason:
        return (f"{found}, {seen.reason.problem}; {seen.reason.cure}",)
    if not seen.is_guessing:
        return ()
    hint = "" if has_layer(model, _RESCALING) else "; it has no Rescaling layer (see --rescale)"
    return (
        f"{found}, as guessing would be ({seen.chance:.1%}): it may expect other pixel values,"
        f" colours or labels{hint}",
    )
