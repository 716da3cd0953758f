"""Does a model run here at all? Tried in a child process, so that a hostile one harms nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgecls.contract.cost import arena_bytes
from edgecls.contract.modelfile import ModelFile
from edgecls.errors import EngineError
from edgecls.runtimes import Tensor, installed_runtimes
from edgecls.runtimes.worker import Job, Worker, WorkerFailedError

PROBE_LIMIT_S: Final = 30.0
# Python, numpy and LiteRT with a small model take less than 256 MiB of addresses (x86-64).
PROBE_MEMORY_BYTES: Final = 2 << 30
# Of the file: read, kept, and packed anew by the kernels.
_COPIES: Final = 4
# The kernel's answer to a machine without memory.
_OUT_OF_MEMORY: Final = "SIGKILL"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe found.

    Args:
        engine: The engine that was tried.
        problem: Why the model cannot run on it, in words; empty for one that can.
        hint: What to do about it.
    """

    engine: str
    problem: str = ""
    hint: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether the model loads and runs."""
        return not self.problem

    def check(self) -> None:
        """Raise what was found.

        Raises:
            EngineError: The model cannot run.
        """
        if self.problem:
            raise EngineError(self.problem, hint=self.hint)


def probe(
    model: ModelFile,
    engine: str = "",
    limit_s: float = PROBE_LIMIT_S,
    memory_bytes: int = 0,
) -> Verdict:
    """Load a model and run it on zeros, on the largest values and on noise, in a child process.

    Args:
        model: Checked by `load_model_file`, not compiled for an accelerator.
        engine: `litert` or `tflite_runtime`; empty for the default one.
        limit_s: Longest time for all of it.
        memory_bytes: Limit of the child's address space; 0 for `memory_limit`.
    """
    engine = engine or next(iter(installed_runtimes()), "litert")
    end_s = time.monotonic() + limit_s
    memory_bytes = memory_bytes or memory_limit(len(model.flatbuffer))
    job = Job(engine, load_limit_s=limit_s, run_limit_s=limit_s, memory_bytes=memory_bytes)
    try:
        worker = Worker(job, model)
        try:
            for image in _images(worker.image):
                worker.image[:] = image
                worker.run(max(0.001, end_s - time.monotonic()))
        finally:
            worker.close()
    except WorkerFailedError as failed:
        return _judge(model, engine, failed, limit_s, memory_bytes)
    return Verdict(engine)


def memory_limit(model_bytes: int) -> int:
    """Addresses that a process with a sound model of this size never comes near."""
    return PROBE_MEMORY_BYTES + _COPIES * model_bytes


def _images(like: Tensor) -> list[Tensor]:
    random = np.random.default_rng(0)
    lowest, highest = (0.0, 255.0) if like.dtype.kind == "f" else _range(like)
    noise = random.uniform(lowest, highest, like.shape).astype(like.dtype)
    return [np.zeros_like(like), np.full_like(like, highest), noise]


def _range(like: Tensor) -> tuple[float, float]:
    limits = np.iinfo(like.dtype)
    return float(limits.min), float(limits.max)


def _judge(
    model: ModelFile, engine: str, failed: WorkerFailedError, limit_s: float, memory_bytes: int
) -> Verdict:
    what = "loaded" if failed.step in ("start", "engine", "load") else "run"
    if failed.kind == "hang":
        return Verdict(
            engine,
            f"{model.name!r} was not {what} by {engine} within {limit_s:g} s",
            "is this machine very busy? If not, the file is damaged or made to do so",
        )
    if failed.kind == _OUT_OF_MEMORY:
        return Verdict(
            engine,
            f"{model.name!r} was killed while it was {what} by {engine}",
            "this machine has too little memory for it: use a smaller network or image",
        )
    # What an engine says, or how it ends, when it is refused memory, means little.
    wanted_bytes = arena_bytes(model.structure) + _COPIES * len(model.flatbuffer)
    if failed.kind == "MemoryError" or wanted_bytes > memory_bytes // 2:
        return Verdict(
            engine,
            f"{model.name!r} needs more than {memory_bytes >> 20} MiB to be {what} by {engine}",
            "use a smaller network or a smaller image",
        )
    if failed.is_crash:
        return Verdict(
            engine,
            f"{model.name!r} crashes {engine} when it is {what} ({failed.kind})",
            "the file is damaged or made to do so; copy or convert it again",
        )
    reason = " ".join(failed.text.split()) or f"it gave no reason ({failed.kind})"
    return Verdict(
        engine,
        f"{engine} cannot run {model.name!r}: {reason:.300}",
        "see its operators with 'edgecls inspect'",
    )
