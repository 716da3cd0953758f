"""An engine in a child process, which may crash or hang: it is killed, and the caller told why."""

from __future__ import annotations

import dataclasses
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from edgecls.child import Child, ChildFailedError, open_memory
from edgecls.contract.modelfile import ModelFile
from edgecls.contract.structure import Tensor as TensorOfFile
from edgecls.runtimes import Tensor

LOAD_LIMIT_S: Final = 30.0
RUN_LIMIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """What a child does.

    Args:
        engine: `litert` or `tflite_runtime`.
        threads: Of one inference.
        library: Path or name of a delegate's library; empty for none.
        options: Of the delegate.
        load_limit_s: Longest time that one step of loading may take.
        run_limit_s: Longest time that one inference may take.
        memory_bytes: Limit of the child's address space; 0 for none.
    """

    engine: str = "litert"
    threads: int = 1
    library: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    load_limit_s: float = LOAD_LIMIT_S
    run_limit_s: float = RUN_LIMIT_S
    memory_bytes: int = 0


class WorkerFailedError(Exception):
    """A child that did not do its job; translated into an `EdgeclsError` by who started it.

    Args:
        step: What it was doing: start, library, engine, delegate, load or run.
        kind: `hang`, the name of a signal such as `SIGSEGV`, or that of an exception.
        text: What the exception said, or the last lines on stderr.
        version: What the library had said of itself by then.
    """

    def __init__(self, step: str, kind: str, text: str, version: str = "") -> None:
        super().__init__(f"{step}: {kind} {text}".strip())
        self.step = step
        self.kind = kind
        self.text = text
        self.version = version

    @property
    def is_crash(self) -> bool:
        """Whether the process died, as opposed to saying what is wrong."""
        return self.kind.startswith("SIG")


class Worker:
    """A child process, ready to run a model; or only asked about a delegate's library."""

    def __init__(self, job: Job, model: ModelFile | None = None) -> None:
        """Start a child and wait until it is ready.

        Raises:
            WorkerFailedError: It failed, crashed or hung; it is gone by then.
        """
        self.version = ""
        self.devices: tuple[tuple[str, str], ...] = ()
        self._job = job
        self._step = "start"
        files: list[int] = []
        try:
            if model is not None:
                files = [self._map_tensors(model.input, model.output), _lay_out(model)]
            self._child = Child("edgecls.runtimes.worker_main", self._describe(files), files)
        except OSError as wrong:
            raise WorkerFailedError("start", "no process", str(wrong)) from wrong
        finally:
            for descriptor in files:  # mapped by both, or inherited
                os.close(descriptor)
        try:
            self._load(wants_model=model is not None)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether the child is there; after a failure it may be ready for the next image."""
        return self._child.is_running

    def run(self, limit_s: float | None = None) -> Tensor:
        """Run the model on what `image` holds.

        Args:
            limit_s: Longest time that it may take; that of the job where nothing is said.

        Returns:
            A copy of the raw output, (classes,).

        Raises:
            WorkerFailedError: The engine failed, and the child is ready for another image; or the
                child failed, and is gone (see `is_running`).
        """
        self._step = "run"
        self._child.tell({})
        message = self._receive(self._job.run_limit_s if limit_s is None else limit_s)
        if "wrong" in message:
            kind, text = str(message["wrong"]), str(message["text"])
            raise WorkerFailedError(self._step, kind, text, self.version)
        return self._scores.copy()

    def close(self) -> None:
        """End the child, whatever it does; may be called twice."""
        self._child.close()

    def _map_tensors(self, image: TensorOfFile, scores: TensorOfFile) -> int:
        """Memory that both processes see: the image, and behind it the scores."""
        image_type, scores_type = np.dtype(image.dtype), np.dtype(scores.dtype)
        split = image.elements * image_type.itemsize
        size = split + scores.elements * scores_type.itemsize
        descriptor = open_memory("tensors", size)
        shared = mmap.mmap(descriptor, size)
        self.image: Tensor = np.frombuffer(shared, image_type, image.elements).reshape(image.shape)
        self._scores: Tensor = np.frombuffer(shared, scores_type, scores.elements, split)
        return descriptor

    def _describe(self, files: list[int]) -> dict[str, Any]:
        """What the child is told of its job; `tensors` and `model` are descriptors, or 0."""
        tensors, model = files or (0, 0)
        split = self.image.nbytes if files else 0
        end = split + self._scores.nbytes if files else 0
        places = {"tensors": tensors, "model": model, "split": split, "end": end}
        return {**dataclasses.asdict(self._job), **places}

    def _load(self, *, wants_model: bool) -> None:
        while True:
            message = self._receive(self._job.load_limit_s)
            self._step = message.get("doing", self._step)
            if "version" in message:
                self.version = str(message["version"])
                self.devices = tuple((str(kind), str(path)) for kind, path in message["devices"])
                if not wants_model:
                    return
            if message.get("done") == "load":
                return

    def _receive(self, limit_s: float) -> dict[str, Any]:
        try:
            return self._child.receive(limit_s)
        except ChildFailedError as failed:
            raise WorkerFailedError(self._step, failed.kind, failed.text, self.version) from failed


def _lay_out(model: ModelFile) -> int:
    """The flatbuffer in memory that a child can read."""
    descriptor = open_memory("model")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(model.flatbuffer)
    return descriptor
