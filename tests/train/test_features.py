"""Frozen networks on the board's engine: `edgecls_train.features` and `edgecls_train.engine`."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import ShapeError
from edgecls.imaging.prepare import prepare
from edgecls.pictures import open_pictures
from edgecls_train.backbones import build_trunk
from edgecls_train.backend import load_keras
from edgecls_train.features import FrozenNetwork, compute, extract_features
from edgecls_train.recipe import Backbone
from tests.train.made_data import write_shapes
from tests.train.photos import Titles, needs_lite0

RANDOM = Backbone(name="resnet8", weights="none")


@pytest.fixture(autouse=True)
def an_empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGECLS_CACHE", str(tmp_path / "cache"))


def noise(count: int, side: int = 48, depth: int = 3) -> np.ndarray:
    shape = (count, side, side, depth)
    return np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)


def small_network() -> tuple[object, FrozenNetwork]:
    """Two outputs: the feature maps before the last block, and the pooled features."""
    load_keras().utils.set_random_seed(3)
    trunk = build_trunk(RANDOM, (48, 48, 3))
    model = load_keras().Model(trunk.image, [trunk.entries[2], trunk.features])
    return model, FrozenNetwork(model, "small")


@needs_lite0
def test_features_are_those_of_keras_and_gray_images_count_as_colour():
    images = noise(5, 64, depth=1)
    trunk = build_trunk(Backbone(name="efficientnet-lite0"), (64, 64, 3))
    wanted = load_keras().Model(trunk.image, trunk.features)(
        np.repeat(images, 3, axis=3).astype(np.float32)
    )
    assert extract_features(images) == pytest.approx(np.asarray(wanted), abs=1e-4)


def test_every_output_and_view_is_that_of_keras():
    model, network = small_network()
    images = noise(3)
    maps, features = compute(network, images, ["as is", "flipped"], [np.float32, np.float32])
    assert maps.shape == (2, 3, *model.outputs[0].shape[1:])
    assert features.shape == (2, 3, 64)
    for view, changed in enumerate((images, images[:, :, ::-1])):
        wanted = [np.asarray(output) for output in model(changed.astype(np.float32))]
        assert maps[view] == pytest.approx(wanted[0], abs=1e-4)
        assert features[view] == pytest.approx(wanted[1], abs=1e-4)


def test_half_precision_takes_half_the_room_and_loses_a_thousandth():
    _, network = small_network()
    (whole, _), (half, _) = (
        compute(network, noise(2), ["as is"], [dtype, np.float32])
        for dtype in (np.float32, np.float16)
    )
    assert half.nbytes * 2 == whole.nbytes
    assert half == pytest.approx(whole, rel=1e-3, abs=1e-4)


def test_what_was_computed_once_is_found_the_next_time():
    _, network = small_network()
    shown = Titles()
    first, again = (compute(network, noise(3), ["as is"], 2 * ["f4"], shown) for _ in range(2))
    assert shown.shown == ["computing features 3"]
    assert again[1].tolist() == first[1].tolist()


@pytest.mark.parametrize(
    ("images", "views", "identity"),
    [
        pytest.param(255 - noise(3), ["as is"], "small", id="other images"),
        pytest.param(noise(3)[::-1], ["as is"], "small", id="another order"),
        pytest.param(noise(3), ["flipped"], "small", id="another view"),
        pytest.param(noise(3), ["as is"], "other", id="other weights"),
    ],
)
def test_anything_else_is_computed_anew(images, views, identity):
    model, network = small_network()
    compute(network, noise(3), ["as is"], 2 * ["f4"])
    shown = Titles()
    compute(FrozenNetwork(model, identity), images, views, 2 * ["f4"], shown)
    assert shown.shown == ["computing features 3"]


@needs_lite0
def test_a_picture_set_is_prepared_as_a_board_would(tmp_path):
    pictures = open_pictures(str(write_shapes(tmp_path / "shapes", per_class=1)))
    size = Preprocessing(size=(224, 224))
    images = np.stack([prepare(pictures.load_frame(index), size) for index in range(3)])
    assert extract_features(pictures).tolist() == extract_features(images).tolist()


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(noise(1)[0], id="a single image"),
        pytest.param(noise(1).astype(np.float32), id="floats"),
        pytest.param(noise(1, depth=4), id="four channels"),
    ],
)
def test_what_are_no_images_is_refused(images):
    with pytest.raises(ShapeError, match="images are uint8"):
        extract_features(images)
