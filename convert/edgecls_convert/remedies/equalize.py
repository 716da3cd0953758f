"""Cross-layer equalization: channels share their range between two layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.imaging.prepare import Image
from edgecls_convert.remedies.fold import KERNELS, channel_axes
from edgecls_convert.remedies.graph import Graph, Step, chain_after, copy_graph
from edgecls_convert.remedies.observe import channel_peaks
from edgecls_convert.remedies.weights import channel_peak, kernel_steps

Factors = npt.NDArray[np.float64]
# Between two layers, what lets a factor through: f(s x) = s f(x) for s > 0, channel by channel.
_CARRIERS: Final = (
    "ZeroPadding2D",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Dropout",
)
_ROUNDS: Final = 20
_LARGEST_FACTOR: Final = 1e3
# Pictures beyond the calibration set may go a little higher before a clipped channel clips them.
_HEADROOM: Final = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two layers, the second of which alone reads the first's channels.

    Args:
        first: Its output channels are divided.
        second: Its input channels are multiplied.
        clip: Where a ReLU between them clips, as 6 in ReLU6; None where none does.
        clipped: Number of the clipped tensor.
    """

    first: Step
    second: Step
    clip: float | None
    clipped: int


def equalize(graph: Graph, images: Sequence[Image]) -> Graph:
    """Move range between neighbouring layers until their channels are alike.

    Dividing a channel of one layer by s and multiplying the next layer's weights for it by s
    changes nothing but the ranges, as long as what is between them lets factors through. A ReLU
    that clips does so only for values that it does not clip. So for ReLU6 a channel that reached 6
    with any of the images keeps its factor 1, and the others grow at most until they reach it.
    (Nagel et al. replace ReLU6 by ReLU instead, which is another network: here the float network
    stays the same on these images.)

    Args:
        graph: After `fold_norms`; it stays as it is.
        images: uint8; the peaks of clipped channels are taken from them.

    Source:
        Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
        section 4.1 (arXiv:1906.04721).
    """
    graph = copy_graph(graph)
    pairs = list(find_pairs(graph))
    peaks = channel_peaks(graph, (pair.clipped for pair in pairs if pair.clip), images)
    for _ in range(_ROUNDS):
        moved = 0.0
        for pair in pairs:
            factors = _factors(pair, peaks.get(pair.clipped))
            _apply(pair, factors)
            if pair.clip:
                peaks[pair.clipped] = (peaks[pair.clipped] / factors).astype(np.float32)
            moved = max(moved, float(np.abs(np.log(factors)).max()))
        if moved < 0.01:
            break
    return graph


def find_pairs(graph: Graph) -> Iterator[Pair]:
    """All pairs of neighbouring layers with kernels whose channels correspond."""
    for first in kernel_steps(graph):
        if not first.layer.use_bias or getattr(first.layer, "depth_multiplier", 1) != 1:
            continue
        clip, clipped = _clip_of(first.layer.activation), first.output
        if clip is _NOT_HOMOGENEOUS:
            continue
        for step in chain_after(graph, first):
            if step.kind in KERNELS:
                if _matches(first, step) and id(step.layer) not in graph.shared_layers:
                    yield Pair(first, step, clip, clipped)
                break
            if step.kind in ("ReLU", "Activation"):
                limit = _clip_of(step.layer)
                if limit is _NOT_HOMOGENEOUS or clip is not None:
                    break
                clip, clipped = limit, step.output
            elif step.kind not in _CARRIERS:
                break


_NOT_HOMOGENEOUS: Final = -1.0


def _clip_of(activation: Any) -> float | None:
    """Where a layer or function clips; None where it does not, -1 where it is no ReLU."""
    if type(activation).__name__ == "ReLU":
        if activation.threshold:
            return _NOT_HOMOGENEOUS
        return None if activation.max_value is None else float(activation.max_value)
    function = getattr(activation, "activation", activation)
    clips = {"linear": None, "relu": None, "leaky_relu": None, "relu6": 6.0}
    return clips.get(getattr(function, "__name__", ""), _NOT_HOMOGENEOUS)


def _matches(first: Step, second: Step) -> bool:
    out_axis, in_axis = channel_axes(first.layer)[1], channel_axes(second.layer)[0]
    is_grouped = getattr(second.layer, "groups", 1) != 1
    is_multiplied = getattr(second.layer, "depth_multiplier", 1) != 1
    return (
        not is_grouped
        and not is_multiplied
        and first.layer.kernel.shape[out_axis] == second.layer.kernel.shape[in_axis]
    )


def _factors(pair: Pair, peak: npt.NDArray[np.float32] | None) -> Factors:
    """s of each channel: what the first layer's weights are divided by."""
    before = channel_peak(pair.first.layer.get_weights()[0], channel_axes(pair.first.layer)[1])
    after = channel_peak(pair.second.layer.get_weights()[0], channel_axes(pair.second.layer)[0])
    is_alive = (before > 0) & (after > 0)
    ratio = np.divide(before, after, out=np.ones_like(before), where=is_alive)
    factors: Factors = np.sqrt(ratio.astype(np.float64))
    factors = np.clip(factors, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    if pair.clip and peak is not None:
        factors = np.maximum(factors, np.minimum(1.0, peak * _HEADROOM / pair.clip))
        factors[peak >= pair.clip * (1 - 1e-6)] = 1.0
    return factors


def _apply(pair: Pair, factors: Factors) -> None:
    kernel, bias = pair.first.layer.get_weights()
    _, axis = channel_axes(pair.first.layer)
    pair.first.layer.set_weights([kernel / _along(factors, kernel, axis), bias / factors])
    kernel, *bias_after = pair.second.layer.get_weights()
    axis, _ = channel_axes(pair.second.layer)
    pair.second.layer.set_weights([kernel * _along(factors, kernel, axis), *bias_after])


def _along(factors: Factors, kernel: Any, axis: int) -> Factors:
    shape = [1] * kernel.ndim
    shape[axis] = -1
    return factors.reshape(shape)
