"""Bias correction: what rounded weights shift on average is taken back by the bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgecls.imaging.prepare import Image
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.graph import Graph, copy_graph
from edgecls_convert.remedies.observe import mean_values
from edgecls_convert.remedies.weights import kernel_steps, rounded_kernel


def correct_biases(graph: Graph, images: Sequence[Image], form: str) -> Graph:
    """Let every channel have the mean that it has in float, in spite of its rounded weights.

    A layer is linear before its activation, so the mean of its error is the error for the mean of
    its inputs: one pass over the images gives the means, and each layer runs once.

    Args:
        graph: After `fold_norms`; it stays as it is.
        images: uint8, of which the means are taken.
        form: Name of the form that the weights will have.

    Source:
        Nagel et al. 2019, section 4.2, with measured means of the inputs (arXiv:1906.04721).
    """
    graph = copy_graph(graph)
    steps = [step for step in kernel_steps(graph) if step.layer.use_bias]
    means = mean_values(graph, (step.inputs[0] for step in steps), images)
    for step in steps:
        kernel, bias = step.layer.get_weights()
        error = rounded_kernel(step.layer, kernel, form) - kernel
        shift = apply_kernel(step.layer, means[step.inputs[0]], error)
        shift = np.asarray(shift).reshape(-1, len(bias)).mean(axis=0)
        step.layer.set_weights([kernel, bias - shift])
    return graph


def apply_kernel(layer: Any, inputs: Any, kernel: Any) -> Any:
    """What a layer computes with another kernel, without bias and activation.

    Args:
        layer: A `Conv2D`, `DepthwiseConv2D` or `Dense`.
        inputs: (N, ...), as the layer takes them.
        kernel: Of the layer's kernel's shape.
    """
    _, keras = import_tensorflow()
    kind = type(layer).__name__
    if kind == "Dense":
        return keras.ops.matmul(inputs, kernel)
    convolve = keras.ops.depthwise_conv if kind == "DepthwiseConv2D" else keras.ops.conv
    return convolve(
        inputs,
        kernel,
        strides=layer.strides,
        padding=layer.padding,
        data_format=layer.data_format,
        dilation_rate=layer.dilation_rate,
    )
