"""A stand-in engine that ships: the brighter the image, the higher the class."""

from __future__ import annotations

import os
import threading

import numpy as np

from edgecls.contract.modelfile import ModelFile
from edgecls.errors import EngineError
from edgecls.runtimes import Fill, Tensor


class FakeRuntime:
    """Gives all its score to class `mean brightness * classes`, whatever the weights say."""

    name = "fake"
    version = "1"

    def __init__(self, model: ModelFile, threads: int) -> None:
        self.threads = min(threads, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._output = model.output
        self._image: Tensor | None = np.zeros(model.input.shape, model.input.dtype)

    def run(self, fill: Fill) -> Tensor:
        """See `Runtime.run`."""
        with self._lock:
            if self._image is None:
                raise EngineError("the model was closed")
            fill(self._image)
            lowest = -128.0 if self._image.dtype == np.int8 else 0.0
            brightness = (float(self._image.mean()) - lowest) / 256
            return self._one_hot(int(brightness * self._output.elements))

    def _one_hot(self, winner: int) -> Tensor:
        classes = self._output.elements
        scores = np.zeros(classes, np.float32)
        scores[min(max(winner, 0), classes - 1)] = 1.0
        params = self._output.to_quant_params()
        return params.quantize(scores) if params else scores

    def close(self) -> None:
        """See `Runtime.close`."""
        with self._lock:
            self._image = None


def open_runtime(model: ModelFile, threads: int, *, is_probed: bool = True) -> FakeRuntime:
    """Load nothing, so that there is nothing to probe."""
    del is_probed
    return FakeRuntime(model, threads)
