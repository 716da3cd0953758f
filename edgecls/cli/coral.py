"""What `doctor` and `inspect` say of the Edge TPU: shared by commands, no command itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.console import printable

if TYPE_CHECKING:
    from edgecls.contract.modelfile import ModelFile


def examine_coral(model: Path | None = None) -> dict[str, Any]:
    """Devices, library and what does not fit together, as `doctor --json` prints them.

    Args:
        model: A model that is to run here.
    """
    from edgecls.errors import EdgeclsError, NotInstalledError
    from edgecls.runtimes.coral import describe_library, find_coral_devices, find_mismatches

    devices = find_coral_devices()
    library, problems = None, []
    try:
        library = describe_library()
    except NotInstalledError:
        pass  # `find_mismatches` says so where there is a device that needs it
    except EdgeclsError as wrong:
        problems.append(f"{wrong.problem}: {wrong.hint}")
    mismatches = [] if problems else find_mismatches(devices, library)
    if model is not None and library is not None:
        mismatches += _model_mismatches(model, library.runtime)
    return {
        "devices": [{"kind": device.kind, "place": device.place} for device in devices],
        "library": library.to_json() if library else None,
        "problems": [*problems, *mismatches],
    }


def _model_mismatches(path: Path, runtime: int) -> list[str]:
    from edgecls.contract.edgetpu import read_compiled
    from edgecls.contract.modelfile import load_model_file

    file = load_model_file(path)
    compiled = read_compiled(file.flatbuffer, file.structure)
    if compiled is None or compiled.minimum_runtime <= runtime:
        return []
    return [
        f"{path} needs Edge TPU runtime {compiled.minimum_runtime}, the library is"
        f" {runtime or 'unknown'}"
    ]


def print_coral(found: dict[str, Any]) -> None:
    """For people."""
    for device in found["devices"]:
        print(f"coral       {device['kind']}  {printable(device['place'])}")
    if not found["devices"]:
        print("coral       none")
    library = found["library"]
    if library:
        runtime = library["runtime"] or "unknown"
        print(f"libedgetpu  runtime {runtime}, {printable(library['library'])}")
    else:
        print("libedgetpu  not installed" if not found["problems"] else "libedgetpu  not usable")
    for problem in found["problems"]:
        print(f"            {printable(problem)}")


def describe_on_edgetpu(file: ModelFile) -> dict[str, Any]:
    """What an Edge TPU makes of a model, as `inspect --edgetpu --json` prints it."""
    from edgecls.contract.edgetpu import estimate_mapping, read_compiled

    compiled = read_compiled(file.flatbuffer, file.structure)
    if compiled is not None:
        return {
            "is_compiled": True,
            "minimum_runtime": compiled.minimum_runtime,
            "subgraphs": compiled.subgraphs,
            "on_cpu": compiled.on_cpu,
        }
    estimate = estimate_mapping(file.flatbuffer, file.structure)
    return {"is_compiled": False, **estimate.to_json(), "text": list(estimate.to_lines())}


def print_on_edgetpu(found: dict[str, Any]) -> None:
    """For people."""
    if not found["is_compiled"]:
        print("\n" + "\n".join(found["text"]))
        return
    runtime = found["minimum_runtime"] or "unknown"
    print(
        f"\ncompiled for the Edge TPU: runtime {runtime} or later, {found['subgraphs']} part(s) on"
        f" it, {found['on_cpu']} operators on the CPU"
    )
