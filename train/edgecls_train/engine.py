"""Frozen networks on the board's float engine: over twice as fast as Keras on a CPU, and equal."""

from __future__ import annotations

import contextlib
import io
import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.console import Advance
from edgecls.errors import EngineError
from edgecls_train.backend import load_keras, quiet_stderr

Images: TypeAlias = npt.NDArray[np.uint8]
# Makes one image of the network out of one of the data set: itself, or its mirror image.
View: TypeAlias = Callable[[Images], Images]

_CHUNK: Final = 8


def as_is(image: Images) -> Images:
    """The view that changes nothing."""
    return image


def flipped(image: Images) -> Images:
    """The view from the other side: mirrored, left to right."""
    return image[:, ::-1]


def to_flatbuffer(model: Any) -> bytes:
    """A Keras model as a float32 flatbuffer for one image.

    Args:
        model: float32 (N, height, width, channels) with 0..255 -> one tensor or several.

    Raises:
        EngineError: TFLite has no operator for something in it.
    """
    return run_converter(
        open_converter(model, model.input.shape[1:]),
        "the backbone",
        hint='set finetune = "all" in [backbone]: then Keras alone runs it',
    )


def open_converter(model: Any, shape: tuple[int, ...]) -> Any:
    """TensorFlow's converter for a Keras model, with its batch fixed to one image of `shape`."""
    keras = load_keras()
    import tensorflow as tf

    # With an open batch the shapes of all tensors stay open, and the engine is slower.
    image = keras.Input(batch_shape=(1, *shape), name="image")
    fixed = keras.Model(image, model(image, training=False))
    return tf.lite.TFLiteConverter.from_keras_model(fixed)


def run_converter(converter: Any, what: str, *, hint: str) -> bytes:
    """Convert, without the chatter.

    Args:
        converter: From `open_converter`.
        what: Is converted, for the message.
        hint: What to do when it cannot be.

    Raises:
        EngineError: TFLite has no operator for something in it.
    """
    try:
        # It lists every tensor of the network on stdout.
        with quiet_stderr(), contextlib.redirect_stdout(io.StringIO()):
            flatbuffer: bytes = converter.convert()
    # The converter raises its own ConverterError, and RuntimeError, ValueError from passes below.
    except Exception as wrong:
        raise EngineError(
            f"TensorFlow cannot convert {what}: {' '.join(str(wrong).split()):.300}", hint=hint
        ) from wrong
    return flatbuffer


def run_engine(
    flatbuffer: bytes,
    images: Images,
    outputs: Sequence[npt.NDArray[Any]],
    advance: Advance,
    view: View = as_is,
) -> None:
    """Run a network over images, one thread a core.

    Args:
        flatbuffer: From `to_flatbuffer`.
        images: (N, height, width, channels).
        outputs: One array (N, ...) for each tensor that the network gives, told apart by their
            shapes; filled.
        advance: Told how many are done.
        view: Applied to each image.
    """
    workers = len(os.sched_getaffinity(0))
    # An interpreter is not safe to share, but gives up the GIL while it runs.
    idle: queue.SimpleQueue[_Engine] = queue.SimpleQueue()
    for _ in range(workers):
        idle.put(_Engine(flatbuffer))

    def run_chunk(start: int) -> int:
        engine = idle.get()
        end = min(start + _CHUNK, len(images))
        try:
            for index in range(start, end):
                engine.run(view(images[index]), [out[index] for out in outputs])
        finally:
            idle.put(engine)
        return end

    pool = ThreadPoolExecutor(workers)
    try:
        for done in pool.map(run_chunk, range(0, len(images), _CHUNK)):
            advance(done)
    finally:
        pool.shutdown(cancel_futures=True)


class _Engine:
    """One interpreter with one thread."""

    def __init__(self, flatbuffer: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with quiet_stderr():  # it greets
            self._interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._outputs = {
            tuple(details["shape"][1:]): details["index"]
            for details in self._interpreter.get_output_details()
        }

    def run(self, image: Images, outputs: Sequence[npt.NDArray[Any]]) -> None:
        self._input()[0] = image
        self._interpreter.invoke()
        for out in outputs:
            out[...] = self._interpreter.get_tensor(self._outputs[out.shape])[0]
