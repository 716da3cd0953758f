"""What a network will cost a board: known from its form, before a second is spent on training."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecls.contract.modelfile import parse_model_file
from edgecls.errors import InvalidValueError
from edgecls.runtimes import Runtime, Tensor, open_runtime
from edgecls_train.backend import quiet_stderr
from edgecls_train.engine import open_converter, run_converter
from edgecls_train.network import build_network
from edgecls_train.recipe import ALL, Recipe

_CALIBRATION_IMAGES: Final = 2
_WARM_UP_RUNS: Final = 3
_LEAST_RUNS: Final = 9
_TIMED_FOR_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Cost:
    """What one inference of the int8 model takes.

    Args:
        macs: Multiply-accumulates in convolutions and dense layers.
        parameters: Trained values.
        bytes: Of the int8 flatbuffer; labels, card and golden vectors come on top of it.
        latency_ms: Of the fastest run on this machine's engine, one thread: whatever else the
            machine does only adds to it.
    """

    macs: int
    parameters: int
    bytes: int
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a network may cost at most; None is no limit."""

    bytes: int | None = None
    macs: int | None = None
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            # Not a number compares false with everything.
            if value is not None and not value > 0:
                raise InvalidValueError(f"a limit of {value} {field.name} leaves no network")

    def find_excess(self, cost: Cost) -> str:
        """What is over its limit, in words; empty when nothing is."""
        if self.bytes is not None and cost.bytes > self.bytes:
            return f"{cost.bytes:,} bytes, at most {self.bytes:,}"
        if self.macs is not None and cost.macs > self.macs:
            return f"{cost.macs:,} MACs, at most {self.macs:,}"
        if self.latency_ms is not None and cost.latency_ms > self.latency_ms:
            return f"{cost.latency_ms:.3g} ms, at most {self.latency_ms:g} ms"
        return ""


def measure_cost(recipe: Recipe, classes: int) -> Cost:
    """Quantize the recipe's network with random weights, and look at what comes out.

    Size and speed follow from the form of a network, not from its weights, so this is the cost of
    the trained one; measured, where a formula would only estimate.

    Args:
        recipe: How big the network is; its ImageNet weights are not needed.
        classes: How many scores come out.

    Raises:
        RecipeError: There is no such network.
        EngineError: TFLite cannot compute something in it with integers.
    """
    network = build_network(_with_random_weights(recipe), classes)
    _fill_zeros(network)
    flatbuffer = _to_int8(network, recipe.preprocessing.shape)
    model = parse_model_file(flatbuffer, f"the network of {recipe.name!r}")
    with quiet_stderr():  # the engine greets
        runtime = open_runtime(model)
    try:
        latency_ms = _time(runtime)
    finally:
        runtime.close()
    return Cost(model.structure.macs, model.structure.parameters, len(flatbuffer), latency_ms)


def network_form(recipe: Recipe) -> tuple[Hashable, ...]:
    """What the cost depends on: recipes of the same form cost the same."""
    backbone = recipe.backbone
    network = (backbone.name, backbone.width) if backbone else recipe.layers
    return (network, recipe.preprocessing.shape)


def _with_random_weights(recipe: Recipe) -> Recipe:
    if recipe.backbone is None:
        return recipe
    backbone = dataclasses.replace(recipe.backbone, weights="none", finetune=ALL)
    return dataclasses.replace(recipe, backbone=backbone)


def _fill_zeros(network: Any) -> None:
    """Biases begin as zeros, which the converter leaves out; those of a trained network stay."""
    random = np.random.default_rng(0)
    for variable in network.trainable_variables:
        if not np.any(variable.numpy()):
            variable.assign(random.uniform(0.01, 0.1, tuple(variable.shape)))


def _to_int8(model: Any, shape: tuple[int, int, int]) -> bytes:
    """With the converter settings of `edgecls convert`, so that bytes and operators are its own."""
    converter = open_converter(model, shape)
    import tensorflow as tf

    random = np.random.default_rng(0)

    def representative() -> Iterator[list[Any]]:
        for _ in range(_CALIBRATION_IMAGES):
            yield [random.integers(0, 256, (1, *shape)).astype(np.float32)]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return run_converter(
        converter,
        "it to int8",
        hint="use layers that TFLite has: convolutions, pooling, Dense, ReLU, softmax",
    )


def _time(runtime: Runtime) -> float:
    """The fastest of some runs, in ms."""

    def fill(tensor: Tensor) -> None:
        tensor[:] = 128

    for _ in range(_WARM_UP_RUNS):
        runtime.run(fill)
    taken: list[float] = []
    while len(taken) < _LEAST_RUNS or sum(taken) < _TIMED_FOR_S:
        started = time.perf_counter()
        runtime.run(fill)
        taken.append(time.perf_counter() - started)
    return 1e3 * min(taken)
