"""The training itself: batches in, weights and learning curves out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from edgecls.errors import RunError
from edgecls_train.backend import computing_in, has_gpu, make_repeatable
from edgecls_train.breakdown import in_training, in_validation
from edgecls_train.checkpoint import (
    Arrays,
    Checkpoint,
    Checkpoints,
    read_variables,
    write_variables,
)
from edgecls_train.dataset import Dataset
from edgecls_train.feed import Batch, Feed, plain_batches
from edgecls_train.history import Epoch, best_epoch, is_over
from edgecls_train.network import build_network, compile_network
from edgecls_train.recipe import MixedPrecision, Recipe
from edgecls_train.split import Positions, Split

__all__ = ["Epoch", "choose_policy", "fit", "predict", "train_epochs"]

# Only memory counts when nothing is learned.
_PREDICT_BATCH: Final = 256


def fit(
    dataset: Dataset,
    split: Split,
    recipe: Recipe,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Any, tuple[Epoch, ...]]:
    """Train a new network; the same recipe and data give the same weights on the same machine.

    The weights of the last epoch are kept. With a falling learning rate they beat those of the
    best validation epoch, which is the luckiest of many on few pictures (the digits, three seeds:
    98.8, 99.0 and 98.6% against 98.4, 98.6 and 98.6%). With early stopping it is those of the
    epoch with the lowest validation loss.

    Args:
        dataset: All pictures.
        split: Which to train and which to validate on.
        recipe: How.
        on_epoch: Called after every epoch, when its checkpoint is safe.
        checkpoints: Where to go on from, if there is one, and to save one after every epoch.

    Returns:
        The Keras model, and one entry an epoch.

    Raises:
        TrainingBrokeDownError: The loss became infinite or no number.
        EdgeclsError: A checkpoint cannot be written.
    """
    make_repeatable(recipe.seed)
    feed = Feed(dataset, split.train, recipe)
    classes = len(dataset.labels)
    with computing_in(choose_policy(recipe.mixed_precision)):
        model = build_network(recipe, classes)
    compile_network(model, recipe, feed.steps)
    history = train_epochs(
        model,
        recipe,
        feed.epoch,
        lambda: plain_batches(dataset, split.val, recipe, _PREDICT_BATCH),
        on_epoch,
        checkpoints,
    )
    return _in_32_bits(model, recipe, classes), history


def train_epochs(
    model: Any,
    recipe: Recipe,
    open_epoch: Callable[[int], Iterable[Batch]],
    open_validation: Callable[[], Iterable[Batch]],
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    checkpoints: Checkpoints | None = None,
) -> tuple[Epoch, ...]:
    """Train a compiled model for the recipe's epochs, from a checkpoint on if there is one.

    Args:
        model: Its weights change.
        recipe: Its epochs and its early stopping count.
        open_epoch: The batches of epoch n, from 0.
        open_validation: The batches to validate on.
        on_epoch: Called after every epoch, when its checkpoint is safe.
        checkpoints: Where to go on from and to save to.

    Returns:
        One entry an epoch, those before the checkpoint included.

    Raises:
        TrainingBrokeDownError: The loss became infinite or no number.
        EdgeclsError: A checkpoint cannot be written.
    """
    patience = recipe.regularization.early_stopping
    model.optimizer.build(model.trainable_variables)
    history, best = _go_back(model, recipe, checkpoints)
    while not is_over(history, recipe.epochs, patience):
        done = _train_epoch(model, recipe, len(history), open_epoch, open_validation)
        history = (*history, done)
        if patience and best_epoch(history) is history[-1]:
            best = tuple(np.array(weights) for weights in model.get_weights())
        if checkpoints is not None:
            checkpoints.save(Checkpoint(history, read_variables(model), best))
        on_epoch(history[-1])
    if best:
        model.set_weights(best)
    return history


def predict(model: Any, dataset: Dataset, positions: Positions) -> npt.NDArray[np.float32]:
    """Scores (N, classes) of the images at `positions`, 0 to 1."""
    scores = model.predict(dataset.images[positions], batch_size=_PREDICT_BATCH, verbose=0)
    return np.asarray(scores, np.float32)


def choose_policy(mixed_precision: MixedPrecision) -> str:
    """The Keras dtype policy to train in: 16 bits pay on a GPU only."""
    if mixed_precision == "on" or (mixed_precision == "auto" and has_gpu()):
        return "mixed_float16"
    return "float32"


def _go_back(
    model: Any, recipe: Recipe, checkpoints: Checkpoints | None
) -> tuple[tuple[Epoch, ...], Arrays]:
    """Put the model into the state of the newest checkpoint, if there is one."""
    checkpoint = None if checkpoints is None else checkpoints.load()
    if checkpoint is None:
        if checkpoints is not None and checkpoints.is_last and checkpoints.paths:
            raise _all_spoilt(checkpoints)
        return (), ()
    write_variables(model, checkpoint.variables)
    rate = recipe.optimizer
    if rate.schedule == "constant" and not rate.warmup_epochs:
        # Such a rate is one of the variables; the recipe's is what counts.
        model.optimizer.learning_rate = rate.learning_rate
    return checkpoint.history, checkpoint.best


def _all_spoilt(checkpoints: Checkpoints) -> RunError:
    folder = checkpoints.folder
    return RunError(
        f"none of the checkpoints in '{folder}' can be read: nothing is left to go on from",
        hint="bring them back from a copy, or begin again: edgecls train DATA --recipe"
        f" {folder.parent / 'recipe.toml'}",
    )


def _train_epoch(
    model: Any,
    recipe: Recipe,
    number: int,
    open_epoch: Callable[[int], Iterable[Batch]],
    open_validation: Callable[[], Iterable[Batch]],
) -> Epoch:
    started = time.monotonic()

    def stop(step: int, loss: float, before: float) -> NoReturn:
        raise in_training(model, recipe, number + 1, step, loss, before)

    trained = _run(model, model.train_on_batch, open_epoch(number), stop)
    validated = _run(model, model.test_on_batch, open_validation())
    if not math.isfinite(validated[0]):
        raise in_validation(number + 1, trained[0], validated[0])
    return Epoch(number + 1, *trained, *validated, seconds=time.monotonic() - started)


def _run(
    model: Any,
    step: Callable[..., Any],
    batches: Iterable[Batch],
    stop: Callable[[int, float, float], NoReturn] | None = None,
) -> tuple[float, float]:
    """Mean loss and accuracy over the images of batches that each make one step.

    `stop` is called at the first loss that is no number: with the step, it, and the one before.
    """
    loss = accuracy = last = 0.0
    count = 0
    for number, batch in enumerate(batches, start=1):
        model.reset_metrics()  # the figures of a batch alone, whatever the version of Keras
        figures = step(batch.images, batch.answers, batch.weights, return_dict=True)
        before, last = last, float(figures["loss"])
        if stop is not None and not math.isfinite(last):
            stop(number, last, before)
        loss += len(batch.answers) * last
        accuracy += len(batch.answers) * float(figures["accuracy"])
        count += len(batch.answers)
    return loss / count, accuracy / count


def _in_32_bits(model: Any, recipe: Recipe, classes: int) -> Any:
    """The same network as every device can run it, if it was trained in 16 bits."""
    if choose_policy(recipe.mixed_precision) == "float32":
        return model
    plain = build_network(recipe, classes)
    plain.set_weights(model.get_weights())
    return plain
