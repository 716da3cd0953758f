"""Where a network looks: `edgecls_train.heatmap`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import NotAClassifierError
from edgecls_train.backend import load_keras
from edgecls_train.heatmap import GradCam, occlusion_map, occlusion_positions, overlay

SIDE = 32
# Where the made network looks, as (rows, columns): left of the middle, near the top.
REGION = slice(4, 12), slice(8, 16)


def corner_network(ending: str = "softmax"):
    """Says `1` for bright pixels inside REGION, and is blind to all others."""
    keras = load_keras()
    layers = keras.layers
    blind = np.zeros((SIDE, SIDE), np.float32)
    blind[REGION] = 1.0
    scores = {
        "softmax": [layers.Dense(2, activation="softmax", name="scores")],
        "activation": [layers.Dense(2, name="scores"), layers.Activation("softmax")],
        "layer": [layers.Dense(2, name="scores"), layers.Softmax()],
        "logits": [layers.Dense(2, name="scores")],
    }[ending]
    network = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(1, 1, activation="relu", name="see"),
            layers.MaxPooling2D(4),
            layers.Flatten(),
            *scores,
        ]
    )
    network.get_layer("see").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    weights = np.zeros((64, 2), np.float32)
    weights[:, 1] = blind.reshape(8, 4, 8, 4).mean(axis=(1, 3)).ravel() * 4.0
    network.get_layer("scores").set_weights([weights, np.array([4.0, 0.0])])
    return network


def image_with_light() -> np.ndarray:
    """A bright square in REGION, on noise."""
    image = np.random.default_rng(2).integers(0, 40, (SIDE, SIDE, 1)).astype(np.uint8)
    image[REGION] = 250
    return image


def is_hottest_inside(heat) -> bool:
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    rows, columns = REGION
    return bool(rows.start <= row < rows.stop and columns.start <= column < columns.stop)


@pytest.mark.parametrize("ending", ["softmax", "activation", "layer", "logits"])
def test_gradients_find_the_region_that_decides_whatever_the_network_ends_in(ending):
    heat = GradCam(corner_network(ending))(image_with_light(), 1)
    assert heat.shape == (SIDE, SIDE)
    assert heat.dtype == np.float32
    assert heat.max() == pytest.approx(1.0)
    assert is_hottest_inside(heat)


def test_a_class_that_nothing_speaks_for_is_cold():
    assert GradCam(corner_network())(image_with_light(), 0).max() == 0.0


def test_gradients_find_the_region_behind_a_nested_network():
    keras = load_keras()
    inner = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), keras.layers.Conv2D(1, 1, use_bias=False, name="see")]
    )
    inner.get_layer("see").set_weights([np.ones((1, 1, 1, 1))])
    weights = np.zeros((SIDE, SIDE, 2), np.float32)
    weights[(*REGION, 1)] = 0.01
    flat = keras.layers.Dense(2, activation="softmax", name="scores")
    outer = keras.Sequential([keras.Input((SIDE, SIDE, 1)), inner, keras.layers.Flatten(), flat])
    flat.set_weights([weights.reshape(-1, 2), np.zeros(2)])
    assert is_hottest_inside(GradCam(outer)(image_with_light(), 1))


def test_a_network_without_feature_maps_is_told_to_use_occlusion():
    keras = load_keras()
    flat = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, activation="softmax")])
    with pytest.raises(NotAClassifierError, match=r"no feature maps(.|\n)*--method occlusion"):
        GradCam(flat)


def test_gradients_are_the_same_on_jax(tmp_path):
    pytest.importorskip("jax", reason="the other backend")
    script = (
        "import numpy as np, sys\n"
        "from tests.train.test_heatmap import *\n"
        "np.save(sys.argv[1], GradCam(corner_network())(image_with_light(), 1))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "heat.npy")],
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"},
        timeout=120,
    )
    here = GradCam(corner_network())(image_with_light(), 1)
    assert np.load(tmp_path / "heat.npy") == pytest.approx(here, abs=1e-4)


def scores_of_region(images):
    """Class 1 as far as REGION is bright."""
    light = images[(slice(None), *REGION)].mean(axis=(1, 2, 3)) / 255
    return np.stack([1.0 - light, light], axis=1).astype(np.float32)


def test_hiding_parts_finds_the_region_that_decides():
    heat = occlusion_map(scores_of_region, image_with_light(), 1)
    assert heat.shape == (SIDE, SIDE)
    assert heat.max() == pytest.approx(1.0)
    assert is_hottest_inside(heat)
    assert heat[20:, 20:].max() == 0.0


def test_hiding_parts_that_do_not_matter_gives_no_heat():
    def undecided(images):
        return np.full((len(images), 2), 0.5, np.float32)

    assert occlusion_map(undecided, image_with_light(), 1).max() == 0.0


@pytest.mark.parametrize("size", [(32, 32), (5, 3), (2, 2), (97, 40)])
def test_every_pixel_is_hidden_and_every_position_is_counted(size):
    image = np.zeros((*size, 3), np.uint8)
    image[::2] = 200  # its mean is neither of its two tones
    is_hidden = np.zeros(size, bool)
    done = []

    def watch(images):
        is_hidden[:] |= (images != image).any(axis=(0, 3))
        return np.zeros((len(images), 2), np.float32)

    occlusion_map(watch, image, 0, done.append)
    assert is_hidden.all()
    assert done[-1] == occlusion_positions(size)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_is_the_gray_image_where_it_is_cold_and_red_where_it_is_hot(channels):
    image = np.full((4, 4, channels), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[1, 2] = 1.0
    laid = overlay(image, heat)
    assert laid.shape == (4, 4, 3)
    assert laid[0, 0].tolist() == [100, 100, 100]
    red, green, blue = laid[1, 2].tolist()
    assert red > green + 50
    assert red > blue + 50
