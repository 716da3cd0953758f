"""Networks taken apart and built again: the same function, layer by layer."""

import numpy as np
import pytest

from edgecls.errors import NotAClassifierError
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.fold import fold_norms
from edgecls_convert.remedies.graph import build_network, copy_graph, read_graph
from tests.convert.networks import depthwise_network, graph_of, pictures, scores_of
from tests.convert.runs import small_network


def kinds(graph):
    return [step.kind for step in graph.steps]


def nested_network(keras):
    """A network inside a network, with arithmetic on tensors around it."""
    inner = depthwise_network()
    trunk = keras.Model(inner.input, inner.get_layer("last").output)
    image = keras.Input((12, 12, 3))
    x = keras.layers.GlobalMaxPooling2D()(trunk(image * 0.5 + 10.0))
    return keras.Model(image, keras.layers.Dense(4, activation="softmax")(x))


def test_a_network_is_built_again_as_it_was():
    model = depthwise_network()
    again = build_network(graph_of(model), batch=None)
    assert scores_of(again, pictures()) == pytest.approx(scores_of(model, pictures()), abs=1e-6)


def test_a_network_inside_a_network_is_taken_apart_too():
    _, keras = import_tensorflow()
    model = nested_network(keras)
    graph = graph_of(model)
    assert "Functional" not in kinds(graph)
    assert kinds(graph)[:4] == ["Multiply", "Add", "Rescaling", "Conv2D"]
    again = build_network(graph, batch=None)
    assert scores_of(again, pictures()) == pytest.approx(scores_of(model, pictures()), abs=1e-6)


def test_a_sequential_network_is_a_chain():
    _, keras = import_tensorflow()
    graph = read_graph(small_network(keras))
    assert kinds(graph)[1:4] == ["Conv2D", "BatchNormalization", "ReLU"]
    assert [step.inputs for step in graph.steps] == [(n,) for n in range(len(graph.steps))]


def test_the_reader_of_a_residual_is_not_the_only_one():
    graph = graph_of(depthwise_network())
    by_name = {step.layer.name: step for step in graph.steps}
    assert graph.only_reader_of(by_name["stem"]) is by_name["stem_norm"]
    relu = graph.only_reader_of(by_name["stem_norm"])
    assert graph.only_reader_of(relu) is None
    assert [step.kind for step in graph.readers_of(relu.output)] == ["DepthwiseConv2D", "Add"]


def test_a_copy_has_weights_of_its_own():
    model = depthwise_network()
    copied = copy_graph(graph_of(model))
    before = scores_of(model, pictures())
    for step in copied.steps:
        step.layer.set_weights([weight * 0 for weight in step.layer.get_weights()])
    assert scores_of(model, pictures()).tolist() == before.tolist()


def test_a_network_that_computes_in_python_is_refused():
    _, keras = import_tensorflow()

    class Own(keras.Model):
        def call(self, image):
            return image * 2.0

    image = keras.Input((12, 12, 3))
    outer = keras.Model(image, Own(name="own")(image))
    with pytest.raises(NotAClassifierError, match="'own' computes in Python between its layers"):
        read_graph(outer)


def test_normalisations_are_folded_into_what_is_before_them():
    model = depthwise_network()
    folded = fold_norms(graph_of(model))
    assert "BatchNormalization" not in kinds(folded)
    again = build_network(folded, batch=None)
    assert scores_of(again, pictures()) == pytest.approx(scores_of(model, pictures()), abs=1e-6)


def test_folding_leaves_the_network_as_it_was():
    model = depthwise_network()
    before = [weight.copy() for weight in model.get_weights()]
    fold_norms(graph_of(model))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_normalisation_after_an_activation_stays():
    _, keras = import_tensorflow()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
        ]
    )
    assert "BatchNormalization" in kinds(fold_norms(graph_of(model)))


def test_a_convolution_that_two_places_share_is_left_alone():
    _, keras = import_tensorflow()
    layers = keras.layers
    image = keras.Input((12, 12, 3))
    shared, norm = layers.Conv2D(3, 1, use_bias=False), layers.BatchNormalization()
    x = norm(shared(image))
    x = layers.BatchNormalization()(shared(x))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    assert kinds(fold_norms(graph_of(model))).count("BatchNormalization") == 2
