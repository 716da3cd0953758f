"""A training whose figures are no numbers any more: which of them it was, and the way on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from edgecls.errors import RecipeError
from edgecls_train.recipe import Recipe

Term: TypeAlias = Literal["loss", "penalty", "validation loss"]

# Losses of scores are bounded: cross-entropy ends at -log(1e-7), which is 16 times the weight of
# a class. What was larger than this before it broke down was the penalty.
_MOST_LOSS: Final = 1e4


class TrainingBrokeDownError(RecipeError):
    """A figure of a training became infinite or no number.

    Args:
        epoch: In which, from 1.
        term: Which figure: the loss on training pictures, the penalty on the weights (l1, l2), or
            the loss on validation pictures.
        found: What was seen, in words that go on from "training broke down in epoch 3: ".
        way_on: What to do.
    """

    def __init__(self, epoch: int, term: Term, found: str, way_on: str) -> None:
        super().__init__(f"training broke down in epoch {epoch}: {found}", hint=way_on)
        self.epoch = epoch
        self.term = term
        self.found = found


def in_training(
    model: Any, recipe: Recipe, epoch: int, step: int, loss: float, before: float
) -> TrainingBrokeDownError:
    """What to say where the loss of a training step is infinite or no number.

    Args:
        model: After that step.
        recipe: Of the training.
        epoch: From 1.
        step: From 1.
        loss: Of that step, the penalty included.
        before: Of the step before it; 0 where there was none.
    """
    if _is_penalty(model, loss, before):
        names = [name for name in ("l1", "l2") if getattr(recipe.regularization, name)]
        found = f"the penalty on the weights ({' and '.join(names)}) grew to {loss}"
        return TrainingBrokeDownError(
            epoch,
            "penalty",
            f"{found} in step {step}",
            f"lower {names[0]} or learning_rate in the recipe, by ten to begin with",
        )
    return TrainingBrokeDownError(
        epoch,
        "loss",
        f"the loss is {loss} in step {step}",
        "lower learning_rate in the recipe, by ten to begin with",
    )


def in_validation(epoch: int, loss: float, val_loss: float) -> TrainingBrokeDownError:
    """What to say where only the validation loss is infinite or no number."""
    return TrainingBrokeDownError(
        epoch,
        "validation loss",
        f"the validation loss is {val_loss}, while the loss in training was {loss:.3g}",
        "lower learning_rate in the recipe, by ten to begin with",
    )


def on_the_way(
    wrong: TrainingBrokeDownError, run: Path, recipe: Recipe, epochs: int
) -> TrainingBrokeDownError:
    """The same, with the command that goes on from the last sound epoch.

    Args:
        wrong: As it was raised.
        run: Where the checkpoints are.
        recipe: Of the run.
        epochs: How many sound epochs its newest checkpoint has, those of the head included.
    """
    options = [_lower("learning_rate", recipe.optimizer.learning_rate)]
    above = recipe.backbone
    if above is not None and above.finetune.isdecimal() and wrong.epoch > above.head_epochs:
        options = [_lower("finetune_learning_rate", above.finetune_learning_rate)]
    if wrong.term == "penalty":
        penalties = [(name, getattr(recipe.regularization, name)) for name in ("l1", "l2")]
        options = [_lower(name, value) for name, value in penalties if value]
    done = f"{epochs} epoch{'s are' if epochs > 1 else ' is'} kept"
    return TrainingBrokeDownError(
        wrong.epoch,
        wrong.term,
        wrong.found,
        f"{done}; to go on more gently: edgecls train --resume {run} {' '.join(options)}",
    )


def _lower(name: str, value: float) -> str:
    return f"--{name.replace('_', '-')} {value / 10:.3g}"


def _is_penalty(model: Any, loss: float, before: float) -> bool:
    penalties = [float(penalty) for penalty in model.losses]
    if all(map(math.isfinite, penalties)):  # and so are the weights
        return False
    return math.isinf(loss) or before > _MOST_LOSS
