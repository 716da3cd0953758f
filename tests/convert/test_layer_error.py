"""Errors by layer: which outputs are compared, how much each lost, and the words for it."""

import dataclasses

import numpy as np
import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.preprocessing import Preprocessing
from edgecls_convert.attempt import convert_once
from edgecls_convert.calibration import CalibrationSet
from edgecls_convert.forms import Target
from edgecls_convert.layer_error import LayerError, measure_layers, worst_layers
from edgecls_convert.layer_match import layer_name, match_operators
from edgecls_convert.network import to_network
from edgecls_convert.quantize import FLOAT
from edgecls_convert.quiet import import_tensorflow
from tests.convert.networks import SHAPE, depthwise_network, graph_of, pictures
from tests.support.edited_model import edited

SOUND = LayerError("stem", "CONV_2D", 35.0, 0.0, 0.1, 1.0, 0.0, 10.0, 10.0, 0, 8, 1.0)
CARD = ModelCard(Labels(tuple("abcd")), Preprocessing(SHAPE[:2]))


def forms(model, form="int8", images=None, card=CARD):
    network = to_network(model, card.preprocessing.shape)
    images = tuple(images or pictures())
    names = tuple(str(number) for number in range(len(images)))
    calibration = CalibrationSet(images, names, {"a": len(images)}, seed=0)
    return (
        convert_once(network, card, FLOAT),
        convert_once(network, card, Target(form), calibration),
    )


def measured(model, form="int8", images=None):
    names = {step.layer.name for step in graph_of(model).steps}
    in_float, converted = forms(model, form, images)
    return {error.layer: error for error in measure_layers(in_float, converted, pictures(4), names)}


def test_every_layer_is_found_under_its_own_name():
    found = measured(depthwise_network())
    assert {"stem", "depthwise", "project", "last", "scores"} <= set(found)
    assert all(error.sqnr_db > 20 for error in found.values())


def test_a_depthwise_layer_whose_channels_share_a_scale_is_the_worst():
    found = measured(depthwise_network(uneven=200.0), "per-tensor")
    (worst,) = worst_layers(list(found.values()), 1)
    assert worst.layer == "depthwise"
    assert worst.coarse_channels == 6
    assert "its weights have one scale" in worst.describe()
    assert "6 of 8 channels are left with fewer than 8 of 127 steps" in worst.describe()


def test_the_same_layer_loses_nothing_with_a_scale_for_each_channel():
    found = measured(depthwise_network(uneven=200.0))["depthwise"]
    assert found.coarse_channels == 0
    assert "its weights have one scale" not in found.describe()


def test_values_beyond_the_calibrated_range_are_counted():
    dark = [image // 8 for image in pictures()]
    found = measured(depthwise_network(limit=None), images=dark)
    clipped = max(error.clipped for error in found.values())
    assert clipped > 0.01
    assert any("beyond the range that calibration found" in e.describe() for e in found.values())


def test_operators_are_matched_without_names_too():
    in_float, converted = forms(depthwise_network())
    wanted = match_operators(in_float.structure, converted.structure)

    def rename(model):
        for number, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = f"t{number}".encode()

    from edgecls.contract.structure import read_structure

    nameless = read_structure(edited(converted.flatbuffer, rename))
    assert match_operators(in_float.structure, nameless) == wanted
    assert len(wanted) == len(in_float.structure.operators)


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        pytest.param("m/stem_1/convolution", "stem", id="called once more by conversion"),
        pytest.param("m/relu_1/Relu;m/stem_1/convolution1", "stem", id="what is fused is last"),
        pytest.param("m/conv2d_1_2/convolution", "conv2d_1", id="numbered by Keras already"),
        pytest.param("m/conv2d_1/convolution", "conv2d", id="the first of the numbered"),
        pytest.param("m/other/mul", "other", id="unknown: as the converter calls it"),
        pytest.param("tfl.pseudo", "", id="no path at all"),
        pytest.param("m/stem_1/convolution;m/norm_1/mul_1", "stem", id="the layer with weights"),
    ],
)
def test_what_a_layer_is_called(tensor, name):
    assert layer_name(tensor, {"stem", "conv2d", "conv2d_1"}) == name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, "layer stem (CONV_2D): 35 dB", id="nothing special"),
        pytest.param(
            {"sqnr_db": 8.0, "weight_ratio": 120.0, "coarse_channels": 5},
            "layer stem (CONV_2D): 8 dB, since its weights have one scale, set by a channel with"
            " 120 times the weights of the typical one: 5 of 8 channels are left with fewer than 8"
            " of 127 steps",
            id="uneven weights",
        ),
        pytest.param(
            {"clipped": 0.023},
            "layer stem (CONV_2D): 35 dB, since 2.3% of its values are beyond the range that"
            " calibration found, and are clipped",
            id="clipped",
        ),
        pytest.param(
            {"range_ratio": 120.0},
            "layer stem (CONV_2D): 35 dB, since its output has a range 120 times the typical value"
            " of a channel, and 8 bits have only 255 steps for it",
            id="wide output",
        ),
        pytest.param(
            {"input_ratio": 120.0},
            "layer stem (CONV_2D): 35 dB, since what it takes in has a range 120 times the typical"
            " value of a channel, and 8 bits have only 255 steps for it",
            id="wide input",
        ),
    ],
)
def test_the_words_for_a_layer(changes, words):
    assert dataclasses.replace(SOUND, **changes).describe() == words


def test_the_worst_layers_are_those_that_lost_most_themselves():
    lost = [dataclasses.replace(SOUND, layer=str(db), lost_db=db) for db in (0.5, 3.0, 20.0, 7.0)]
    assert [error.layer for error in worst_layers(lost)] == ["20.0", "7.0"]


def trained_backbones():
    from edgecls_train.backbones import add_classes
    from edgecls_train.backbones.efficientnet_lite import build_efficientnet_lite
    from edgecls_train.backbones.resnet8 import build_resnet8

    resnet = add_classes(build_resnet8((32, 32, 3), 1.0), 10, 0.0)
    lite = add_classes(build_efficientnet_lite("efficientnet-lite0", (32, 32, 3)), 10, 0.0)
    return [(resnet, 15), (lite, 63)]


def test_all_layers_of_the_backbones_are_matched():
    pytest.importorskip("edgecls_train", reason="the backbones are those of edgecls-train")
    import_tensorflow()
    card = ModelCard(Labels(tuple("0123456789")), Preprocessing((32, 32)))
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (32, 32, 3)).astype(np.uint8) for _ in range(2)]
    for model, layers in trained_backbones():
        in_float, converted = forms(model, images=images, card=card)
        names = {step.layer.name for step in graph_of(model).steps}
        found = measure_layers(in_float, converted, images, names)
        assert len(found) == layers
        assert {error.layer for error in found} <= {*names, "softmax"}
