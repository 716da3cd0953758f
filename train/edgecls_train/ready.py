"""A run whose network is taken as it was published: ImageNet's 1,000 classes, nothing trained."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.console import ShowProgress
from edgecls.contract.card import ModelCard
from edgecls.contract.files import write_atomically
from edgecls.contract.labels import Labels
from edgecls.contract.run import RUNS, RunFolder, SplitEntry, Subset
from edgecls.errors import DatasetError, EdgeclsError
from edgecls.metrics import Quality, measure, wilson_interval
from edgecls.pictures import PictureSet
from edgecls_train.backbones import need_backbone
from edgecls_train.backbones.imagenet import build_imagenet_classifier
from edgecls_train.backbones.pretrained import imagenet_labels
from edgecls_train.backend import library_versions
from edgecls_train.progress import no_progress
from edgecls_train.reading import read_pictures
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import recipe_to_toml
from edgecls_train.resume import forget_unfinished, open_run
from edgecls_train.settings import READY

_PREDICT_BATCH: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class ReadyRun:
    """A complete run: its folder, what `metrics.json` holds, and its quality if it was measured."""

    run: RunFolder
    test: Quality | None
    metrics: dict[str, Any]


def is_ready_made(recipe: Recipe) -> bool:
    """Whether a recipe trains nothing, not even the scores."""
    return recipe.backbone is not None and recipe.backbone.finetune == READY


def make_ready_run(
    pictures: PictureSet | None,
    recipe: Recipe,
    runs: Path = RUNS,
    *,
    progress: ShowProgress = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> ReadyRun:
    """Write a run of a published classifier, measured on half of the pictures.

    Args:
        pictures: Classes named by number (0 to 999) or by name; conversion calibrates on one half
            and measures on the other. Without them the run is complete, but cannot be converted.
        recipe: Its backbone says which network.
        runs: Where numbered run folders are made.
        progress: Shows how far it is.
        say: Takes lines for people.

    Raises:
        DatasetError: A class of the pictures is none of ImageNet's, or no picture can be read.
        RecipeError: There is no such network.
        NotInstalledError: Its weights are not installed.
        EdgeclsError: The run cannot be written; nothing is left.
    """
    started = time.monotonic()
    labels, names = imagenet_labels()
    classes = [] if pictures is None else match_classes(pictures.labels, names)
    with open_run(runs, say) as run:
        model = build_imagenet_classifier(need_backbone(recipe).name, recipe.preprocessing.shape)
        measured = None
        if pictures is None:
            say("no DATA given: nothing is measured, and 'edgecls convert' will need pictures")
        else:
            measured = _measure(model, pictures, recipe, labels, classes, progress)
            if measured.unreadable:
                say(f"unreadable pictures skipped: {measured.unreadable} of {len(pictures)}")
        seconds = time.monotonic() - started
        return _save(run, model, recipe, labels, pictures, measured, seconds)


def match_classes(labels: Labels, names: Sequence[Sequence[str]]) -> list[int]:
    """Which published class each label means.

    Args:
        labels: Numbers, names or synonyms; case and underscores do not count.
        names: All names of each class.

    Raises:
        DatasetError: A label is no name of any class, or of several.
    """
    known: dict[str, set[int]] = {}
    for number, each in enumerate(names):
        for name in each:
            known.setdefault(_plain(name), set()).add(number)
    found = []
    for label in labels:
        numbers = sorted(known.get(_plain(label), ()))
        if len(numbers) != 1:
            problem = f"the numbers {numbers}" if numbers else "none"
            raise DatasetError(
                f"the class {label!r} should be one of ImageNet's, it is {problem} of them",
                hint="call it by its number, 0 to 999 in the order of WordNet",
            )
        found.append(numbers[0])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    quality: Quality
    entries: list[SplitEntry]
    renamed: dict[str, str]
    unreadable: int


def _measure(
    model: Any,
    pictures: PictureSet,
    recipe: Recipe,
    labels: Labels,
    classes: Sequence[int],
    progress: ShowProgress,
) -> _Measured:
    reading = read_pictures(pictures, recipe.preprocessing, progress=progress)
    if reading.images is None or len(reading.readable) < 2:
        raise DatasetError(
            f"'{pictures.origin}' has {len(reading.readable)} readable pictures, wanted at least"
            " two: one to calibrate and one to measure with",
            hint="fifty to calibrate and as many to measure are a start",
        )
    targets = np.array(classes, np.int64)[pictures.targets[reading.readable]]
    subsets = _draw_subsets(len(reading.readable), recipe.seed)
    tested = np.flatnonzero([subset == "test" for subset in subsets])
    scores = _predict(model, reading.images, tested, progress)
    entries = [
        SplitEntry(pictures.names[index], labels[int(target)], subset)
        for index, target, subset in zip(reading.readable.tolist(), targets, subsets, strict=True)
    ]
    renamed = {
        given: labels[number]
        for given, number in zip(pictures.labels, classes, strict=True)
        if given != labels[number]
    }
    quality = measure(scores, targets[tested], labels)
    return _Measured(quality, entries, renamed, len(reading.unreadable))


def _draw_subsets(count: int, seed: int) -> list[Subset]:
    """One half to calibrate, the other to measure; not by class, of which many have one picture."""
    chosen = set(np.random.default_rng(seed).permutation(count)[: count // 2].tolist())
    return ["train" if position in chosen else "test" for position in range(count)]


def _predict(
    model: Any,
    images: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    progress: ShowProgress,
) -> npt.NDArray[np.float32]:
    scores = []
    with progress("measuring", len(positions)) as advance:
        for start in range(0, len(positions), _PREDICT_BATCH):
            chosen = images[positions[start : start + _PREDICT_BATCH]].astype(np.float32)
            scores.append(np.asarray(model(chosen, training=False)))
            advance(start + len(chosen))
    return np.concatenate(scores)


def _save(
    run: RunFolder,
    model: Any,
    recipe: Recipe,
    labels: Labels,
    pictures: PictureSet | None,
    measured: _Measured | None,
    seconds: float,
) -> ReadyRun:
    try:
        model.save(run.model_path)
    except OSError as wrong:
        raise EdgeclsError(
            f"cannot write '{run.model_path}': {wrong}", hint="check that the disk has free space"
        ) from wrong
    quality = None if measured is None else _quality_json(measured.quality)
    provenance = {"recipe": recipe.name, "seed": recipe.seed, "versions": library_versions()}
    if pictures is not None and measured is not None:
        provenance |= {"data": pictures.origin, "renamed": measured.renamed}
    card = ModelCard(labels=labels, preprocessing=recipe.preprocessing, provenance=provenance)
    if quality is not None:
        figures = {name: quality[name] for name in ("images", "top1", "top5", "macro_f1")}
        card = dataclasses.replace(card, metrics={"float": figures})
    run.save_card(card)
    run.save_split([] if measured is None else measured.entries)
    write_atomically(run.path / "recipe.toml", recipe_to_toml(recipe).encode())
    metrics = {
        "run": str(run.path),
        "model": str(run.model_path),
        "seconds": round(seconds, 3),
        "recipe": recipe.name,
        "seed": recipe.seed,
        "epochs": 0,
        "parameters": model.count_params(),
        "test": quality,
    }
    forget_unfinished(run)
    run.save_metrics(metrics)
    return ReadyRun(run, None if measured is None else measured.quality, metrics)


def _quality_json(quality: Quality) -> dict[str, Any]:
    """Without the confusion of 1,000 by 1,000, and with the classes that were measured."""
    low, high = wilson_interval(quality.right, quality.images)
    found = {name: value for name, value in quality.to_json().items() if name != "confusion"}
    found["per_class"] = [entry for entry in found["per_class"] if entry["images"]]
    return {**found, "top1_interval": [round(low, 6), round(high, 6)]}


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())
