"""Equalization and bias correction: the float network stays the same, rounding hurts less."""

import numpy as np
import pytest

from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.bias import correct_biases
from edgecls_convert.remedies.equalize import equalize, find_pairs
from edgecls_convert.remedies.fold import fold_norms
from edgecls_convert.remedies.graph import build_network
from edgecls_convert.remedies.observe import channel_peaks, mean_values, value_ranges
from edgecls_convert.remedies.weights import channel_peak, kernel_steps, rounded_kernel
from tests.convert.networks import depthwise_network, graph_of, pictures, scores_of


def folded(**options):
    return fold_norms(graph_of(depthwise_network(**options)))


def layer(graph, name):
    return next(step.layer for step in graph.steps if step.layer.name == name)


def unevenness(graph, name):
    """Largest weight of the largest depthwise channel, over that of the smallest."""
    peaks = channel_peak(layer(graph, name).get_weights()[0], 2)
    return peaks.max() / peaks.min()


def test_neighbours_are_found_across_what_lets_factors_through():
    found = [
        (pair.first.layer.name, pair.second.layer.name, pair.clip) for pair in find_pairs(folded())
    ]
    # The stem feeds the residual too, the projection is added to it.
    assert found == [("depthwise", "project", 6.0), ("last", "scores", None)]


@pytest.mark.parametrize(
    "limit", [pytest.param(6.0, id="with ReLU6"), pytest.param(None, id="with ReLU")]
)
def test_equalization_leaves_the_float_network_as_it_was(limit):
    graph = folded(uneven=50.0, limit=limit)
    before = scores_of(build_network(graph, batch=None), pictures())
    after = scores_of(build_network(equalize(graph, pictures()), batch=None), pictures())
    assert after == pytest.approx(before, abs=1e-5)


def test_equalization_evens_out_channels():
    graph = folded(uneven=200.0, limit=None)
    assert unevenness(graph, "depthwise") > 50
    assert unevenness(equalize(graph, pictures()), "depthwise") < 15


def test_no_channel_is_enlarged_beyond_where_relu6_clips():
    graph = folded(uneven=1 / 50)
    (clipped,) = (pair.clipped for pair in find_pairs(graph) if pair.clip)
    before = channel_peaks(graph, [clipped], pictures())[clipped]
    after = channel_peaks(equalize(graph, pictures()), [clipped], pictures())[clipped]
    assert before.max() <= 6
    assert after.max() <= 6


@pytest.mark.parametrize(
    ("form", "scales"),
    [pytest.param("int8", 8, id="one a channel"), pytest.param("per-tensor", 1, id="one for all")],
)
def test_rounding_has_127_steps_on_either_side(form, scales):
    depthwise = layer(folded(), "depthwise")
    kernel = depthwise.get_weights()[0]
    rounded = rounded_kernel(depthwise, kernel, form)
    peaks = channel_peak(kernel, 2) if scales == 8 else np.abs(kernel).max()
    steps = rounded / (peaks / 127).reshape((1, 1, -1, 1) if scales == 8 else ())
    assert steps == pytest.approx(np.round(steps), abs=1e-3)
    assert np.abs(steps).max() == pytest.approx(127)


def test_dense_layers_have_one_scale_whatever_the_form():
    scores = layer(folded(), "scores")
    kernel = scores.get_weights()[0]
    assert np.array_equal(
        rounded_kernel(scores, kernel, "int8"), rounded_kernel(scores, kernel, "per-tensor")
    )


def with_rounded_kernels(graph, form):
    for step in kernel_steps(graph):
        kernel, bias = step.layer.get_weights()
        step.layer.set_weights([rounded_kernel(step.layer, kernel, form), bias])
    return graph


def mean_error(graph, wanted, name):
    """Mean of what a layer gives, against that of the float network: the largest of a channel."""
    numbers = {step.layer.name: step.output for step in graph.steps}
    means = (mean_values(g, [numbers[name]], pictures())[numbers[name]] for g in (graph, wanted))
    error = next(means) - next(means)
    return np.abs(error.reshape(-1, error.shape[-1]).mean(axis=0)).max()


def test_bias_correction_takes_back_what_rounding_shifts():
    graph = folded(uneven=50.0)
    corrected = correct_biases(graph, pictures(), "per-tensor")
    plain = mean_error(with_rounded_kernels(folded(uneven=50.0), "per-tensor"), graph, "stem")
    better = mean_error(with_rounded_kernels(corrected, "per-tensor"), graph, "stem")
    assert plain > 1e-5
    # The means are exact for the first layer: nothing before it is rounded.
    assert better < plain / 20


def test_bias_correction_leaves_kernels_and_its_graph_alone():
    graph = folded()
    before = [step.layer.get_weights() for step in kernel_steps(graph)]
    corrected = correct_biases(graph, pictures(), "int8")
    for step, old, new in zip(kernel_steps(graph), before, kernel_steps(corrected), strict=True):
        assert np.array_equal(step.layer.get_weights()[1], old[1])
        assert np.array_equal(new.layer.get_weights()[0], old[0])


def test_ranges_and_peaks_are_those_of_the_tensors():
    _, keras = import_tensorflow()
    image = keras.Input((12, 12, 3))
    doubled = keras.layers.Rescaling(2.0, name="doubled")(image)
    graph = graph_of(keras.Model(image, keras.layers.GlobalAveragePooling2D()(doubled)))
    plain = [np.full((12, 12, 3), value, np.uint8) for value in (1, 5)]
    assert value_ranges(graph, [0, 1], plain) == {0: (1.0, 5.0), 1: (2.0, 10.0)}
    assert channel_peaks(graph, [1], plain)[1].tolist() == [10.0, 10.0, 10.0]
    assert mean_values(graph, [1], plain)[1].mean() == 6.0
