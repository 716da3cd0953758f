"""What the tensors of a network hold over some images: peaks, ranges, and means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.imaging.prepare import Image
from edgecls_convert.quiet import import_tensorflow
from edgecls_convert.remedies.graph import IMAGE, Graph, run_steps

Array = npt.NDArray[np.float32]
# All tensors of a network at once: 16 images of 224x224 through EfficientNet-Lite0 are 800 MB.
_BATCH_PIXELS: Final = 1 << 17


def channel_peaks(
    graph: Graph, numbers: Iterable[int], images: Sequence[Image]
) -> dict[int, Array]:
    """The largest value of each channel of some tensors: number -> (channels,)."""
    peaks: dict[int, Array] = {}
    for values in _batches(graph, sorted(set(numbers)), images):
        for number, value in values.items():
            peak = value.reshape(-1, value.shape[-1]).max(axis=0)
            peaks[number] = np.maximum(peaks.get(number, peak), peak)
    return peaks


def value_ranges(
    graph: Graph, numbers: Iterable[int], images: Sequence[Image]
) -> dict[int, tuple[float, float]]:
    """Smallest and largest value of some tensors, as the converter's calibration takes them."""
    ranges: dict[int, tuple[float, float]] = {}
    for values in _batches(graph, sorted(set(numbers)), images):
        for number, value in values.items():
            low, high = ranges.get(number, (np.inf, -np.inf))
            ranges[number] = min(low, float(value.min())), max(high, float(value.max()))
    return ranges


def mean_values(graph: Graph, numbers: Iterable[int], images: Sequence[Image]) -> dict[int, Array]:
    """Some tensors averaged over the images: number -> (1, ...)."""
    sums: dict[int, npt.NDArray[np.float64]] = {}
    for values in _batches(graph, sorted(set(numbers)), images):
        for number, value in values.items():
            total = value.sum(axis=0, dtype=np.float64, keepdims=True)
            sums[number] = sums[number] + total if number in sums else total
    return {number: (total / len(images)).astype(np.float32) for number, total in sums.items()}


def _batches(
    graph: Graph, numbers: Sequence[int], images: Sequence[Image]
) -> Iterator[dict[int, Array]]:
    _, keras = import_tensorflow()
    inner = [number for number in numbers if number != IMAGE]
    model = None
    if inner:
        image = keras.Input(graph.shape[1:], dtype="float32")
        values = run_steps(graph, image)
        model = keras.Model(image, [values[number] for number in inner])
    height, width = images[0].shape[:2]
    size = max(1, min(64, _BATCH_PIXELS // (height * width)))
    for start in range(0, len(images), size):
        batch = np.stack(images[start : start + size]).astype(np.float32)
        found: Any = model(batch, training=False) if model else []
        found = found if isinstance(found, list | tuple) else [found]
        given = dict(zip(inner, map(np.asarray, found), strict=True))
        yield {number: batch if number == IMAGE else given[number] for number in numbers}
