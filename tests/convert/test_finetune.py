"""The fine-tune: rounded forwards, as if it were not there backwards, towards the float scores."""

import numpy as np
import pytest

from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.finetune import Schedule, fine_tune
from edgecls_convert.remedies.fold import fold_norms
from edgecls_convert.remedies.graph import build_network
from edgecls_convert.remedies.weights import fake_quantized, kernel_steps, rounded_kernel
from tests.convert.networks import depthwise_network, graph_of, pictures, scores_of


def say_nothing(done, note=""):
    pass


def rounded_error(graph, model, form):
    """Mean difference of the scores once the kernels are rounded."""
    for step in kernel_steps(graph):
        kernel, bias = step.layer.get_weights()
        step.layer.set_weights([rounded_kernel(step.layer, kernel, form), bias])
    scores = scores_of(build_network(graph, batch=None), pictures(64))
    return np.abs(scores - scores_of(model, pictures(64))).mean()


@pytest.mark.parametrize("form", ["per-tensor", "int8"])
def test_training_rounds_as_conversion_will(form):
    _, keras = import_tensorflow()
    for step in kernel_steps(fold_norms(graph_of(depthwise_network()))):
        kernel = step.layer.get_weights()[0]
        found = fake_quantized(step.layer, keras.ops.convert_to_tensor(kernel), form)
        wanted = rounded_kernel(step.layer, kernel, form)
        # Halves are rounded to even here and away from zero there: a rare step apart.
        assert np.mean(np.abs(np.asarray(found) - wanted) < 1e-6) > 0.99


def test_gradients_pass_the_rounding():
    tensorflow, _ = import_tensorflow()
    step = kernel_steps(fold_norms(graph_of(depthwise_network())))[0]
    kernel = tensorflow.constant(step.layer.get_weights()[0])
    with tensorflow.GradientTape() as tape:
        tape.watch(kernel)
        total = tensorflow.reduce_sum(fake_quantized(step.layer, kernel, "per-tensor") * 3.0)
    gradient = np.asarray(tape.gradient(total, kernel))
    assert np.median(gradient) == 3.0


def test_a_network_learns_to_live_with_rounded_weights():
    model = depthwise_network(uneven=200.0)
    graph = fold_norms(graph_of(model))
    schedule = Schedule(steps=60, batch=16, rate=1e-3)
    tuned = fine_tune(graph, model, pictures(64), "per-tensor", 0, say_nothing, schedule)
    assert rounded_error(tuned, model, "per-tensor") < 0.7 * rounded_error(
        graph, model, "per-tensor"
    )


def test_the_network_that_was_trained_stays_as_it_is():
    model = depthwise_network()
    before = [weight.copy() for weight in model.get_weights()]
    graph = fold_norms(graph_of(model))
    fine_tune(graph, model, pictures(8), "int8", 0, say_nothing, Schedule(2, 4, 1e-2))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_network_without_softmax_is_taught_its_logits():
    _, keras = import_tensorflow()
    image = keras.Input((12, 12, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 64)(image))
    model = keras.Model(image, keras.layers.Dense(3)(x))
    tuned = fine_tune(
        graph_of(model), model, pictures(8), "int8", 0, say_nothing, Schedule(3, 4, 1e-4)
    )
    after = scores_of(build_network(tuned, batch=None), pictures(8))
    assert after == pytest.approx(scores_of(model, pictures(8)), abs=0.05)
