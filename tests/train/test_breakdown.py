"""A training that diverges is kept: `edgecls_train.breakdown`."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from edgecls.contract.run import RunFolder
from edgecls.pictures import open_pictures
from edgecls_train.breakdown import TrainingBrokeDownError, on_the_way
from edgecls_train.feed import Batch
from edgecls_train.fit import fit, train_epochs
from edgecls_train.network import build_network, compile_network
from edgecls_train.recipe import Optimizer, Recipe, Regularization
from edgecls_train.resume import open_checkpoints
from edgecls_train.settings import Backbone
from edgecls_train.split import Split
from edgecls_train.training import resume_classifier, train_classifier
from tests.train.made_data import stripes, stripes_recipe

SPLIT = Split(train=np.arange(0, 40, 2), val=np.arange(1, 40, 4), test=np.arange(3, 40, 4))
# A penalty that a rate of 10 makes grow with every step; the rate rises to it in twenty epochs.
WILD = dataclasses.replace(
    stripes_recipe(),
    epochs=12,
    optimizer=Optimizer("sgd", learning_rate=10.0, warmup_epochs=20),
    regularization=Regularization(l2=1.0),
)


def broken(recipe: Recipe) -> TrainingBrokeDownError:
    with pytest.raises(TrainingBrokeDownError) as wrong:
        fit(stripes(), SPLIT, recipe)
    return wrong.value


@pytest.mark.fault(156)
def test_a_penalty_that_grows_without_end_is_named_and_not_the_loss():
    wrong = broken(WILD)
    assert wrong.term == "penalty"
    assert re.fullmatch(
        r"training broke down in epoch \d+: the penalty on the weights \(l2\) grew to"
        r" (inf|nan) in step \d+",
        wrong.problem,
    )
    assert wrong.hint.startswith("lower l2 or learning_rate")


@pytest.mark.fault(156)
def test_without_a_penalty_it_is_the_loss():
    deep = dataclasses.replace(
        stripes_recipe(),
        layers=("flatten", *["dense 64"] * 15),
        optimizer=Optimizer("sgd", learning_rate=10.0),
    )
    wrong = broken(deep)
    assert wrong.term == "loss"
    assert "the loss is nan in step" in wrong.problem
    assert wrong.hint.startswith("lower learning_rate")


@pytest.mark.fault(156)
def test_the_validation_loss_alone_may_break_it():
    recipe = stripes_recipe()
    model = build_network(recipe, classes=2)
    compile_network(model, recipe, steps_per_epoch=1)
    images = np.zeros((4, *recipe.preprocessing.shape), np.float32)
    targets = np.array([0, 1, 0, 1])
    with pytest.raises(TrainingBrokeDownError) as wrong:
        train_epochs(
            model,
            recipe,
            lambda _: [Batch(images, targets)],
            lambda: [Batch(images, targets, np.full(4, np.nan, np.float32))],
        )
    assert wrong.value.term == "validation loss"
    assert "the validation loss is nan, while the loss in training was" in wrong.value.problem


@pytest.mark.parametrize(
    ("backbone", "epoch", "option"),
    [
        pytest.param(None, 3, "--learning-rate 0.0001", id="a network of one's own"),
        pytest.param(Backbone("mobilenet-v2"), 3, "--learning-rate 0.0001", id="a head"),
        pytest.param(
            Backbone("mobilenet-v2", finetune="3", head_epochs=2),
            2,
            "--learning-rate 0.0001",
            id="a head, before its blocks",
        ),
        pytest.param(
            Backbone("mobilenet-v2", finetune="3", head_epochs=2),
            3,
            "--finetune-learning-rate 3e-05",
            id="blocks",
        ),
    ],
)
def test_the_way_on_names_the_rate_that_was_too_high(tmp_path, backbone, epoch, option):
    recipe = dataclasses.replace(
        stripes_recipe(),
        layers=stripes_recipe().layers if backbone is None else (),
        backbone=backbone,
        optimizer=Optimizer(learning_rate=0.001),
    )
    wrong = TrainingBrokeDownError(epoch, "loss", "the loss is nan in step 1", "")
    assert on_the_way(wrong, tmp_path, recipe, epoch - 1).hint.endswith(
        f"edgecls train --resume {tmp_path} {option}"
    )


@pytest.fixture
def wild_run(shapes, tmp_path) -> tuple[RunFolder, TrainingBrokeDownError]:
    """A run that broke down after some sound epochs, and how it was told."""
    recipe = dataclasses.replace(
        WILD,
        layers=("conv 4", "pool", "flatten"),
        preprocessing=dataclasses.replace(WILD.preprocessing, size=(16, 16)),
        batch_size=8,
    )
    with pytest.raises(TrainingBrokeDownError) as wrong:
        train_classifier(open_pictures(str(shapes)), recipe, tmp_path / "runs")
    return RunFolder(tmp_path / "runs" / "1"), wrong.value


@pytest.mark.fault(156)
def test_what_was_trained_before_is_kept_with_its_history_the_reason_and_the_way_on(wild_run):
    run, wrong = wild_run
    done = wrong.epoch - 1
    assert done > 0
    assert len(open_checkpoints(run).load().history) == done
    history = (run.path / "history.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in history[1:]] == [str(n + 1) for n in range(done)]
    about = json.loads((run.path / "unfinished" / "broke-down.json").read_text())
    assert (about["epoch"], about["term"]) == (wrong.epoch, "penalty")
    assert wrong.hint.endswith(f"edgecls train --resume {run.path} --l2 0.1")
    assert not run.is_complete


@pytest.mark.fault(156)
def test_it_goes_on_more_gently_from_the_last_sound_epoch(wild_run):
    run, wrong = wild_run
    said: list[str] = []
    changes = {"l2": 0.0001, "learning_rate": 0.01, "epochs": wrong.epoch + 1}
    resumed = resume_classifier(run, changes=changes, say=said.append)
    done = wrong.epoch - 1
    assert said[0].startswith(f"this run broke down in epoch {wrong.epoch}: the penalty")
    assert "the recipe was changed since the run was begun: l2 1.0 -> 0.0001" in said[-1]
    assert resumed.metrics["epochs"] == wrong.epoch + 1
    assert resumed.metrics["recipe_changes"] == [
        f"after epoch {done}: epochs 12 -> {wrong.epoch + 1}",
        f"after epoch {done}: learning_rate 10.0 -> 0.01",
        f"after epoch {done}: l2 1.0 -> 0.0001",
    ]
    assert "l2 = 0.0001" in (run.path / "recipe.toml").read_text()
