"""From labelled pictures and a recipe to a run folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecls.contract.run import RUNS, RunFolder
from edgecls.metrics import Quality, measure
from edgecls.pictures import DIGITS, PictureSet
from edgecls_train.backend import load_keras
from edgecls_train.dataset import Dataset, prepare_dataset
from edgecls_train.fit import Epoch, fit, predict
from edgecls_train.progress import OpenProgress, no_progress
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import load_recipe
from edgecls_train.record import Training, open_run, save_training
from edgecls_train.split import Positions, split_dataset

DIGITS_RECIPE: Final = "cnn-deep"
FOLDER_RECIPE: Final = "photos-small"
_NAMED_UNREADABLE: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRun:
    """A complete run: its folder, its quality on test pictures, and what `metrics.json` holds."""

    run: RunFolder
    test: Quality
    metrics: dict[str, Any]


def default_recipe(origin: str) -> Recipe:
    """The recipe for data that no one chose a recipe for."""
    return load_recipe(DIGITS_RECIPE if origin == DIGITS else FOLDER_RECIPE)


def train_classifier(
    pictures: PictureSet,
    recipe: Recipe,
    runs: Path = RUNS,
    *,
    progress: OpenProgress = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> TrainedRun:
    """Train, measure on pictures never trained on, and write `runs/<n>`.

    Args:
        pictures: At least three of each class.
        recipe: How to train.
        runs: Where numbered run folders are made.
        progress: Shows how far it is.
        say: Takes lines for people, such as which pictures were skipped.

    Raises:
        DatasetError: The pictures cannot be split, or most cannot be read; nothing was written.
        RecipeError: The training broke down; nothing is left.
        EdgeclsError: The run cannot be written; nothing is left.
    """
    started = time.monotonic()
    dataset = prepare_dataset(pictures, recipe.preprocessing, progress=progress)
    _tell_unreadable(dataset, say)
    split = split_dataset(dataset, pictures, recipe.seed)
    load_keras()  # before any progress is shown: it silences stderr
    with open_run(runs) as run:
        with progress("training", recipe.epochs) as advance:
            model, history = fit(
                dataset, split, recipe, lambda epoch: advance(epoch.epoch, _describe(epoch))
            )
        training = Training(
            model=model,
            recipe=recipe,
            dataset=dataset,
            split=split,
            history=history,
            val=_measure(model, dataset, split.val),
            test=_measure(model, dataset, split.test),
            seconds=time.monotonic() - started,
        )
        return TrainedRun(run, training.test, save_training(run, training))


def _measure(model: Any, dataset: Dataset, positions: Positions) -> Quality:
    scores = predict(model, dataset, positions)
    return measure(scores, dataset.targets[positions], dataset.labels)


def _describe(epoch: Epoch) -> str:
    return (
        f"loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.1%}, validation {epoch.val_accuracy:.1%}"
    )


def _tell_unreadable(dataset: Dataset, say: Callable[[str], None]) -> None:
    count = len(dataset.unreadable)
    if not count:
        return
    for problem in dataset.unreadable[:_NAMED_UNREADABLE]:
        say(f"skipped {problem}")
    rest = count - _NAMED_UNREADABLE
    more = f" ({rest} more than named)" if rest > 0 else ""
    say(f"unreadable pictures skipped: {count} of {count + len(dataset)}{more}")
