"""Batch normalisation folded into the layer before it, as conversion does it, but in Keras."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.graph import Graph, Step, Value, copy_graph

# Layers with a kernel whose outputs are channels.
KERNELS: Final = ("Conv2D", "DepthwiseConv2D", "Dense")


def fold_norms(graph: Graph) -> Graph:
    """The same network without the normalisations that follow a convolution or a dense layer.

    What remains is what the converter quantizes: kernels with the normalisation's factors in them,
    so that their ranges can be seen and changed.

    Args:
        graph: It stays as it is; the result has layers of its own.
    """
    made: list[Step] = []
    replaced: dict[int, tuple[Step, Step]] = {}
    renamed: dict[int, int] = {}
    folded = _norms_to_fold(graph)
    before_norm = {id(before): norm for before, norm in folded.values()}
    for step in graph.steps:
        if step.output in folded:
            # Readers of the normalisation get what the layer before it gives.
            (renamed[step.output],) = step.inputs
        elif id(step) in before_norm:
            replaced[step.output] = (step, before_norm[id(step)])
            made.append(dataclasses.replace(step, layer=_with_bias(step.layer)))
        else:
            made.append(step)
    steps = tuple(_renamed(step, renamed) for step in made)
    result = _follow(renamed, graph.result)
    found = dataclasses.replace(graph, steps=steps, result=result)
    for step in found.steps:
        if step.output in replaced:
            before, norm = replaced[step.output]
            step.layer.build(tuple(before.layer.input.shape))
            step.layer.set_weights(_folded_weights(before, norm.layer))
    return copy_graph(found)


def channel_axes(layer: Any) -> tuple[int, int]:
    """Axes of a kernel along which its inputs and its outputs lie.

    A depthwise kernel (height, width, channels, 1) has both on one axis.
    """
    return (2, 2) if type(layer).__name__ == "DepthwiseConv2D" else (-2, -1)


def _norms_to_fold(graph: Graph) -> dict[int, tuple[Step, Step]]:
    """Output of a normalisation -> the layer before it, and itself."""
    found: dict[int, tuple[Step, Step]] = {}
    for step in graph.steps:
        norm = graph.only_reader_of(step)
        if (
            norm is not None
            and norm.kind == "BatchNormalization"
            and step.kind in KERNELS
            and step.layer.activation.__name__ == "linear"
            and getattr(step.layer, "depth_multiplier", 1) == 1
            and not {id(step.layer), id(norm.layer)} & graph.shared_layers
        ):
            found[norm.output] = (step, norm)
    return found


def _with_bias(layer: Any) -> Any:
    return type(layer).from_config({**layer.get_config(), "use_bias": True})


def _folded_weights(step: Step, norm: Any) -> list[Any]:
    """Kernel and bias that give what the layer and the normalisation gave.

    Source:
        Jacob et al. 2018, eq. 14 (arXiv:1712.05877).
    """
    keras = import_tensorflow()[1]
    kernel, *bias = step.layer.get_weights()
    numbers = keras.ops.convert_to_numpy
    factor = 1.0 / np.sqrt(numbers(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        factor = factor * numbers(norm.gamma)
    shift = -numbers(norm.moving_mean) * factor
    if norm.center:
        shift = shift + numbers(norm.beta)
    _, axis = channel_axes(step.layer)
    along = [1] * kernel.ndim
    along[axis] = -1
    return [kernel * factor.reshape(along), (bias[0] * factor if bias else 0.0) + shift]


def _renamed(step: Step, renamed: dict[int, int]) -> Step:
    keras = import_tensorflow()[1]

    def follow(leaf: Any) -> Any:
        return Value(_follow(renamed, leaf.number)) if isinstance(leaf, Value) else leaf

    arguments, keywords = keras.tree.map_structure(follow, (step.arguments, step.keywords))
    return dataclasses.replace(step, arguments=tuple(arguments), keywords=keywords)


def _follow(renamed: dict[int, int], number: int) -> int:
    while number in renamed:
        number = renamed[number]
    return number
