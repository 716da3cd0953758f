"""The learning curves: what every epoch measured, and what early stopping makes of them."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """One round through the training images.

    Args:
        epoch: From 1.
        loss: Mean over the (augmented) training batches, while the weights moved.
        accuracy: As `loss`, 0 to 1.
        val_loss: On the validation images, with the weights at the end of the epoch.
        val_accuracy: As `val_loss`, 0 to 1.
        seconds: What it took, validation included.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


def best_epoch(history: Sequence[Epoch]) -> Epoch:
    """The epoch of the lowest validation loss, the first of equals; `history` is not empty."""
    return min(history, key=lambda epoch: epoch.val_loss)


def is_over(history: Sequence[Epoch], epochs: int, patience: int) -> bool:
    """Whether a training ends here.

    Args:
        history: What was trained until now.
        epochs: As many as there may be.
        patience: So many epochs after the best one it ends early; 0 is never.
    """
    if not history:
        return False
    waited = history[-1].epoch - best_epoch(history).epoch
    return history[-1].epoch >= epochs or (patience > 0 and waited >= patience)


def history_to_csv(history: Sequence[Epoch]) -> bytes:
    """The file `history.csv` of a run: one line an epoch."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(field.name for field in dataclasses.fields(Epoch))
    for epoch in history:
        number, *figures = dataclasses.astuple(epoch)
        rows.writerow([number, *(f"{figure:.6g}" for figure in figures)])
    return text.getvalue().encode()
