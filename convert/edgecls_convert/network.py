"""The trained Keras network of a run, checked to be one that an image classifier can be made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgecls.contract.card import ModelCard
from edgecls.errors import ModelFileError, NotAClassifierError
from edgecls_convert.quiet import import_tensorflow, quietly

# Keras numbers anonymous models by how many there were before in the process; a name of our own
# keeps the names of tensors, and so the bytes of the file, the same every time.
_NAME = "classifier"


def load_network(path: Path, card: ModelCard) -> Any:
    """Load a `.keras` file, never running code that it carries, and fix its batch to 1.

    Args:
        path: Of the `.keras` file.
        card: The promises that it must keep: image shape and number of labels.

    Returns:
        A `keras.Model` from raw pixels, float32 (1, height, width, depth) in 0-255, to scores,
        (1, classes).

    Raises:
        ModelFileError: It cannot be loaded, or only by running code of its own.
        NotAClassifierError: It is no network from this one image to these scores.
    """
    _, keras = import_tensorflow()
    try:
        with quietly():
            model = keras.models.load_model(path, compile=False, safe_mode=True)
    # Keras raises whatever the layers' own constructors raise on a configuration they refuse.
    except Exception as wrong:
        raise _cannot_load(path, wrong) from wrong
    _check_is_classifier(path, model, card)
    with quietly():
        return _with_batch_of_one(keras, model, card)


def _with_batch_of_one(keras: Any, model: Any, card: ModelCard) -> Any:
    # With a batch of None, half the shape signatures in the converted file hold a -1.
    image = keras.Input(batch_shape=(1, *card.preprocessing.shape), dtype="float32", name="image")
    return keras.Model(image, model(image, training=False), name=_NAME)


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


def _check_is_classifier(path: Path, model: Any, card: ModelCard) -> None:
    inputs, outputs = _shapes(model, "inputs"), _shapes(model, "outputs")
    if len(inputs) != 1 or len(outputs) != 1:
        raise NotAClassifierError(
            f"'{path}' has {len(inputs)} inputs and {len(outputs)} outputs,"
            " wanted one image and one list of scores",
            hint="export a functional or sequential model with one input and one output",
        )
    wanted = card.preprocessing.shape
    found = inputs[0]
    if len(found) != 4 or any(
        side not in (None, want) for side, want in zip(found, (1, *wanted), strict=True)
    ):
        raise NotAClassifierError(
            f"'{path}' takes {_written(found)}, but its card says {_written((None, *wanted))}",
            hint="the model and the card come from different runs; run 'edgecls train' again",
        )
    if outputs[0][1:] != (len(card.labels),):
        raise NotAClassifierError(
            f"'{path}' gives {_written(outputs[0])}, but its card has {len(card.labels)} labels",
            hint="a classifier ends in one score a label: (batch, labels)",
        )


def _shapes(model: Any, side: str) -> list[tuple[int | None, ...]]:
    # A subclassed model that was never called has neither inputs nor outputs.
    return [tuple(tensor.shape) for tensor in getattr(model, side, None) or []]


def _written(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("batch" if side is None else str(side) for side in shape) + ")"
