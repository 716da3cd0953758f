"""The trained Keras network of a run, checked to be one that an image classifier can be made of."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

from edgecls.contract.card import ModelCard
from edgecls.contract.keras_file import load_keras_model
from edgecls.errors import ModelFileError, NotAClassifierError
from edgecls_convert.quiet import import_tensorflow, quietly

Shape: TypeAlias = tuple[int | None, ...]

# Keras numbers anonymous models by how many there were before in the process; a name of our own
# keeps the names of tensors, and so the bytes of the file, the same every time.
_NAME = "classifier"


def load_model(path: Path) -> Any:
    """Load a `.keras` file, never running code that it carries.

    Returns:
        A `keras.Model` as it was saved, with any number of inputs and outputs.

    Raises:
        ModelFileError: It cannot be loaded, or only by running code of its own.
    """
    _, keras = import_tensorflow()
    try:
        with quietly():
            return load_keras_model(keras, path)
    except ModelFileError:
        raise
    # Keras raises whatever the layers' own constructors raise on a configuration they refuse.
    except Exception as wrong:
        raise _cannot_load(path, wrong) from wrong


def to_network(model: Any, shape: tuple[int, int, int]) -> Any:
    """What is converted: the model in inference mode, for one picture at a time.

    Args:
        model: A `keras.Model` from pictures of this shape to scores; it is not changed, and
            shares its weights with the result.
        shape: (height, width, depth).

    Returns:
        A `keras.Model` from raw pixels, float32 (1, height, width, depth) in 0-255, to scores,
        (1, classes).

    Raises:
        NotAClassifierError: It works on other batches only.
    """
    _, keras = import_tensorflow()
    # With a batch of None, half the shape signatures in the converted file hold a -1.
    image = keras.Input(batch_shape=(1, *shape), dtype="float32", name="image")
    try:
        with quietly():
            return keras.Model(image, model(image, training=False), name=_NAME)
    # A fixed batch may be written into any layer, and each says so in its own way.
    except Exception as wrong:
        raise NotAClassifierError(
            f"the network cannot take one picture at a time: {' '.join(str(wrong).split()):.200}",
            hint="save it with an open batch: keras.Input((height, width, depth))",
        ) from wrong


def _cannot_load(path: Path, wrong: Exception) -> ModelFileError:
    reason = " ".join(str(wrong).split())
    if "`Lambda` layer" in reason or "python lambda" in reason.lower():
        return ModelFileError(
            f"'{path}' has a Lambda layer, which is Python code inside the file;"
            " edgecls does not run it",
            hint="replace the Lambda layer by a built-in layer and train again",
        )
    return ModelFileError(
        f"Keras cannot load '{path}': {reason:.300}",
        hint="save it with model.save('model.keras'), built-in layers only; "
        "a damaged one needs 'edgecls train' again",
    )


def check_keeps_card(path: Path, model: Any, card: ModelCard) -> None:
    """Refuse a model that does not go from the card's one image to the card's scores.

    Raises:
        NotAClassifierError: With what it does instead.
    """
    image, scores = read_signature(path, model)
    wanted = card.preprocessing.shape
    if len(image) != 4 or any(
        side not in (None, want) for side, want in zip(image[1:], wanted, strict=True)
    ):
        raise NotAClassifierError(
            f"'{path}' takes {written(image)}, but its card says {written((None, *wanted))}",
            hint="the model and the card come from different runs; run 'edgecls train' again",
        )
    if scores[1:] != (len(card.labels),):
        raise NotAClassifierError(
            f"'{path}' gives {written(scores)}, but its card has {len(card.labels)} labels",
            hint="a classifier ends in one score a label: (batch, labels)",
        )


def read_signature(path: Path, model: Any) -> tuple[Shape, Shape]:
    """The shapes of the one input and the one output, None where a side may vary.

    Raises:
        NotAClassifierError: There are more, or it was saved without any.
    """
    # A subclassed model that was never called has neither inputs nor outputs.
    inputs, outputs = (getattr(model, side, None) or [] for side in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        raise NotAClassifierError(
            f"'{path}' has {len(inputs)} inputs and {len(outputs)} outputs,"
            " wanted one image and one list of scores",
            hint="export a functional or sequential model with one input and one output",
        )
    return tuple(inputs[0].shape), tuple(outputs[0].shape)


def has_layer(model: Any, kinds: Collection[str]) -> bool:
    """Whether a layer of one of these classes is in the model or in a model within it."""
    return any(
        type(layer).__name__ in kinds or has_layer(layer, kinds)
        for layer in getattr(model, "layers", ())
    )


def written(shape: Shape) -> str:
    """A shape for people."""
    return "(" + ", ".join("batch" if side is None else str(side) for side in shape) + ")"
