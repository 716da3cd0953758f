"""Where a converted network differs from the float one, layer by layer, and why, in plain words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.modelfile import ModelFile
from edgecls.contract.structure import Operator, Structure
from edgecls.imaging.prepare import Image
from edgecls_convert.layer_match import layer_name, match_operators
from edgecls_convert.quiet import quietly

Array = npt.NDArray[Any]

_WEIGHTED: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# Above it, rounding is not heard: 8 bits alone give some 30 to 45 dB.
_CLEAN_DB: Final = 30.0
_WORST_DB: Final = -20.0
# What is worth a word.
_UNEVEN: Final = 8.0
_FEW_STEPS: Final = 8
_CLIPPED: Final = 0.005
_WIDE: Final = 30.0


@dataclass(frozen=True, slots=True)
class LayerError:
    """The error of one operator's output, against the same output of the float network.

    Args:
        layer: Name of the Keras layer, as far as the converter keeps it.
        operator: Of TFLite, such as `CONV_2D`.
        sqnr_db: Signal to quantization noise, in dB: 20 is an error of a tenth. Of the whole output
            or of its typical channel, whichever is worse: a few loud channels hide lost ones.
        lost_db: How much of it this layer lost; what came in at 30 dB or more counts as 30.
        mean_error: Mean absolute error, in the layer's own unit.
        largest_error: The largest one.
        clipped: Share of float values beyond the range that int8 can hold.
        range_ratio: Width of that range over the root mean square of a typical channel.
        input_ratio: The same of what the layer takes in.
        coarse_channels: Channels whose largest weight has fewer than 8 steps of 127.
        channels: Of the output.
        weight_ratio: Largest weight of the largest channel over that of the typical one; 1 where
            each channel has a scale of its own.
    """

    layer: str
    operator: str
    sqnr_db: float
    lost_db: float
    mean_error: float
    largest_error: float
    clipped: float
    range_ratio: float
    input_ratio: float
    coarse_channels: int
    channels: int
    weight_ratio: float

    def describe(self) -> str:
        """One line: `layer block3_depthwise (DEPTHWISE_CONV_2D): 8 dB, because ...`."""
        reasons = []
        if self.weight_ratio >= _UNEVEN or self.coarse_channels:
            reasons.append(
                f"its weights have one scale, set by a channel with {self.weight_ratio:.0f} times"
                f" the weights of the typical one: {self.coarse_channels} of {self.channels}"
                f" channels are left with fewer than {_FEW_STEPS} of 127 steps"
            )
        if self.clipped >= _CLIPPED:
            reasons.append(
                f"{self.clipped:.1%} of its values are beyond the range that calibration found,"
                " and are clipped"
            )
        if self.range_ratio >= _WIDE:
            reasons.append(
                f"its output has a range {self.range_ratio:.0f} times the typical value of a"
                " channel, and 8 bits have only 255 steps for it"
            )
        elif self.input_ratio >= _WIDE:
            reasons.append(
                f"what it takes in has a range {self.input_ratio:.0f} times the typical value of a"
                " channel, and 8 bits have only 255 steps for it"
            )
        because = f", since {' and '.join(reasons)}" if reasons else ""
        return f"layer {self.layer} ({self.operator}): {self.sqnr_db:.0f} dB{because}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "layer": self.layer,
            "operator": self.operator,
            "sqnr_db": round(self.sqnr_db, 2),
            "lost_db": round(self.lost_db, 2),
            "mean_error": float(f"{self.mean_error:.4g}"),
            "largest_error": float(f"{self.largest_error:.4g}"),
            "clipped": round(self.clipped, 6),
        }


def measure_layers(
    in_float: ModelFile, converted: ModelFile, images: Sequence[Image], names: Collection[str] = ()
) -> tuple[LayerError, ...]:
    """Run both on some images, and compare the output of every layer that both have.

    Args:
        in_float: The float form, raw pixels in.
        converted: The form with 8-bit integers, of the same network.
        images: Prepared, uint8; a few show what many would.
        names: Of the Keras layers, to call them as the user does.

    Returns:
        In order of execution; empty where nothing corresponds.
    """
    pairs = match_operators(in_float.structure, converted.structure)
    if not pairs:
        return ()
    sums = {outputs: _Sum() for outputs in pairs}
    engines = [_Engine(model) for model in (in_float, converted)]
    for image in images:
        for engine in engines:
            engine.run(image)
        for outputs, total in sums.items():
            wanted, found = (e.read(n) for e, n in zip(engines, outputs, strict=True))
            total.add(wanted, found, _limits(converted.structure, outputs[1]))
    return _describe_all(converted, sums, names)


def worst_layers(errors: Sequence[LayerError], count: int = 2) -> list[LayerError]:
    """Those that lost most of the signal that reached them, worst first."""
    return sorted((e for e in errors if e.lost_db >= 1.0), key=lambda e: -e.lost_db)[:count]


class _Engine:
    """The board's engine with its plain kernels, which alone keep what is between the layers."""

    def __init__(self, model: ModelFile) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._structure = model.structure
        with quietly():
            self._interpreter = Interpreter(
                model_content=model.flatbuffer,
                # XNNPACK would swallow whole runs of layers and leave nothing between them.
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                experimental_preserve_all_tensors=True,
            )
            self._interpreter.allocate_tensors()

    def run(self, image: Image) -> None:
        index = self._structure.inputs[0]
        dtype = self._structure.tensors[index].dtype
        pixels: Array = image[np.newaxis]
        if dtype == "int8":
            pixels = (pixels ^ 0x80).view(np.int8)
        self._interpreter.set_tensor(index, pixels.astype(dtype))
        self._interpreter.invoke()

    def read(self, index: int) -> npt.NDArray[np.float32]:
        """A tensor in real values."""
        stored: Array = self._interpreter.get_tensor(index)
        params = self._structure.tensors[index].to_quant_params()
        return params.dequantize(stored) if params else stored.astype(np.float32)


