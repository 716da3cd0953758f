"""Engines that run a model: one interface, chosen by name, imported only when used."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias

import numpy.typing as npt

from edgecls.contract.modelfile import ModelFile
from edgecls.errors import InvalidValueError, NotInstalledError
from edgecls.runtimes.accelerator import Accelerator

Tensor: TypeAlias = npt.NDArray[Any]
Fill: TypeAlias = Callable[[Tensor], None]


class Runtime(Protocol):
    """A loaded model. Safe to share between threads: runs take turns."""

    name: str
    version: str
    threads: int

    def run(self, fill: Fill) -> Tensor:
        """Run once.

        Args:
            fill: Called with a view of the input tensor, (1, height, width, depth) in the
                model's dtype, to write the image into; the view must not be kept.

        Returns:
            A copy of the raw output, (classes,), in the model's dtype.

        Raises:
            EngineError: The engine failed.
        """

    def close(self) -> None:
        """Give the memory back; may be called twice."""


# Name -> (module that has `open_runtime`, package it needs); the first installed is the default.
RUNTIMES: Final = {
    "litert": ("edgecls.runtimes.litert", "ai_edge_litert"),
    "tflite_runtime": ("edgecls.runtimes.tflite_runtime", "tflite_runtime"),
    "edgetpu": ("edgecls.runtimes.edgetpu", ""),  # the default of models compiled for it
    "fake": ("edgecls.runtimes.fake", ""),
}


def installed_runtimes() -> list[str]:
    """Names of the engines whose package is installed, the preferred one first."""
    return [
        name
        for name, (_, package) in RUNTIMES.items()
        if package and importlib.util.find_spec(package) is not None
    ]


def open_runtime(
    model: ModelFile,
    name: str = "auto",
    threads: int = 1,
    accelerator: Accelerator | None = None,
    *,
    is_probed: bool = True,
) -> Runtime:
    """Load a model into an engine.

    Args:
        model: Checked by `load_model_file`.
        name: A key of `RUNTIMES`, or `auto`: `edgetpu` for a model that is compiled for it, else
            the first that is installed.
        threads: For one inference; small models gain nothing from a second one.
        accelerator: Which Edge TPU to use, and how; only for `edgetpu`.
        is_probed: Whether a child process must have run the model before this one does, now or
            earlier; False only for a model that this process made itself, and in a process that
            may die.

    Raises:
        InvalidValueError: An unknown name, no thread at all, or an Edge TPU chosen for a model
            or an engine that runs on the CPU.
        NotInstalledError: The engine is not installed.
        EngineError: The engine refused the model, or did not survive it in a child process.
    """
    if threads < 1:
        raise InvalidValueError(f"{threads} threads were asked for, wanted at least 1")
    if name == "auto" and model.structure.is_compiled:
        name = "edgetpu"
    if name == "auto":
        installed = installed_runtimes()
        if not installed:
            raise NotInstalledError(
                "no engine for .tflite files is installed", hint="pip install ai-edge-litert"
            )
        name = installed[0]
    if name not in RUNTIMES:
        raise InvalidValueError(
            f"there is no runtime {name!r}", hint=f"known: auto, {', '.join(RUNTIMES)}"
        )
    module = importlib.import_module(RUNTIMES[name][0])
    opened: Runtime
    if name == "edgetpu":
        opened = module.open_runtime(model, threads, accelerator)
        return opened
    if accelerator is not None:
        raise InvalidValueError(
            f"an Edge TPU was chosen, but {model.name!r} would run on the CPU, by {name}",
            hint="compile it with 'edgecls convert --edgetpu', or leave the device options out",
        )
    opened = module.open_runtime(model, threads, is_probed=is_probed)
    return opened
