"""A model whose memory depends on what it sees: run in a child process, which a frame can cost."""

from __future__ import annotations

import os
import threading
from typing import Final

from edgecls.contract.modelfile import ModelFile
from edgecls.errors import EngineError, FrameFailedError
from edgecls.runtimes import Fill, Tensor
from edgecls.runtimes.probe import memory_limit
from edgecls.runtimes.worker import Job, Worker, WorkerFailedError

# One child may be lost to a frame; a model that ends them one after the other does not run.
MOST_LOSSES_IN_A_ROW: Final = 10


class ApartRuntime:
    """An engine in a child process with a limit of memory and time.

    A frame on which the engine fails costs that frame. One on which it crashes, hangs or takes too
    much memory costs the child, too; the next frame gets a new one.

    Args:
        model: Checked, and run once by a probe.
        threads: Of one inference.
        engine: `litert` or `tflite_runtime`.
        version: Of the engine.
        most_losses: Children that end one after the other before the model is given up.

    Raises:
        EngineError: The child cannot load it.
    """

    def __init__(
        self,
        model: ModelFile,
        threads: int,
        engine: str,
        version: str,
        most_losses: int = MOST_LOSSES_IN_A_ROW,
    ) -> None:
        self.name = engine
        self.version = version
        self.threads = min(threads, os.cpu_count() or 1)
        self._model = model
        self._job = Job(engine, self.threads, memory_bytes=memory_limit(len(model.flatbuffer)))
        self._lock = threading.Lock()
        self._losses, self._most_losses = 0, most_losses
        self._is_closed = False
        self._worker: Worker | None = self._start()

    @property
    def child(self) -> int | None:
        """Process number of the child; None when there is none."""
        return self._worker.pid if self._worker else None

    def run(self, fill: Fill) -> Tensor:
        """See `Runtime.run`."""
        with self._lock:
            if self._is_closed:
                raise EngineError("the model was closed")
            if self._worker is None:
                self._worker = self._start()
            fill(self._worker.image)
            try:
                scores = self._worker.run()
            except WorkerFailedError as failed:
                raise self._explain(failed, self._worker) from failed
            self._losses = 0
            return scores

    def close(self) -> None:
        """See `Runtime.close`."""
        with self._lock:
            self._is_closed = True
            if self._worker is not None:
                self._worker.close()
                self._worker = None

    def _start(self) -> Worker:
        try:
            return Worker(self._job, self._model)
        except WorkerFailedError as failed:
            raise EngineError(
                f"{self.name} cannot load {self._model.name!r} any more: {_reason(failed)}",
                hint="is this machine out of memory, or very busy?",
            ) from failed

    def _explain(self, failed: WorkerFailedError, worker: Worker) -> EngineError:
        wrong = FrameFailedError(f"{self.name} failed while it ran the model: {_reason(failed)}")
        if worker.is_running:
            return wrong
        worker.close()
        self._worker = None
        self._losses += 1
        if self._losses < self._most_losses:
            return wrong
        return EngineError(
            f"{self._model.name!r} ended its process {self._losses} times in a row:"
            f" {_reason(failed)}",
            hint="use another model",
        )


def _reason(failed: WorkerFailedError) -> str:
    """What went wrong in the child, in a line."""
    if failed.kind == "hang":
        return failed.text
    if failed.kind == "MemoryError":
        return "it wanted more memory than it may have"
    if failed.kind == "SIGKILL":
        return "it was killed; is there too little memory?"
    if failed.is_crash:
        return f"it crashed ({failed.kind})"
    return " ".join(failed.text.split())[:300] or failed.kind
