"""The gate before every engine: no model is loaded here that a child process has not run before."""

from __future__ import annotations

from edgecls.contract.modelfile import ModelFile
from edgecls.errors import EngineError
from edgecls.runtimes.verdicts import Verdicts, default_verdicts, key_of


def admit(model: ModelFile, engine: str, version: str, verdicts: Verdicts | None = None) -> None:
    """Let a model pass that ran soundly in a child process, now or earlier on this machine.

    Args:
        model: Checked by `load_model_file`.
        engine: `litert` or `tflite_runtime`.
        version: Of the engine.
        verdicts: Where good ones are remembered; this user's by default.

    Raises:
        EngineError: It crashes the engine, does not end, needs too much memory, or cannot be run.
    """
    refuse_compiled(model, engine)
    verdicts = verdicts or default_verdicts()
    key = key_of(model, engine, version)
    if verdicts.has(key):
        return
    from edgecls.runtimes.probe import probe  # half a hundred modules, needed once a model

    probe(model, engine).check()
    verdicts.add(key)


def remember(model: ModelFile, engine: str, version: str) -> None:
    """Note that a model ran soundly in this very process: nobody needs to try it again."""
    default_verdicts().add(key_of(model, engine, version))


def refuse_compiled(model: ModelFile, engine: str) -> None:
    """Refuse what only an Edge TPU runs.

    Raises:
        EngineError: It is compiled for one.
    """
    if model.structure.is_compiled:
        raise EngineError(
            f"{model.name!r} is compiled for the Edge TPU, and {engine} runs without one",
            hint="use the .tflite file that it was compiled from",
        )
