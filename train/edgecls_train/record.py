"""What a training leaves behind: the run folder, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecls.contract.card import ModelCard
from edgecls.contract.files import write_atomically
from edgecls.contract.run import RunFolder, create_run
from edgecls.errors import EdgeclsError
from edgecls.metrics import Quality, wilson_interval
from edgecls_train.backend import library_versions
from edgecls_train.dataset import Dataset
from edgecls_train.fit import Epoch
from edgecls_train.plots import draw_confusion, draw_curves
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import recipe_to_toml
from edgecls_train.split import Split


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A training that came to its end.

    Args:
        model: The Keras model.
        recipe: As resolved: the file and the flags.
        dataset: All pictures.
        split: What each was used for.
        history: One entry an epoch.
        val: Quality on the validation pictures.
        test: Quality on the test pictures.
        seconds: From the first picture read to the last one scored.
    """

    model: Any
    recipe: Recipe
    dataset: Dataset
    split: Split
    history: tuple[Epoch, ...]
    val: Quality
    test: Quality
    seconds: float


@contextlib.contextmanager
def open_run(root: Path) -> Iterator[RunFolder]:
    """Make the next run folder below `root`; whatever goes wrong before the end removes it."""
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    run = create_run(root)
    try:
        yield run
    except BaseException:  # Ctrl-C too
        shutil.rmtree(run.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # another training has begun there
            for folder in missing:
                folder.rmdir()
        raise


def save_training(run: RunFolder, training: Training) -> dict[str, Any]:
    """Write every file of a run, `metrics.json` last.

    Returns:
        What `metrics.json` holds.

    Raises:
        EdgeclsError: The disk is full or not writable.
    """
    recipe = training.recipe
    try:
        training.model.save(run.model_path)
    except OSError as wrong:
        raise EdgeclsError(
            f"cannot write '{run.model_path}': {wrong}",
            hint="check that the disk has free space",
        ) from wrong
    run.save_card(_make_card(training))
    run.save_split(training.split.entries(training.dataset))
    files = {
        "recipe.toml": recipe_to_toml(recipe).encode(),
        "history.csv": _history_csv(training.history),
        "curves.png": draw_curves(training.history, f"Training with the recipe {recipe.name!r}"),
        "confusion.png": draw_confusion(
            training.test,
            training.dataset.labels,
            f"{training.test.images} test pictures, {training.test.top1:.1%} right",
        ),
    }
    for name, content in files.items():
        write_atomically(run.path / name, content)
    metrics = _make_metrics(run, training)
    run.save_metrics(metrics)
    return metrics


def _make_card(training: Training) -> ModelCard:
    test = training.test.to_json()
    figures = ("images", "top1", "macro_f1", "calibration_error")
    return ModelCard(
        labels=training.dataset.labels,
        preprocessing=training.recipe.preprocessing,
        provenance={
            "data": training.dataset.origin,
            "fingerprint": training.dataset.fingerprint,
            "recipe": training.recipe.name,
            "seed": training.recipe.seed,
            "pictures": training.split.counts(),
            "versions": library_versions(),
        },
        metrics={"float": {name: test[name] for name in figures}},
    )


def _make_metrics(run: RunFolder, training: Training) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "model": str(run.model_path),
        "seconds": round(training.seconds, 3),
        "recipe": training.recipe.name,
        "seed": training.recipe.seed,
        "epochs": len(training.history),
        "weights": "last epoch",
        "parameters": training.model.count_params(),
        "pictures": {
            **training.split.counts(),
            "unreadable": len(training.dataset.unreadable),
        },
        "val": _quality_json(training.val),
        "test": _quality_json(training.test),
    }


def _quality_json(quality: Quality) -> dict[str, Any]:
    right = int(quality.confusion.trace())
    low, high = wilson_interval(right, quality.images)
    return {**quality.to_json(), "top1_interval": [round(low, 6), round(high, 6)]}


def _history_csv(history: Sequence[Epoch]) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(field.name for field in dataclasses.fields(Epoch))
    for epoch in history:
        number, *figures = dataclasses.astuple(epoch)
        rows.writerow([number, *(f"{figure:.6g}" for figure in figures)])
    return text.getvalue().encode()
