"""Every key of a recipe is a flag of `edgecls train`: `edgecls_train.recipe_keys`."""

from __future__ import annotations

import inspect
import tomllib

import pytest
import typer
from typer.testing import CliRunner

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import RecipeError
from edgecls_train.cli.train import train
from edgecls_train.recipe import Backbone, Recipe
from edgecls_train.recipe_file import load_recipe, recipe_to_toml
from edgecls_train.recipe_keys import FLAGS, override_recipe, parse_size

# What a recipe without a backbone, and one with, write down: all keys that there are.
WRITTEN = (
    recipe_to_toml(load_recipe("cnn")),
    recipe_to_toml(
        Recipe(name="any", preprocessing=Preprocessing((96, 96)), backbone=Backbone("mobilenet-v2"))
    ),
)
KEYS = sorted(
    {
        (table if isinstance(value, dict) else "", key)
        for text in WRITTEN
        for table, value in tomllib.loads(text).items()
        for key in (value if isinstance(value, dict) else [table])
    }
)

PLAIN = load_recipe("cnn")


@pytest.fixture(scope="module")
def help_text() -> str:
    app = typer.Typer(rich_markup_mode=None)
    app.command(context_settings={"terminal_width": 500})(train)
    return " ".join(CliRunner().invoke(app, ["--help"]).output.split())


@pytest.mark.parametrize(("table", "key"), KEYS, ids=[".".join(filter(None, k)) for k in KEYS])
def test_every_key_is_a_flag_with_help(table, key, help_text):
    (flag,) = [flag for flag in FLAGS if (flag.table, flag.key) == (table, key)]
    assert flag.name in inspect.signature(train).parameters
    assert f" {flag.option.split('/')[0]} " in help_text
    assert flag.knob.help.endswith(".")
    assert flag.knob.help in help_text


def test_no_two_keys_share_a_flag():
    names = [flag.name for flag in FLAGS]
    assert len(set(names)) == len(names) == len(KEYS)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        pytest.param({"epochs": 3}, "epochs = 3", id="--epochs"),
        pytest.param({"imgsz": "32x40"}, "size = [32, 40]", id="--imgsz"),
        pytest.param({"imgsz": 32}, "size = [32, 32]", id="--imgsz as a number"),
        pytest.param({"crop": "pad"}, 'crop = "pad"', id="--crop"),
        pytest.param({"random_crop": 0.25}, "crop = 0.25", id="--random-crop"),
        pytest.param({"optimizer": "sgd"}, 'name = "sgd"', id="--optimizer"),
        pytest.param({"loss": "mae"}, 'name = "mae"', id="--loss"),
        pytest.param({"flip": True}, "flip = true", id="--flip"),
        pytest.param({"shift": 0.0}, "shift = 0.0", id="--shift 0"),
        pytest.param(
            {"layers": "conv 8, pool,flatten"},
            'layers = ["conv 8", "pool", "flatten"]',
            id="--layers",
        ),
        pytest.param({"early_stopping": 5}, "early_stopping = 5", id="--early-stopping"),
    ],
)
def test_a_flag_changes_its_key_in_the_stored_recipe_and_no_other(given, line):
    before = recipe_to_toml(PLAIN).splitlines()
    after = recipe_to_toml(override_recipe(PLAIN, given)).splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [line]


def test_flags_that_are_not_given_change_nothing():
    assert override_recipe(PLAIN, dict.fromkeys(flag.name for flag in FLAGS)) == PLAIN


def test_a_backbone_takes_the_place_of_layers():
    changed = override_recipe(
        load_recipe("photos-small"), {"backbone": "mobilenet-v1", "width": 0.25}
    )
    assert changed.layers == ()
    assert changed.backbone == Backbone("mobilenet-v1", width=0.25)


def test_layers_take_the_place_of_a_backbone():
    recipe = Recipe(
        name="any", preprocessing=Preprocessing((96, 96)), backbone=Backbone("mobilenet-v2")
    )
    changed = override_recipe(recipe, {"layers": "conv 8, global-pool"})
    assert changed.layers == ("conv 8", "global-pool")
    assert changed.backbone is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param(
            {"dropout": 0.5},
            r"--dropout is for a backbone, and the recipe 'cnn' has none",
            id="a flag of a backbone where there is none",
        ),
        pytest.param(
            {"backbone": "resnet8", "layers": "flatten"},
            "there are both layers and a backbone",
            id="layers and a backbone at once",
        ),
        pytest.param({"imgsz": "4x"}, "image size '4x' is neither", id="half a size"),
        pytest.param(
            {"imgsz": "9000"}, r"image size \(9000, 9000\)(.|\n)*--imgsz", id="a huge image"
        ),
        pytest.param({"imgsz": "8"}, r"layer 4 \(pool\) leaves nothing", id="a tiny image"),
        pytest.param({"epochs": 0}, "epochs 0 is not in 1", id="a value out of range"),
    ],
)
def test_flags_that_cannot_be_are_refused(given, problem):
    with pytest.raises(RecipeError, match=problem):
        override_recipe(PLAIN, given)


def test_a_size_is_one_side_or_height_and_width():
    assert parse_size("96") == (96, 96)
    assert parse_size("96x128") == (96, 128)
