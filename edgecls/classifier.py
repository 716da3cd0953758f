"""Frame -> scores: prepare straight into the input tensor, run, and read the output."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.contract.events import Prediction
from edgecls.contract.labels import Labels
from edgecls.contract.modelfile import ModelFile, load_model_file
from edgecls.contract.operators import EDGETPU
from edgecls.errors import FrameFailedError
from edgecls.imaging.decode import Frame
from edgecls.imaging.prepare import Image, prepare
from edgecls.runtimes import Runtime, Tensor, open_runtime
from edgecls.runtimes.accelerator import Accelerator
from edgecls.tempering import temper

Scores = npt.NDArray[np.float32]

# These change how scores are stored, not what they are.
_CARRIERS: Final = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "CAST")
_SOFTMAX_SCALE: Final = 1 / 256  # the only one that TFLite's quantized SOFTMAX may have
_LOGIT_MAKERS: Final = ("FULLY_CONNECTED", "CONV_2D", "MEAN", "AVERAGE_POOL_2D", "ADD")


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """Scores (float32, (classes,), 0-1) and what they took, in ms by stage."""

    scores: Scores
    latency_ms: Mapping[str, float]


class Classifier:
    """A model on an engine, ready for frames."""

    def __init__(self, model: ModelFile, runtime: Runtime) -> None:
        self.model = model
        self.runtime = runtime
        self.labels = model.card.labels
        self._preprocessing = model.card.preprocessing
        self._output_params = model.output.to_quant_params()
        self._write_image = _writer_of(model)
        self._temperature = model.card.output.temperature
        self._gives_logits = _gives_logits(model)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        labels: Labels | None = None,
        runtime: str = "auto",
        threads: int = 1,
        accelerator: Accelerator | None = None,
        is_probed: bool = True,
    ) -> Classifier:
        """Load a model file into an engine; see `load_model_file` and `open_runtime`."""
        model = load_model_file(path, labels)
        engine = open_runtime(model, runtime, threads, accelerator, is_probed=is_probed)
        return cls(model, engine)

    def classify(self, frame: Frame) -> Classification:
        """Scores of one frame (uint8 RGB, (height, width, 3)).

        Raises:
            ShapeError: It is no frame.
            FrameFailedError: The engine failed on it, or gave scores that are no numbers.
            EngineError: The engine failed, and will again.
        """
        marks: list[float] = []

        def fill(tensor: Tensor) -> None:
            marks.append(time.perf_counter())
            self._write_image(tensor, lambda out: prepare(frame, self._preprocessing, out))
            marks.append(time.perf_counter())

        raw = self.runtime.run(fill)
        scores = self.to_scores(raw)
        done = time.perf_counter()
        return Classification(
            scores,
            {"prepare": (marks[1] - marks[0]) * 1e3, "invoke": (done - marks[1]) * 1e3},
        )

    def run_image(self, image: Image) -> Tensor:
        """Raw output (classes,) for an image that is already prepared."""

        def copy_into(out: Image) -> Image:
            out[:] = image
            return out

        return self.runtime.run(lambda tensor: self._write_image(tensor, copy_into))

    def to_scores(self, raw: Tensor) -> Scores:
        """Raw output (..., classes) -> scores that add up to 1, after the card's temperature.

        Raises:
            FrameFailedError: A score is no number.
        """
        values = self._output_params.dequantize(raw) if self._output_params else raw
        values = values.astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise FrameFailedError(
                f"the model {self.model.name!r} gave invalid scores (not a number)",
                hint="check the model with 'edgecls verify'",
            )
        if self._gives_logits:
            return _softmax(values / self._temperature)
        return temper(np.maximum(values, 0.0), self._temperature).astype(np.float32, copy=False)

    def top(self, scores: Scores, k: int) -> list[Prediction]:
        """The `k` best of scores (classes,), best first; ties go to the lower index."""
        best = np.argsort(-scores, kind="stable")[:k]
        return [Prediction(int(i), self.labels[int(i)], float(scores[i])) for i in best]

    def close(self) -> None:
        """Give the engine's memory back."""
        self.runtime.close()


def _gives_logits(model: ModelFile) -> bool:
    """Whether the scores come out of a layer that classifiers end in, without a softmax."""
    maker = {
        output: operator for operator in model.structure.operators for output in operator.outputs
    }
    operator = maker[model.structure.outputs[0]]
    while operator.name in _CARRIERS and operator.inputs[0] in maker:
        operator = maker[operator.inputs[0]]
    if operator.name == EDGETPU:  # its last layer cannot be seen, but softmax has a mark
        params = model.output.to_quant_params()
        return params is not None and params.scale != _SOFTMAX_SCALE
    return operator.name in _LOGIT_MAKERS


def _softmax(logits: Scores) -> Scores:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    softmax: Scores = shifted / shifted.sum(axis=-1, keepdims=True)
    return softmax


def _writer_of(model: ModelFile) -> Callable[[Tensor, Callable[[Image], Image]], None]:
    """How an image of bytes gets into the input tensor, whatever its dtype."""
    if model.input.dtype == "uint8":
        return _write_bytes
    if model.input.dtype == "int8":
        return _write_shifted_bytes
    normalization = model.normalization
    if normalization is None:
        return _write_floats
    mean, std = (np.array(v, np.float32) for v in (normalization.mean, normalization.std))

    def write_normalized(tensor: Tensor, make: Callable[[Image], Image]) -> None:
        _write_floats(tensor, make)
        tensor -= mean
        tensor /= std

    return write_normalized


def _write_bytes(tensor: Tensor, make: Callable[[Image], Image]) -> None:
    make(tensor[0])


def _write_shifted_bytes(tensor: Tensor, make: Callable[[Image], Image]) -> None:
    # int8 inputs hold the byte minus 128, which is the byte with its highest bit flipped.
    unsigned = tensor[0].view(np.uint8)
    make(unsigned)
    np.bitwise_xor(unsigned, 0x80, out=unsigned)


def _write_floats(tensor: Tensor, make: Callable[[Image], Image]) -> None:
    tensor[0] = make(np.empty(tensor.shape[1:], np.uint8))
