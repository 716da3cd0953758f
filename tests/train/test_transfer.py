"""Training on features of a pretrained network: `edgecls_train.transfer`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.errors import RecipeError
from edgecls_train.backbones import build_backbone_classifier, build_trunk
from edgecls_train.backend import load_keras
from edgecls_train.checkpoint import Checkpoints
from edgecls_train.fit import predict
from edgecls_train.recipe import Augmentation, Backbone
from edgecls_train.trainer import open_trainer
from edgecls_train.transfer import Transfer, find_entry, fit_transfer
from tests.train.photos import SPLIT, lite0_recipe, needs_lite0, open_shapes

pytestmark = needs_lite0


@pytest.fixture(scope="module")
def shapes_dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGECLS_CACHE", str(folder / "cache"))
        yield open_shapes(folder / "shapes")


@pytest.fixture(scope="module")
def tuned(shapes_dataset):
    """Model and history with the last block fine-tuned."""
    return fit_transfer(shapes_dataset, SPLIT, lite0_recipe("15"))


def changed_layers(model) -> set[str]:
    """Names of the layers whose weights are not those that were published."""
    before = build_backbone_classifier(lite0_recipe(), classes=3)
    return {
        layer.name
        for layer, other in zip(model.layers, before.layers, strict=True)
        if any(
            not np.array_equal(a, b)
            for a, b in zip(layer.get_weights(), other.get_weights(), strict=True)
        )
    }


def weights_of(model) -> list[bytes]:
    return [weights.tobytes() for weights in model.get_weights()]


def test_the_head_alone_changes_nothing_below_it(shapes_dataset):
    model, history = fit_transfer(shapes_dataset, SPLIT, lite0_recipe("head"))
    assert changed_layers(model) == {"scores"}
    assert [epoch.epoch for epoch in history] == [1, 2]


def test_fine_tuning_changes_the_upper_blocks_and_no_normalization(tuned):
    model, _ = tuned
    assert changed_layers(model) == {
        "block15_expand",
        "block15_depthwise",
        "block15_project",
        "top",
        "scores",
    }


def test_the_epochs_of_the_head_and_of_the_blocks_are_one_history(tuned, shapes_dataset):
    _, history = tuned
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4, 5]
    assert Transfer(shapes_dataset, SPLIT, lite0_recipe("15")).epochs == 5
    assert all(0.0 <= epoch.val_accuracy <= 1.0 for epoch in history)


def test_without_head_epochs_the_blocks_are_trained_at_once(shapes_dataset):
    backbone = Backbone(name="efficientnet-lite0", finetune="15", head_epochs=0)
    _, history = fit_transfer(shapes_dataset, SPLIT, lite0_recipe(backbone=backbone))
    assert len(history) == 2


def test_it_learns_photos_it_has_never_seen(shapes_dataset):
    recipe = lite0_recipe("head", epochs=15)
    model, history = fit_transfer(shapes_dataset, SPLIT, recipe)
    found = predict(model, shapes_dataset, SPLIT.test).argmax(axis=1)
    assert found.tolist() == shapes_dataset.targets[SPLIT.test].tolist()
    assert history[-1].loss < history[0].loss


def test_the_measured_accuracy_is_that_of_the_whole_model(tuned, shapes_dataset):
    model, history = tuned
    found = predict(model, shapes_dataset, SPLIT.val).argmax(axis=1)
    right = found == shapes_dataset.targets[SPLIT.val]
    assert right.mean() == pytest.approx(history[-1].val_accuracy)


def test_what_comes_out_is_one_normal_model(tuned, tmp_path):
    model, _ = tuned
    assert type(model.layers[1]).__name__ == "Rescaling"
    assert model.output.shape == (None, 3)
    model.save(tmp_path / "model.keras")
    loaded = load_keras().models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert weights_of(loaded) == weights_of(model)


def test_the_same_seed_gives_the_same_weights(tuned, shapes_dataset):
    again, _ = fit_transfer(shapes_dataset, SPLIT, lite0_recipe("15"))
    assert weights_of(again) == weights_of(tuned[0])


def test_another_seed_gives_other_weights(tuned, shapes_dataset):
    other, _ = fit_transfer(shapes_dataset, SPLIT, lite0_recipe("15", seed=1))
    assert weights_of(other) != weights_of(tuned[0])


def test_an_interrupted_training_goes_on_to_the_same_end(tuned, shapes_dataset, tmp_path):
    def interrupt(epoch) -> None:
        if epoch.epoch == 4:  # the first of the block
            raise KeyboardInterrupt

    checkpoints = Checkpoints(tmp_path / "unfinished")
    recipe = lite0_recipe("15")
    with pytest.raises(KeyboardInterrupt):
        Transfer(shapes_dataset, SPLIT, recipe).fit(interrupt, checkpoints)
    model, history = Transfer(shapes_dataset, SPLIT, recipe).fit(checkpoints=checkpoints)
    assert weights_of(model) == weights_of(tuned[0])
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("finetune", "epochs"),
    [
        pytest.param("head", 2, id="on features"),
        pytest.param("15", 5, id="on feature maps"),
        pytest.param("all", 2, id="every image in every epoch"),
    ],
)
def test_a_recipe_takes_its_way_of_training(shapes_dataset, finetune, epochs):
    assert open_trainer(shapes_dataset, SPLIT, lite0_recipe(finetune)).epochs == epochs


LITE0 = lite0_recipe().backbone


@pytest.mark.parametrize(
    ("changes", "problem", "hint"),
    [
        pytest.param(
            {"backbone": dataclasses.replace(LITE0, finetune="16")},
            "are 0 to 15",
            "smaller",
            id="block",
        ),
        pytest.param(
            {"backbone": dataclasses.replace(LITE0, weights="none")},
            "random weights",
            "all",
            id="weights",
        ),
        pytest.param(
            {"augmentation": Augmentation(flip=True, zoom=0.1)},
            "only flip",
            "all",
            id="augmentation",
        ),
    ],
)
def test_what_cannot_be_trained_on_features_is_refused(shapes_dataset, changes, problem, hint):
    with pytest.raises(RecipeError, match=problem) as refused:
        fit_transfer(shapes_dataset, SPLIT, lite0_recipe(**changes))
    assert hint in refused.value.hint


def test_the_blocks_of_a_keras_application_have_no_numbers():
    backbone = Backbone(name="keras:MobileNetV3Small", weights="none", finetune="3")
    with pytest.raises(RecipeError, match="have no numbers"):
        find_entry(build_trunk(backbone, (64, 64, 3)), backbone)
