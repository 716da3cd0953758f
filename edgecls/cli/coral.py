"""What `doctor` and `inspect` say of the Edge TPU: shared by commands, no command itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.console import printable

if TYPE_CHECKING:
    from edgecls.contract.modelfile import ModelFile


def no_coral() -> dict[str, Any]:
    """What `doctor --json` prints of Edge TPUs where none can be asked for."""
    return {"devices": [], "library": None, "problems": []}


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
        print("\n" + "\n".join(map(printable, found["text"])))
        return
    runtime = found["minimum_runtime"] or "unknown"
    print(
        f"\ncompiled for the Edge TPU: runtime {runtime} or later, {found['subgraphs']} part(s) on"
        f" it, {found['on_cpu']} operators on the CPU"
    )
