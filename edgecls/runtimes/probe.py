"""Does a model run here at all? Tried in a child process, so that a hostile one harms nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgecls.contract.modelfile import ModelFile
from edgecls.errors import EngineError, InvalidValueError
from edgecls.runtimes import Tensor, installed_runtimes
from edgecls.runtimes.worker import Job, Worker, WorkerFailedError

PROBE_LIMIT_S: Final = 30.0
# Python, numpy and LiteRT with a small model take less than 256 MiB of addresses (x86-64).
PROBE_MEMORY_BYTES: Final = 2 << 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe found; plain values, so that it can be kept under the model's SHA-256.

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

    def to_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {"engine": self.engine, "problem": self.problem, "hint": self.hint}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Verdict:
        """Read what `to_json` gave.

        Raises:
            InvalidValueError: It is something else.
        """
        fields = [value.get(name) for name in ("engine", "problem", "hint")]
        if not all(isinstance(text, str) for text in fields):
            raise InvalidValueError(f"{value!r:.80} is no verdict of a probe")
        return cls(*(str(text) for text in fields))

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
    memory_bytes: int = PROBE_MEMORY_BYTES,
) -> Verdict:
    """Load a model and run it on zeros, on the largest values and on noise, in a child process.

    Args:
        model: Checked by `load_model_file`, not compiled for an accelerator.
        engine: `litert` or `tflite_runtime`; empty for the default one.
        limit_s: Longest time for loading, and for each run.
        memory_bytes: Limit of the child's address space.
    """
    engine = engine or next(iter(installed_runtimes()), "litert")
    job = Job(engine, load_limit_s=limit_s, run_limit_s=limit_s, memory_bytes=memory_bytes)
    try:
        worker = Worker(job, model)
        try:
            for image in _images(worker.image):
                worker.image[:] = image
                worker.run()
        finally:
            worker.close()
    except WorkerFailedError as failed:
        return _judge(model, engine, failed, memory_bytes)
    return Verdict(engine)


def _images(like: Tensor) -> list[Tensor]:
    random = np.random.default_rng(0)
    lowest, highest = (0.0, 255.0) if like.dtype.kind == "f" else _range(like)
    noise = random.uniform(lowest, highest, like.shape).astype(like.dtype)
    return [np.zeros_like(like), np.full_like(like, highest), noise]


def _range(like: Tensor) -> tuple[float, float]:
    limits = np.iinfo(like.dtype)
    return float(limits.min), float(limits.max)


def _judge(model: ModelFile, engine: str, failed: WorkerFailedError, memory_bytes: int) -> Verdict:
    what = "loaded" if failed.step in ("start", "engine", "load") else "run"
    if failed.kind == "hang":
        return Verdict(
            engine,
            f"{model.name!r} does not end being {what} by {engine} ({failed.text})",
            "it may be made to do so: use it only if you trust where it comes from",
        )
    if failed.is_crash:
        return Verdict(
            engine,
            f"{model.name!r} crashes {engine} when it is {what} ({failed.kind})",
            "the file is damaged or made to do so; copy or convert it again",
        )
    if failed.kind == "MemoryError" or "alloc" in failed.text.lower():
        return Verdict(
            engine,
            f"{model.name!r} needs more than {memory_bytes >> 20} MiB to be {what} by {engine}",
            "use a smaller network or a smaller image",
        )
    return Verdict(
        engine,
        f"{engine} cannot run {model.name!r}: {' '.join(failed.text.split()) or failed.kind:.300}",
        "see its operators with 'edgecls inspect'",
    )
