"""What a training leaves behind: the run folder, whole or not at all."""

from __future__ import annotations

from typing import Any

from edgecls.contract.card import ModelCard
from edgecls.contract.files import write_atomically
from edgecls.contract.run import RunFolder
from edgecls.errors import EdgeclsError
from edgecls.metrics import Quality, wilson_interval
from edgecls_train.backend import library_versions
from edgecls_train.history import history_to_csv
from edgecls_train.mistakes import show_mistakes
from edgecls_train.plots import draw_confusion, draw_curves, draw_learning_curve
from edgecls_train.recipe_file import recipe_to_toml
from edgecls_train.report import build_report
from edgecls_train.trained import Training


def save_training(run: RunFolder, training: Training) -> dict[str, Any]:
    """Write every file of a run, `metrics.json` last.

    Returns:
        What `metrics.json` holds.

    Raises:
        EdgeclsError: The disk is full or not writable.
    """
    try:
        training.model.save(run.model_path)
    except OSError as wrong:
        raise EdgeclsError(
            f"cannot write '{run.model_path}': {wrong}",
            hint="check that the disk has free space",
        ) from wrong
    run.save_card(_make_card(training))
    run.save_split(training.split.entries(training.dataset))
    for name, content in _make_files(run, training).items():
        write_atomically(run.path / name, content)
    metrics = _make_metrics(run, training)
    run.save_metrics(metrics)
    return metrics


def _make_files(run: RunFolder, training: Training) -> dict[str, bytes]:
    """What people read, by name."""
    recipe, test, labels = training.recipe, training.test, training.dataset.labels
    recipe_text = recipe_to_toml(recipe)
    confusion = draw_confusion(test, labels, f"{test.images} test pictures, {test.top1:.1%} right")
    report = build_report(
        training,
        training.diagnose(),
        show_mistakes(training.model, training.dataset, training.evaluation.test),
        run=run.path,
        recipe_text=recipe_text,
        confusion_picture=confusion,
    )
    files = {
        "recipe.toml": recipe_text.encode(),
        "history.csv": history_to_csv(training.history),
        "curves.png": draw_curves(training.history, f"Training with the recipe {recipe.name!r}"),
        "confusion.png": confusion,
        "report.html": report.encode(),
    }
    if training.learning_curve:
        files["learning-curve.png"] = draw_learning_curve(training.learning_curve)
    return files


def _make_card(training: Training) -> ModelCard:
    test = training.test.to_json()
    figures = ("images", "top1", "macro_f1", "calibration_error")
    return ModelCard(
        labels=training.dataset.labels,
        preprocessing=training.recipe.preprocessing,
        output=training.evaluation.calibration.output,
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
        "weights": "best epoch" if training.recipe.regularization.early_stopping else "last epoch",
        "parameters": training.model.count_params(),
        "pictures": {
            **training.split.counts(),
            "unreadable": len(training.dataset.unreadable),
        },
        "val": _quality_json(training.val),
        "test": _quality_json(training.test),
        "calibration": training.evaluation.calibration_json(),
        "findings": [finding.to_json() for finding in training.diagnose()],
        **({"recipe_changes": list(training.changes)} if training.changes else {}),
        **(
            {"learning_curve": training.learning_curve.to_json()} if training.learning_curve else {}
        ),
    }


def _quality_json(quality: Quality) -> dict[str, Any]:
    low, high = wilson_interval(quality.right, quality.images)
    return {**quality.to_json(), "top1_interval": [round(low, 6), round(high, 6)]}
