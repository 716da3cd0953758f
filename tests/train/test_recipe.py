"""Recipes and their files: `edgecls_train.recipe` and `edgecls_train.recipe_file`."""

from __future__ import annotations

import dataclasses

import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import RecipeError
from edgecls_train.knobs import knobs_of
from edgecls_train.recipe import (
    Augmentation,
    Backbone,
    Loss,
    Optimizer,
    Recipe,
    Regularization,
)
from edgecls_train.recipe_file import known_recipes, load_recipe, parse_recipe, recipe_to_toml

TEXTBOOK = ("cnn", "cnn-dense", "cnn-deep")

SMALL = """\
name = "small"
layers = ["flatten"]

[image]
size = [8, 8]
"""


def test_the_textbook_networks_and_those_for_clothes_and_photos_are_built_in():
    assert {*TEXTBOOK, "fashion", "photos-small"} <= set(known_recipes())


@pytest.mark.parametrize("name", TEXTBOOK)
def test_a_textbook_recipe_trains_28x28_gray_images_with_adam_in_batches_of_32(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.preprocessing == Preprocessing(size=(28, 28), channels="GRAY")
    assert recipe.optimizer.name == "adam"
    assert recipe.loss == Loss("cross-entropy")
    assert recipe.batch_size == 32


@pytest.mark.parametrize("name", TEXTBOOK)
def test_digits_are_never_mirrored(name):
    assert not load_recipe(name).augmentation.flip


def test_the_recipe_for_photos_takes_96x96_rgb_images():
    assert load_recipe("photos-small").preprocessing == Preprocessing(size=(96, 96))


def test_the_recipe_for_clothes_is_the_second_textbook_network_with_dropout():
    recipe = load_recipe("fashion")
    assert recipe.preprocessing == Preprocessing(size=(28, 28), channels="GRAY")
    kept = [layer for layer in recipe.layers if not layer.startswith("dropout")]
    assert kept == ["conv 32", "pool", "conv 64", "pool", "flatten", "dense 64"]


def test_what_a_file_leaves_out_is_as_documented():
    assert parse_recipe(SMALL, "small.toml") == Recipe(
        name="small", preprocessing=Preprocessing(size=(8, 8)), layers=("flatten",)
    )


@pytest.mark.parametrize("name", known_recipes())
def test_a_recipe_written_as_toml_is_read_back_equal(name):
    recipe = load_recipe(name)
    assert parse_recipe(recipe_to_toml(recipe), "recipe.toml") == recipe


def test_odd_characters_survive_the_round_trip():
    recipe = Recipe(
        name='sëe "\\" 🙂',
        description="two\nlines, a tab\tand DEL \x7f",
        preprocessing=Preprocessing(size=(8, 9), channels="GRAY", crop_fraction=0.875),
        layers=("flatten",),
        optimizer=Optimizer(
            "adamw", learning_rate=1e-05, weight_decay=0.05, schedule="cosine", warmup_epochs=2
        ),
        loss=Loss("focal", label_smoothing=0.1, focal_gamma=1.5, balance="sampling"),
        regularization=Regularization(l1=1e-06, l2=0.001, early_stopping=4),
        augmentation=Augmentation(shift=0.5, flip=True, cutmix=1.0),
        mixed_precision="off",
        seed=2**32 - 1,
    )
    assert parse_recipe(recipe_to_toml(recipe), "recipe.toml") == recipe


def test_a_recipe_with_a_backbone_survives_the_round_trip():
    recipe = Recipe(
        name="mine",
        preprocessing=Preprocessing(size=(96, 96)),
        backbone=Backbone("mobilenet-v1", width=0.25, weights="none", finetune="all"),
    )
    assert parse_recipe(recipe_to_toml(recipe), "recipe.toml") == recipe


def test_a_recipe_is_loaded_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SMALL)
    assert load_recipe(str(path)).name == "small"


def test_options_override_the_recipe():
    recipe = load_recipe("photos-small")
    changed = recipe.override(epochs=3, batch_size=7, image_side=64, seed=11)
    assert changed == dataclasses.replace(
        recipe, epochs=3, batch_size=7, seed=11, preprocessing=Preprocessing(size=(64, 64))
    )


