"""From recipe to Keras network: `edgecls_train.network`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls_train.backend import computing_in
from edgecls_train.network import build_network
from edgecls_train.recipe_file import load_recipe
from tests.train.made_data import stripes_recipe

CONV_1 = 3 * 3 * 1 * 32 + 32
CONV_2 = 3 * 3 * 32 * 64 + 64
CONV_3 = 3 * 3 * 64 * 64 + 64
TEXTBOOK_TRUNK = ["Rescaling", "Conv2D 32", "MaxPooling2D", "Conv2D 64", "MaxPooling2D"]
PHOTO_STAGES = [16, 32, 64, 128]


def describe(layer) -> str:
    figure = getattr(layer, "filters", getattr(layer, "units", ""))
    return f"{type(layer).__name__} {figure}".strip()


@pytest.mark.parametrize(
    ("name", "layers", "parameters"),
    [
        pytest.param(
            "cnn",
            [*TEXTBOOK_TRUNK, "Flatten", "Dense 10"],
            CONV_1 + CONV_2 + (5 * 5 * 64 + 1) * 10,
            id="cnn",
        ),
        pytest.param(
            "cnn-dense",
            [*TEXTBOOK_TRUNK, "Flatten", "Dense 64", "Dense 10"],
            CONV_1 + CONV_2 + (5 * 5 * 64 + 1) * 64 + (64 + 1) * 10,
            id="cnn-dense",
        ),
        pytest.param(
            "cnn-deep",
            [*TEXTBOOK_TRUNK, "Conv2D 64", "Flatten", "Dense 64", "Dense 10"],
            CONV_1 + CONV_2 + CONV_3 + (3 * 3 * 64 + 1) * 64 + (64 + 1) * 10,
            id="cnn-deep",
        ),
    ],
)
def test_a_textbook_recipe_builds_the_promised_layers(name, layers, parameters):
    model = build_network(load_recipe(name), classes=10)
    assert [describe(layer) for layer in model.layers] == layers
    assert model.count_params() == parameters


def test_the_recipe_for_photos_builds_four_stages_and_a_small_head():
    model = build_network(load_recipe("photos-small"), classes=5)
    stages = [
        name
        for filters in PHOTO_STAGES
        for name in (f"Conv2D {filters}", "BatchNormalization", "ReLU", "MaxPooling2D")
    ]
    head = ["GlobalAveragePooling2D", "Dropout", "Dense 5"]
    assert [describe(layer) for layer in model.layers] == ["Rescaling", *stages, *head]
    convolutions = 3 * 3 * (3 * 16 + 16 * 32 + 32 * 64 + 64 * 128)
    normalizations = 4 * sum(PHOTO_STAGES)
    assert model.count_params() == convolutions + normalizations + (128 + 1) * 5


def test_the_first_layer_brings_bytes_to_the_range_0_to_1():
    first = build_network(load_recipe("cnn"), classes=10).layers[0]
    image = np.array([0.0, 51.0, 255.0], np.float32).reshape(1, 1, 3, 1)
    assert np.asarray(first(image)).ravel().tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_scores_of_an_image_add_up_to_one():
    model = build_network(stripes_recipe(), classes=3)
    image = np.full((1, 8, 8, 1), 200, np.float32)
    assert np.asarray(model(image)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_scores_are_float32_whatever_the_layers_compute_in(policy):
    with computing_in(policy):
        model = build_network(stripes_recipe(), classes=2)
    image = np.full((1, 8, 8, 1), 200, np.float32)
    assert np.asarray(model(image)).dtype == np.float32
    assert model.layers[1].compute_dtype == policy.removeprefix("mixed_")
    assert {weight.dtype for weight in model.weights} == {"float32"}
