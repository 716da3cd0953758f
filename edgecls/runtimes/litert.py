"""LiteRT (ai-edge-litert), the default engine."""

from __future__ import annotations

from edgecls.contract.modelfile import ModelFile
from edgecls.errors import NotInstalledError
from edgecls.runtimes import Runtime
from edgecls.runtimes.gate import admit
from edgecls.runtimes.interpreter import InterpreterRuntime


def open_runtime(model: ModelFile, threads: int, *, is_probed: bool = True) -> Runtime:
    """Load `model` into LiteRT's Interpreter (XNNPACK kernels)."""
    try:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as missing:
        raise NotInstalledError(
            f"the engine ai-edge-litert cannot be imported: {missing}",
            hint="pip install ai-edge-litert (64-bit systems, Python 3.10 to 3.14)",
        ) from missing
    version = ai_edge_litert.__version__
    if is_probed:
        admit(model, "litert", version)
        if model.structure.is_data_dependent:
            from edgecls.runtimes.apart import ApartRuntime  # few models are

            return ApartRuntime(model, threads, "litert", version)
    # `CompiledModel` would hold the GIL while it runs, and takes no delegate.
    return InterpreterRuntime(Interpreter, model, threads, "litert", version)