def test_options_that_are_not_given_override_nothing():
    recipe = load_recipe("cnn")
    assert recipe.override() == recipe


def test_a_seed_of_zero_overrides_too():
    assert load_recipe("cnn").override(seed=5).override(seed=0).seed == 0


@pytest.mark.parametrize(
    ("side", "problem"),
    [
        # 8 pixels, after conv 6, pool 3, conv 1.
        pytest.param(8, r"layer 4 \(pool\) leaves nothing of 1x1", id="too small for its layers"),
        pytest.param(5000, r"image size \(5000, 5000\)", id="larger than any image may be"),
    ],
)
def test_an_image_side_that_does_not_fit_is_refused(side, problem):
    with pytest.raises(RecipeError, match=problem):
        load_recipe("cnn").override(image_side=side)


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(RecipeError, match=r"no recipe 'nosuch'") as refused:
        load_recipe("nosuch")
    assert refused.value.hint.startswith("known recipes: cnn, cnn-deep, cnn-dense, ")


def test_a_recipe_file_that_is_not_there_is_named():
    with pytest.raises(RecipeError, match=r"there is no file 'nowhere/mine\.toml'"):
        load_recipe("nowhere/mine.toml")


@pytest.mark.fault(79)
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "epoch = 3\n" + SMALL,
            r"mine\.toml, line 1: unknown key 'epoch'(.|\n)*known here: name, description, epochs",
            id="an unknown key at the top",
        ),
        pytest.param(
            SMALL + "width = 8\n",
            r"line 6: unknown key 'width' in \[image\](.|\n)*size, channels, crop, crop_fraction",
            id="an unknown key in a table",
        ),
        pytest.param(
            SMALL + "\n[augment]\nshift = 0.1\n",
            r"line 7: unknown key 'augment'(.|\n)*\[image\], \[backbone\], \[optimizer\], \[loss\]",
            id="an unknown table",
        ),
        pytest.param(
            'epochs = "ten"\n' + SMALL,
            r"line 1: 'epochs' is 'ten', wanted a whole number",
            id="text for a number",
        ),
        pytest.param(
            "epochs = true\n" + SMALL,
            r"line 1: 'epochs' is True, wanted a whole number",
            id="true for a number",
        ),
        pytest.param(
            "epochs = 2.5\n" + SMALL, "wanted a whole number", id="a fraction for a whole number"
        ),
        pytest.param(
            SMALL + "[augmentation]\nflip = 1\n",
            r"line 7: 'flip' is 1, wanted true or false",
            id="a number for a claim",
        ),
        pytest.param(
            "augmentation = 1\n" + SMALL,
            r"line 1: 'augmentation' is 1, wanted a \[augmentation\] table",
            id="a number for a table",
        ),
        pytest.param(
            SMALL.replace('["flatten"]', '["flatten", 3]'),
            r"line 2: 'layers' is .*, wanted a list of texts",
            id="a number among the layers",
        ),
        pytest.param("epochs =\n" + SMALL, r"not TOML: .*line 1", id="no TOML"),
        pytest.param("", r"mine\.toml has no 'name'", id="an empty file"),
        pytest.param(
            SMALL + "[backbone]\nwidth = 0.5\n",
            r"has no 'name' in \[backbone\]",
            id="a backbone without a name",
        ),
        pytest.param(
            SMALL.partition("[image]")[0], r"has no 'size' in \[image\]", id="no image size"
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_and_the_line(text, problem):
    with pytest.raises(RecipeError, match=problem):
        parse_recipe(text, "mine.toml")


@pytest.mark.fault(79)
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("epochs = 0\n" + SMALL, "epochs 0 is not in 1", id="no epochs"),
        pytest.param("batch_size = 0\n" + SMALL, "batch_size 0 is not in 1", id="empty batches"),
        pytest.param("seed = -1\n" + SMALL, "seed -1 is not in 0", id="a negative seed"),
        pytest.param(
            SMALL + '[loss]\nname = "hinge"\n',
            "loss name 'hinge' is none of 'cross-entropy', 'focal', 'mse', 'mae'",
            id="an unknown loss",
        ),
        pytest.param(
            SMALL + '[optimizer]\nname = "lion"\n',
            "optimizer name 'lion' is none of 'sgd', 'adam', 'adamw'",
            id="an unknown optimizer",
        ),
        pytest.param(
            SMALL + "[optimizer]\nweight_decay = 0.1\n",
            "weight_decay 0.1 goes with sgd and adamw(.|\n)*choose adamw",
            id="a weight decay that Adam would not heed",
        ),
        pytest.param(
            SMALL + '[optimizer]\nname = "adamw"\n',
            "adamw without weight_decay is adam(.|\n)*set weight_decay",
            id="AdamW that would be Adam",
        ),
        pytest.param(
            SMALL + '[loss]\nname = "mse"\nlabel_smoothing = 0.1\n',
            "label_smoothing 0.1 goes with cross-entropy and focal, not with mse",
            id="a label smoothing that the loss would not heed",
        ),
        pytest.param(
            SMALL + "[loss]\nfocal_gamma = 3.0\n",
            "focal_gamma 3.0 goes with the loss focal, not with cross-entropy",
            id="a gamma that the loss would not heed",
        ),
        pytest.param(
            SMALL + 'channels = "GRAY"\n[augmentation]\ncolor = 0.5\n',
            "color 0.5 cannot change gray images",
            id="a change of colour where there is none",
        ),
        pytest.param(
            SMALL + '[backbone]\nname = "resnet8"\n',
            "there are both layers and a backbone",
            id="layers and a backbone",
        ),
        pytest.param(
            SMALL.replace('layers = ["flatten"]\n', ""),
            "there are no layers(.|\n)*or the name of a",
            id="neither layers nor a backbone",
        ),
        pytest.param(
            SMALL.replace('layers = ["flatten"]\n', "")
            + '[backbone]\nname = "resnet8"\nfinetune = "some"\n',
            "finetune 'some' is neither 'head', 'all'",
            id="a part of a backbone that there is not",
        ),
        pytest.param(
            SMALL + "[optimizer]\nlearning_rate = nan\n",
            "learning_rate nan is not in 1e-09 to 10",
            id="a learning rate that is no number",
        ),
        pytest.param(
            SMALL + "[augmentation]\nshift = 0.6\n",
            "shift 0.6 is not in 0 to 0.5",
            id="a far shift",
        ),
        pytest.param(SMALL + 'crop = "left"\n', "crop 'left' is none of", id="an unknown crop"),
        pytest.param(
            SMALL.replace("[8, 8]", "[8]"), r"image size \(8,\) is not", id="half an image size"
        ),
        pytest.param(
            SMALL.replace("flatten", "flaten"), "layer 'flaten' is not known", id="a misspelt layer"
        ),
        pytest.param(
            SMALL.replace("small", " "), "name ' ' is not one line of text", id="a name of nothing"
        ),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_name_of_the_file(text, problem):
    with pytest.raises(RecipeError, match=rf"mine\.toml: {problem}"):
        parse_recipe(text, "mine.toml")


SECTIONS = (Recipe, Backbone, Optimizer, Loss, Regularization, Augmentation)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_number_refuses_what_lies_outside_its_range(section):
    numbers = [(name, knob) for name, knob in knobs_of(section) if knob.most]
    assert numbers
    for name, knob in numbers:
        for value in (knob.least - 1, knob.most + 1, float("nan"), True, "1"):
            with pytest.raises(RecipeError, match=f"{name} .* is not in"):
                knob.check(name, value)
        knob.check(name, knob.type(knob.least))
        knob.check(name, knob.type(knob.most))


@pytest.mark.parametrize("name", known_recipes())
def test_every_built_in_recipe_says_what_it_is_for_in_one_line(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert 20 < len(recipe.description) < 120
    assert "\n" not in recipe.description
