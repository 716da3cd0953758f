"""tflite-runtime, LiteRT's predecessor: for 32-bit boards, up to Python 3.11 and numpy 1."""

from __future__ import annotations

import numpy as np

from edgecls.contract.modelfile import ModelFile
from edgecls.errors import NotInstalledError
from edgecls.runtimes import Runtime
from edgecls.runtimes.gate import admit
from edgecls.runtimes.interpreter import InterpreterRuntime


def open_runtime(model: ModelFile, threads: int, *, is_probed: bool = True) -> Runtime:
    """Load `model` into tflite-runtime's Interpreter."""
    try:
        import tflite_runtime
        from tflite_runtime.interpreter import Interpreter
    except ImportError as missing:
        raise NotInstalledError(
            f"the engine tflite-runtime cannot be imported: {missing}",
            hint="pip install 'tflite-runtime>=2.14' 'numpy<2' (Python up to 3.11)",
        ) from missing
    # It does not declare it, and fails with a bare SystemError later.
    if int(np.__version__.split(".")[0]) >= 2:
        raise NotInstalledError(
            f"tflite-runtime does not work with numpy {np.__version__}",
            hint="pip install 'numpy<2', or use ai-edge-litert instead",
        )
    version = tflite_runtime.__version__
    if is_probed:
        admit(model, "tflite_runtime", version)
        if model.structure.is_data_dependent:
            from edgecls.runtimes.apart import ApartRuntime  # few models are

            return ApartRuntime(model, threads, "tflite_runtime", version)
    return InterpreterRuntime(Interpreter, model, threads, "tflite_runtime", version)
