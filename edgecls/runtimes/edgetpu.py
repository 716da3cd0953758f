"""Compiled models on a Coral Edge TPU: in a child process, which a hang or a crash can cost."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import os
import threading
import time
from collections import deque
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from edgecls.contract.edgetpu import Compiled, read_compiled, runtime_number
from edgecls.contract.modelfile import ModelFile, load_model_file
from edgecls.errors import EngineError, InvalidValueError, NotInstalledError
from edgecls.runtimes import Fill, Runtime, Tensor, installed_runtimes
from edgecls.runtimes import open_runtime as open_other
from edgecls.runtimes.accelerator import Accelerator
from edgecls.runtimes.coral import library_place
from edgecls.runtimes.edgetpu_errors import explain_load, explain_run, too_old
from edgecls.runtimes.worker import Job, Worker, WorkerFailedError

SUFFIX: Final = "_edgetpu"
# A device that hangs again and again is broken; so many restarts in so many seconds, no more.
MOST_RESTARTS: Final = 3
RESTARTS_WINDOW_S: Final = 60.0
# A stick that was reset comes back within a second or two; longer than this nobody waits.
RESTART_LIMIT_S: Final = 15.0
_PAUSE_S: Final = 1.0
_PACKAGES: Final = {"litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}
_LOG: Final = logging.getLogger(__name__)


class EdgeTpuRuntime:
    """A compiled model in a child process with libedgetpu."""

    def __init__(
        self,
        model: ModelFile,
        threads: int,
        choice: Accelerator,
        job: Job,
        restart_limit_s: float = RESTART_LIMIT_S,
    ) -> None:
        """Start the child; see `open_runtime`."""
        self.name = "edgetpu"
        self.threads = min(threads, os.cpu_count() or 1)
        self._model = model
        self._choice = choice
        self._compiled = _require_compiled(model)
        # Found now: when the device is lost it is too late to say that the file is missing.
        self._spare = _load_uncompiled(model) if choice.on_loss == "cpu" else None
        self._job = dataclasses.replace(
            job, threads=self.threads, library=library_place(), options=choice.to_options()
        )
        self._restart_limit_s = restart_limit_s
        self._lock = threading.Lock()
        self._restarts: deque[float] = deque(maxlen=MOST_RESTARTS)
        self._fallback: Runtime | None = None
        self._lost = ""
        try:
            self._worker: Worker | None = self._start(self._job)
        except WorkerFailedError as failed:
            raise explain_load(failed, model.name, self._compiled, self._job) from failed
        runtime = runtime_number(self._worker.version)
        self.version = f"{runtime or 'unknown'} ({_engine_version(self._job.engine)})"

    @property
    def child(self) -> int | None:
        """Process number of the child; None when there is none."""
        return self._worker.pid if self._worker else None

    def run(self, fill: Fill) -> Tensor:
        """See `Runtime.run`."""
        with self._lock:
            if self._fallback is not None:
                return self._fallback.run(fill)
            if self._worker is None:
                raise EngineError(self._lost or "the model was closed")
            fill(self._worker.image)
            try:
                return self._worker.run()
            except WorkerFailedError as failed:
                return self._go_on(self._worker, failed)

    def close(self) -> None:
        """See `Runtime.close`."""
        with self._lock:
            self._lost = ""
            self._close_worker()
            if self._fallback is not None:
                self._fallback.close()
                self._fallback = None

    def _start(self, job: Job) -> Worker:
        worker = Worker(job, self._model)
        runtime = runtime_number(worker.version)
        if 0 < runtime < self._compiled.minimum_runtime:
            worker.close()
            raise too_old(self._model.name, self._compiled, runtime)
        return worker

    def _close_worker(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _go_on(self, lost: Worker, failed: WorkerFailedError) -> Tensor:
        """After a loss: what the user chose, with the same image."""
        image = lost.image  # its memory outlives the child
        self._close_worker()
        problem = explain_run(failed, self._choice)
        self._lost = problem.problem
        if self._choice.on_loss == "stop":
            raise problem from failed
        _LOG.warning("warning: %s; %s", problem.problem, _PLANS[self._choice.on_loss])
        if self._spare is not None:
            self._fallback = open_other(self._spare, threads=self.threads)
            self.name, self.version = self._fallback.name, self._fallback.version
            return self._fallback.run(lambda tensor: _copy(image, tensor))
        try:
            self._worker = self._restart(failed)
            self._worker.image[:] = image
            scores = self._worker.run()
        except WorkerFailedError as again:
            self._close_worker()
            raise explain_run(again, self._choice) from again
        self._lost = ""
        return scores

    def _restart(self, failed: WorkerFailedError) -> Worker:
        now = time.monotonic()
        if len(self._restarts) == MOST_RESTARTS and now - self._restarts[0] < RESTARTS_WINDOW_S:
            raise EngineError(
                f"the Edge TPU was lost {MOST_RESTARTS + 1} times in {RESTARTS_WINDOW_S:g} s",
                hint="check its cable and power; --performance Medium keeps it cooler",
            ) from failed
        self._restarts.append(now)
        end = now + self._restart_limit_s
        while True:
            limit_s = min(self._job.load_limit_s, max(1.0, end - time.monotonic()))
            try:
                return self._start(dataclasses.replace(self._job, load_limit_s=limit_s))
            except WorkerFailedError as wrong:
                if time.monotonic() + _PAUSE_S >= end:
                    raise EngineError(
                        "the Edge TPU was lost and did not come back in"
                        f" {self._restart_limit_s:g} s",
                        hint=explain_load(wrong, self._model.name, self._compiled, self._job).hint,
                    ) from wrong
            time.sleep(_PAUSE_S)


_PLANS: Final = {"cpu": "going on with the uncompiled model on the CPU", "restart": "restarting it"}


def open_runtime(
    model: ModelFile,
    threads: int,
    accelerator: Accelerator | None = None,
    job: Job | None = None,
) -> EdgeTpuRuntime:
    """Load a compiled model into an Edge TPU.

    Args:
        model: Compiled for the Edge TPU, whatever its name.
        threads: For the operators that are left to the CPU.
        accelerator: Which device and how; the first one by default.
        job: Engine and time limits of the child process.

    Raises:
        InvalidValueError: The model is not compiled.
        NotInstalledError: There is no libedgetpu, or no engine.
        EngineError: There is no device, or library, model and device do not go together.
    """
    installed = installed_runtimes()
    if job is None and not installed:
        raise NotInstalledError(
            "no engine for .tflite files is installed", hint="pip install ai-edge-litert"
        )
    return EdgeTpuRuntime(model, threads, accelerator or Accelerator(), job or Job(installed[0]))


def _require_compiled(model: ModelFile) -> Compiled:
    compiled = read_compiled(model.flatbuffer, model.structure)
    if compiled is None:
        raise InvalidValueError(
            f"{model.name!r} is not compiled for the Edge TPU",
            hint="compile it with 'edgecls convert --edgetpu', or leave --runtime edgetpu out",
        )
    return compiled


def _load_uncompiled(model: ModelFile) -> ModelFile:
    """The model that a compiled one was made from, which lies beside it."""
    path = Path(model.name)
    place = path.with_name(path.name.replace(f"{SUFFIX}.", "."))
    if place == path or not place.is_file():
        raise InvalidValueError(
            f"to go on without the Edge TPU, {model.name!r} needs the model that it was compiled"
            f" from beside it, under the same name without {SUFFIX!r}",
            hint="put it there, or choose --on-loss restart",
        )
    spare = load_model_file(place)
    origin = model.card.provenance.get("edgetpu")
    wanted = origin.get("compiled_from") if isinstance(origin, dict) else None
    found = hashlib.sha256(spare.flatbuffer).hexdigest()
    is_other = wanted is not None and wanted != found
    same = (spare.input.shape, spare.input.dtype, spare.output.elements, spare.output.dtype)
    if is_other or same != (
        model.input.shape,
        model.input.dtype,
        model.output.elements,
        model.output.dtype,
    ):
        raise InvalidValueError(
            f"'{place}' is not the model that {model.name!r} was compiled from",
            hint="run 'edgecls convert --edgetpu' again: it writes both",
        )
    return spare


def _copy(image: Tensor, tensor: Tensor) -> None:
    tensor[:] = image


def _engine_version(engine: str) -> str:
    with contextlib.suppress(PackageNotFoundError):
        return f"{engine} {version(_PACKAGES[engine])}"
    return engine
