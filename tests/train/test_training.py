"""From pictures to a run folder: `edgecls_train.training` and `edgecls_train.record`."""

from __future__ import annotations

import csv
import json
import math
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import edgecls
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.run import find_latest_run
from edgecls.errors import EdgeclsError
from edgecls.imaging.decode import decode
from edgecls.pictures import open_pictures
from edgecls_train.backbones.pretrained import has_weights
from edgecls_train.backend import load_keras
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import load_recipe
from edgecls_train.recipe_keys import override_recipe
from edgecls_train.training import default_recipe, train_classifier


@pytest.fixture
def quick() -> Recipe:
    """The recipe for photos, in a second."""
    return load_recipe("photos-small").override(epochs=2, image_side=32, batch_size=8)


def weights_of(run) -> list[bytes]:
    model = load_keras().saving.load_model(run.model_path)
    return [weights.tobytes() for weights in model.get_weights()]


def test_a_run_holds_every_promised_file_and_nothing_else(digit_run):
    assert sorted(path.name for path in digit_run.run.path.iterdir()) == [
        "augmentation.png",
        "card.json",
        "confusion.png",
        "curves.png",
        "history.csv",
        "metrics.json",
        "model.keras",
        "recipe.toml",
        "report.html",
        "split.csv",
    ]


def test_a_finished_run_is_the_latest_complete_one(digit_run):
    assert find_latest_run(digit_run.run.path.parent) == digit_run.run


def test_two_epochs_on_digits_are_far_above_chance(digit_run):
    assert digit_run.test.images == 1000
    assert digit_run.test.top1 > 0.8


def test_the_saved_model_takes_bytes_and_gives_the_measured_accuracy(digit_run, digits):
    model = load_keras().saving.load_model(digit_run.run.model_path)
    frames = np.stack([digits.load_frame(int(index)) for index in digits.held_out])
    scores = model.predict(frames[..., :1], verbose=0)
    right = scores.argmax(axis=1) == digits.targets[digits.held_out]
    assert right.mean() == pytest.approx(digit_run.test.top1)


def test_the_saved_model_holds_nothing_but_the_network(digit_run):
    model = load_keras().saving.load_model(digit_run.run.model_path)
    assert [type(layer).__name__ for layer in model.layers] == [
        "Rescaling",
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "MaxPooling2D",
        "Flatten",
        "Dense",
    ]


def test_the_card_says_what_the_model_takes_gives_and_comes_from(digit_run):
    card = digit_run.run.load_card()
    assert card.labels == Labels(tuple("0123456789"))
    assert card.preprocessing == Preprocessing(size=(28, 28), channels="GRAY")
    assert card.metrics["float"] == {
        "images": 1000,
        "top1": digit_run.metrics["test"]["top1"],
        "macro_f1": digit_run.metrics["test"]["macro_f1"],
        "calibration_error": digit_run.metrics["test"]["calibration_error"],
    }
    provenance = card.provenance
    assert provenance["data"] == "digits"
    assert provenance["recipe"] == "cnn"
    assert provenance["seed"] == 0
    assert provenance["pictures"] == {"train": 3600, "val": 400, "test": 1000}
    assert len(provenance["fingerprint"]) == 64
    assert provenance["versions"]["edgecls"] == edgecls.__version__
    assert set(provenance["versions"]) == {"edgecls", "keras", "tensorflow", "numpy"}


def test_the_metrics_are_those_on_disk_and_name_run_and_model(digit_run):
    metrics = digit_run.metrics
    assert digit_run.run.load_metrics() == metrics
    assert metrics["run"] == str(digit_run.run.path)
    assert metrics["model"] == str(digit_run.run.model_path)
    assert metrics["epochs"] == 2
    assert metrics["weights"] == "last epoch"
    assert metrics["seconds"] > 0
    assert metrics["val"]["images"] == 400
    low, high = metrics["test"]["top1_interval"]
    assert low < metrics["test"]["top1"] < high
    json.dumps(metrics, allow_nan=False)


