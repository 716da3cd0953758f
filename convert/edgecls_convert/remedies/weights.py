"""Kernels as they will be once they are stored in 8 bits."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.fold import KERNELS, channel_axes
from edgecls_convert.remedies.graph import Graph, Step

Kernel = npt.NDArray[np.float32]
# int8 weights are symmetric: -127 to 127, zero point 0.
STEPS: Final = 127


def kernel_steps(graph: Graph) -> list[Step]:
    """The calls whose kernel is quantized, of layers that are called once."""
    shared = graph.shared_layers
    return [step for step in graph.steps if step.kind in KERNELS and id(step.layer) not in shared]


def channel_peak(kernel: Any, axis: int) -> npt.NDArray[np.float32]:
    """The largest absolute weight of each channel along an axis: (channels,)."""
    rows = np.moveaxis(np.asarray(kernel), axis, -1)
    peaks: npt.NDArray[np.float32] = np.abs(rows).reshape(-1, rows.shape[-1]).max(axis=0)
    return peaks


def has_channel_scales(layer: Any, form: str) -> bool:
    """Whether the converter gives each output channel of a layer a scale of its own."""
    # Dense layers never: runtimes from before 2.10 would answer at chance.
    return form != "per-tensor" and type(layer).__name__ != "Dense"


def rounded_kernel(layer: Any, kernel: Kernel, form: str) -> Kernel:
    """A kernel after int8 rounding.

    Args:
        layer: That it belongs to.
        kernel: Its values.
        form: Name of the form that it will have.
    """
    if has_channel_scales(layer, form):
        _, axis = channel_axes(layer)
        along = [1] * kernel.ndim
        along[axis] = -1
        peak = channel_peak(kernel, axis).reshape(along)
    else:
        peak = np.abs(kernel).max()
    scale = np.maximum(peak, np.finfo(np.float32).tiny * STEPS) / STEPS
    rounded: Kernel = (np.round(kernel / scale) * scale).astype(np.float32)
    return rounded


def fake_quantized(layer: Any, kernel: Any, form: str) -> Any:
    """The same for a tensor in training: rounded forwards, and passed on as it is backwards.

    Args:
        layer: That the kernel belongs to.
        kernel: A tensor; gradients flow through it.
        form: Name of the form that it will have.
    """
    _, keras = import_tensorflow()
    ops, fake = keras.ops, keras.quantizers.fake_quant_with_min_max_vars
    if not has_channel_scales(layer, form):
        peak = ops.max(ops.abs(kernel))
        return fake(kernel, -peak, peak, narrow_range=True)
    _, axis = channel_axes(layer)
    others = [i for i in range(len(kernel.shape)) if i != axis % len(kernel.shape)]
    # A channel of zeros has no range.
    peak = ops.maximum(ops.max(ops.abs(kernel), axis=others), 1e-12)
    return fake(kernel, -peak, peak, narrow_range=True, axis=axis)
