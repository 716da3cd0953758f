"""What libedgetpu and the engine say when something is wrong, in words that help."""

from __future__ import annotations

from typing import Final

from edgecls.contract.edgetpu import Compiled, runtime_number
from edgecls.errors import EdgeclsError, EngineError, NotInstalledError
from edgecls.runtimes.accelerator import Accelerator
from edgecls.runtimes.coral import LIBRARY_HINT, explain_library, find_coral_devices
from edgecls.runtimes.worker import Job, WorkerFailedError

_UNCOMPILED_HINT: Final = "; or use the .tflite file that the model was compiled from"
_CABLE_HINT: Final = "check its cable and the power of its port; see 'edgecls doctor'"


def explain_load(
    failed: WorkerFailedError, name: str, compiled: Compiled, job: Job
) -> EdgeclsError:
    """Why a compiled model could not be loaded.

    Args:
        failed: What the child process reported, or how it ended.
        name: Of the model.
        compiled: What the model needs.
        job: What the child was to do.
    """
    runtime = runtime_number(failed.version)
    if 0 < runtime < compiled.minimum_runtime:
        return too_old(name, compiled, runtime)
    if failed.step == "library" or failed.kind == "OSError":
        wrong = explain_library(failed, job.library)
        problem = f"{name!r} is compiled for the Edge TPU: {wrong.problem}"
        return type(wrong)(problem, hint=wrong.hint + _UNCOMPILED_HINT)
    if failed.step == "engine":
        return NotInstalledError(
            f"the engine {job.engine} cannot be imported: {failed.text}",
            hint="pip install ai-edge-litert",
        )
    if failed.kind == "hang":
        return EngineError(
            f"the Edge TPU {job.options['device']} did not answer ({failed.text})",
            hint="unplug it and plug it in again, into a USB 3 port with enough power",
        )
    if failed.is_crash:
        return EngineError(
            f"the library {job.library} crashed in {job.engine} ({failed.kind})",
            hint="libedgetpu 16.0 of 2021 crashes in today's engines: " + LIBRARY_HINT,
        )
    if failed.step == "delegate":
        return _explain_delegate(failed, job)
    return _explain_model(failed, name, job)


def _explain_delegate(failed: WorkerFailedError, job: Job) -> EdgeclsError:
    if failed.kind == "AttributeError":
        return EngineError(f"{job.library} is no delegate of TFLite engines", hint=LIBRARY_HINT)
    # "Failed to load delegate from LIBRARY", and what the library said in the next lines.
    said = " ".join(failed.text.split("\n", 1)[-1].split()) if "\n" in failed.text else ""
    if said:
        return EngineError(
            f"the Edge TPU {job.options['device']} cannot be opened: {said}",
            hint="is another program using it? See 'edgecls doctor'",
        )
    devices = find_coral_devices()
    if not devices:
        return EngineError(
            f"there is no Edge TPU {job.options['device']} on this machine",
            hint="plug it in" + _UNCOMPILED_HINT,
        )
    problems = [f"{device.place} is {device.problem}" for device in devices if device.problem]
    return EngineError(
        f"the library refuses the Edge TPU {job.options['device']}, without saying why",
        hint="; ".join(problems) or "another program may be using it, or --device names another",
    )


def _explain_model(failed: WorkerFailedError, name: str, job: Job) -> EdgeclsError:
    text = " ".join(failed.text.split())
    if "unresolved custom op" in text:
        return EngineError(
            f"{job.library} did not take the compiled part of {name!r}", hint=LIBRARY_HINT
        )
    if "untime version" in text:
        return EngineError(
            f"{name!r} does not go with {job.library}: {text:.300}",
            hint="update libedgetpu, or compile the model again for the runtime that is here",
        )
    return EngineError(
        f"{job.engine} with {job.library} cannot load {name!r}: {text or failed.kind:.300}",
        hint="compile the model again; see 'edgecls doctor'",
    )


def explain_run(failed: WorkerFailedError, choice: Accelerator) -> EngineError:
    """Why an inference failed."""
    if failed.kind == "hang":
        problem = f"hangs ({failed.text}) and was given up"
    elif failed.is_crash:
        problem = f"crashed its library ({failed.kind})"
    else:
        problem = f"was lost: {' '.join(failed.text.split()) or failed.kind:.300}"
    return EngineError(f"the Edge TPU {choice.device} {problem}", hint=_CABLE_HINT)


def too_old(name: str, compiled: Compiled, runtime: int) -> EngineError:
    """A library that is older than the model wants."""
    return EngineError(
        f"{name!r} is compiled for Edge TPU runtime {compiled.minimum_runtime}, the library here"
        f" is runtime {runtime}",
        hint=f"update libedgetpu, or compile with 'edgetpu_compiler -m {runtime}'",
    )
