"""The TFLite Interpreter, as LiteRT and tflite-runtime share it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from edgecls.console import redirected
from edgecls.contract.modelfile import ModelFile
from edgecls.errors import EngineError, FrameFailedError
from edgecls.runtimes import Fill, Tensor


class InterpreterRuntime:
    """One interpreter behind one lock: two threads on it would get silently wrong answers."""

    def __init__(
        self, interpreter_class: Any, model: ModelFile, threads: int, name: str, version: str
    ) -> None:
        self.name = name
        self.version = version
        self.threads = min(threads, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._classes = model.output.elements
        self._open: Callable[[], Any] = lambda: _open(interpreter_class, model, self.threads, name)
        self._load()

    def _load(self) -> None:
        self._interpreter = self._open()
        # Asking for the details costs up to 40 us, so it is done once.
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._output = self._interpreter.get_output_details()[0]["index"]

    def run(self, fill: Fill) -> Tensor:
        """See `Runtime.run`."""
        with self._lock:
            if self._interpreter is None:
                raise EngineError("the model was closed")
            # No name may hold the view while the engine runs, or `invoke` refuses.
            try:
                fill(self._input())
            except BaseException as wrong:
                # Whoever holds the error holds the frames it came through, and they the view.
                traceback.clear_frames(wrong.__traceback__)
                raise
            try:
                self._interpreter.invoke()
                output: Tensor = self._interpreter.get_tensor(self._output)
            except (ValueError, RuntimeError, MemoryError) as wrong:
                reason = " ".join(str(wrong).split()) or "it is out of memory"
                self._load()  # what the failure has left of the engine nobody knows
                raise FrameFailedError(
                    f"{self.name} failed while it ran the model: {reason}"
                ) from wrong
            if output.size != self._classes:
                raise FrameFailedError(
                    f"the model gave {output.size} scores for one frame, wanted {self._classes}"
                )
            return output.reshape(-1)

    def close(self) -> None:
        """See `Runtime.close`."""
        with self._lock:
            self._interpreter = self._input = None


def _open(interpreter_class: Any, model: ModelFile, threads: int, name: str) -> Any:
    try:
        with _without_info_lines():
            # From bytes: a file that is mapped and then overwritten kills the process.
            interpreter = interpreter_class(model_content=model.flatbuffer, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as wrong:
        raise EngineError(
            f"{name} cannot run {model.name!r}: {' '.join(str(wrong).split())}",
            hint="see its operators with 'edgecls inspect'",
        ) from wrong
    return interpreter


@contextlib.contextmanager
def _without_info_lines() -> Iterator[None]:
    """Hold back the engine's `INFO:` lines, which only the descriptor can silence."""
    with tempfile.TemporaryFile() as held:
        try:
            with redirected(2, to=held):
                yield
        finally:
            held.seek(0)
            rest = [line for line in held.read().splitlines() if not line.startswith(b"INFO:")]
            if rest:
                sys.stderr.write(b"\n".join(rest).decode("utf-8", "replace") + "\n")
