"""Which of the two ways of training a recipe takes: every image every epoch, or on features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgecls.console import ShowProgress
from edgecls_train.checkpoint import Checkpoints
from edgecls_train.dataset import Dataset
from edgecls_train.fit import Epoch, fit
from edgecls_train.progress import no_progress
from edgecls_train.recipe import Recipe
from edgecls_train.split import Split
from edgecls_train.transfer import Transfer, is_transfer

Trained: TypeAlias = tuple[Any, tuple[Epoch, ...]]


@dataclass(frozen=True, slots=True)
class Trainer:
    """A training that is ready to begin.

    Args:
        epochs: How many there are at most.
        fit: Trains, telling of each epoch and saving checkpoints; gives the Keras model and one
            entry an epoch.
    """

    epochs: int
    fit: Callable[[Callable[[Epoch], None], Checkpoints | None], Trained]


def open_trainer(
    dataset: Dataset, split: Split, recipe: Recipe, progress: ShowProgress = no_progress
) -> Trainer:
    """Prepare a training; features, where it needs them, are computed here.

    Raises:
        RecipeError: The recipe does not fit its backbone.
        NotInstalledError: The backbone's weights are not on this machine.
    """
    if is_transfer(recipe):
        transfer = Transfer(dataset, split, recipe, progress)
        return Trainer(transfer.epochs, transfer.fit)
    return Trainer(
        recipe.epochs,
        lambda on_epoch, checkpoints: fit(dataset, split, recipe, on_epoch, checkpoints),
    )