class _Sum:
    """What one layer's outputs and errors add up to over the images."""

    def __init__(self) -> None:
        self.values = self.beyond = 0
        self.signal = self.noise = self.error = self.largest = 0.0
        self.channels = self.noises = np.zeros(1)

    def add(self, wanted: Array, found: Array, limits: tuple[float, float]) -> None:
        error = np.abs(wanted.astype(np.float64) - found)
        self.values += wanted.size
        squares = np.square(wanted, dtype=np.float64).reshape(-1, wanted.shape[-1]).sum(axis=0)
        self.channels = self.channels + squares
        self.noises = self.noises + np.square(error).reshape(-1, wanted.shape[-1]).sum(axis=0)
        self.signal += float(squares.sum())
        self.noise += float(np.square(error).sum())
        self.error += float(error.sum())
        self.largest = max(self.largest, float(error.max()))
        self.beyond += int(((wanted < limits[0]) | (wanted > limits[1])).sum())

    @property
    def sqnr_db(self) -> float:
        if self.noise <= 0:
            return 100.0
        alive = self.channels > 0
        share = self.noise / max(self.signal, 1e-30)
        if alive.any():
            share = max(share, float(np.median(self.noises[alive] / self.channels[alive])))
        return max(_WORST_DB, -10 * float(np.log10(share)))

    def range_ratio(self, limits: tuple[float, float]) -> float:
        """Width of a range over the root mean square of a typical channel; 0 without one."""
        alive = self.channels[self.channels > 0]
        if not alive.size or not np.isfinite(limits).all():
            return 0.0
        typical = np.sqrt(np.median(alive) * len(self.channels) / self.values)
        return float((limits[1] - limits[0]) / typical)


def _describe_all(
    converted: ModelFile, sums: dict[tuple[int, int], _Sum], names: Collection[str]
) -> tuple[LayerError, ...]:
    structure = converted.structure
    makers = {operator.outputs[0]: operator for operator in structure.operators}
    measured = {after: total for (_, after), total in sums.items()}
    found = []
    for index, total in measured.items():
        operator = makers[index]
        came_in = [_incoming_db(i, makers, measured) for i in operator.inputs if i in makers]
        ratio, coarse, channels = _uneven_weights(converted, operator)
        found.append(
            LayerError(
                layer=layer_name(structure.tensors[index].name, names) or operator.name.lower(),
                operator=operator.name,
                sqnr_db=total.sqnr_db,
                lost_db=min([_CLEAN_DB, *came_in]) - min(_CLEAN_DB, total.sqnr_db),
                mean_error=total.error / total.values,
                largest_error=total.largest,
                clipped=total.beyond / total.values,
                range_ratio=total.range_ratio(_limits(structure, index)),
                input_ratio=max(
                    (_incoming_ratio(structure, i, measured) for i in operator.inputs), default=0.0
                ),
                coarse_channels=coarse,
                channels=channels,
                weight_ratio=ratio,
            )
        )
    return tuple(found)


def _incoming_db(index: int, makers: dict[int, Operator], measured: dict[int, _Sum]) -> float:
    """Of the nearest measured tensor before; a clean one where there is none."""
    while index not in measured:
        if index not in makers:
            return _CLEAN_DB
        index = makers[index].inputs[0]
    return measured[index].sqnr_db


def _incoming_ratio(structure: Structure, index: int, measured: dict[int, _Sum]) -> float:
    total = measured.get(index)
    return total.range_ratio(_limits(structure, index)) if total else 0.0


def _limits(structure: Structure, index: int) -> tuple[float, float]:
    """Smallest and largest real value that a tensor can hold."""
    tensor = structure.tensors[index]
    params = tensor.to_quant_params()
    if params is None:
        return -np.inf, np.inf
    limits = np.iinfo(tensor.dtype)
    # Half a step beyond the last one is still rounded to it.
    low = params.scale * (limits.min - 0.5 - params.zero_point)
    return low, params.scale * (limits.max + 0.5 - params.zero_point)


def _uneven_weights(model: ModelFile, operator: Operator) -> tuple[float, int, int]:
    """Ratio of the largest channel to the typical one, coarse channels, and all channels."""
    channels = model.structure.tensors[operator.outputs[0]].shape[-1]
    if operator.name not in _WEIGHTED:
        return 1.0, 0, channels
    weights = model.structure.tensors[operator.inputs[1]]
    if len(weights.scales) != 1:
        return 1.0, 0, channels
    stored = _read_weights(model, operator.inputs[1])
    axis = -1 if operator.name == "DEPTHWISE_CONV_2D" else 0
    rows = np.moveaxis(stored, axis, 0).reshape(stored.shape[axis], -1)
    peaks = np.abs(rows.astype(np.int32)).max(axis=1)
    typical = max(float(np.median(peaks)), 0.5)
    return float(peaks.max()) / typical, int((peaks < _FEW_STEPS).sum()), len(peaks)


def _read_weights(model: ModelFile, index: int) -> npt.NDArray[np.int8]:
    from edgecls.contract.flatbuffer import Table

    root = Table.root(model.flatbuffer)
    tensor = root.tables(2)[0].tables(0)[index]
    raw = root.tables(4)[tensor.number(2, "I")].raw(0)
    return np.frombuffer(raw, np.int8).reshape(model.structure.tensors[index].shape)