def test_the_split_on_disk_tests_on_the_held_out_digits_only(digit_run, digits):
    tested = {entry.name for entry in digit_run.run.load_split() if entry.subset == "test"}
    assert tested == {digits.names[int(index)] for index in digits.held_out}


def test_the_history_has_one_row_an_epoch(digit_run):
    with (digit_run.run.path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(math.isfinite(float(figure)) for row in rows for figure in row.values())


@pytest.mark.parametrize("name", ["augmentation.png", "curves.png", "confusion.png"])
def test_the_pictures_of_a_run_can_be_looked_at(digit_run, name):
    assert decode((digit_run.run.path / name).read_bytes()).shape[0] > 400


def test_the_stored_recipe_repeats_the_run_bit_for_bit(shapes, tmp_path, quick):
    pictures = open_pictures(str(shapes))
    first = train_classifier(pictures, quick.override(seed=3), tmp_path / "runs")
    stored = load_recipe(str(first.run.path / "recipe.toml"))
    second = train_classifier(pictures, stored, tmp_path / "runs")
    assert second.run.path.name == "2"
    assert second.run.load_split() == first.run.load_split()
    assert weights_of(second.run) == weights_of(first.run)


def test_with_early_stopping_the_metrics_say_that_the_best_epoch_is_kept(shapes, tmp_path, quick):
    patient = override_recipe(quick, {"early_stopping": 9})
    trained = train_classifier(open_pictures(str(shapes)), patient, tmp_path / "runs")
    assert trained.metrics["weights"] == "best epoch"


def test_a_folder_of_photos_is_learned(shapes, tmp_path, quick):
    recipe = quick.override(epochs=25)
    trained = train_classifier(open_pictures(str(shapes)), recipe, tmp_path / "runs")
    assert trained.run.load_card().provenance["data"] == str(shapes)
    assert trained.run.load_card().labels == Labels(("circle", "cross", "square"))
    assert trained.test.images == 6  # two of each shape
    assert trained.test.top1 > 0.8


def test_unreadable_pictures_are_told_skipped_and_counted(shapes, tmp_path, quick):
    for number in range(5):
        (shapes / "cross" / f"{number:02d}.jpg").write_bytes(b"")
    said = []
    trained = train_classifier(
        open_pictures(str(shapes)), quick, tmp_path / "runs", say=said.append
    )
    assert [line.startswith("skipped ") for line in said] == [True, True, True, False]
    assert "cross/00.jpg" in said[0]
    assert said[-1] == "unreadable pictures skipped: 5 of 36 (2 more than named)"
    assert trained.metrics["pictures"]["unreadable"] == 5


def test_the_default_recipe_fits_the_data():
    assert default_recipe("digits").name == "cnn-deep"
    assert default_recipe("fashion-mnist").name == "fashion"
    with_weights = has_weights("efficientnet-lite0")
    wanted = "efficientnet-lite0" if with_weights else "photos-small"
    assert default_recipe("/pictures/of/cats").name == wanted


@contextmanager
def ctrl_c_in_the_first_epoch(title, total):  # noqa: ARG001  # as progress is opened
    if title == "training":
        raise KeyboardInterrupt
    yield no_advance


def no_advance(done, note=""):
    """Show nothing."""


def test_ctrl_c_before_the_first_epoch_leaves_nothing(shapes, tmp_path, quick):
    with pytest.raises(KeyboardInterrupt):
        train_classifier(
            open_pictures(str(shapes)),
            quick,
            tmp_path / "runs" / "train",
            progress=ctrl_c_in_the_first_epoch,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_ctrl_c_leaves_earlier_runs_alone(shapes, tmp_path, quick):
    (tmp_path / "runs" / "1").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        train_classifier(
            open_pictures(str(shapes)),
            quick,
            tmp_path / "runs",
            progress=ctrl_c_in_the_first_epoch,
        )
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["1"]


def test_a_place_that_cannot_be_written_is_told_before_training(shapes, tmp_path, quick):
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeclsError, match=r"cannot make the run folder(.|\n)*--out"):
        train_classifier(open_pictures(str(shapes)), quick, Path(tmp_path / "file" / "runs"))
