"""Edge TPUs: the devices, the library that drives them, and whether they go together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecls.contract.edgetpu import read_compiled
from edgecls.contract.modelfile import ModelFile
from edgecls.doctor.finding import Finding
from edgecls.doctor.system import System
from edgecls.errors import EdgeclsError, NotInstalledError
from edgecls.profile import Profile
from edgecls.runtimes.coral import (
    LIBRARY_HINT,
    CoralDevice,
    Library,
    describe_library,
    find_coral_devices,
    find_mismatches,
)

_PACKAGES: Final = ("libedgetpu1-std", "libedgetpu1-max")
# Google built version 16.0 in 2021 with this compiler, for TensorFlow 2.5; nobody else did.
_OLD_BUILD: Final = "COMPILER=6.3.0"
_OLD: Final = (2, 5)
_NO_OTHER: Final = "and there is no other port"
# From these on, each engine's own structures fit. Source: headers of TensorFlow Lite.
_WANTED: Final = {"ai-edge-litert": (2, 15), "tflite-runtime": (2, 13)}
# The last tflite-runtime that goes with Google's own build.
_LAST_OLD_ENGINE: Final = (2, 11)


@dataclass(frozen=True, slots=True)
class Coral:
    """What there is of Edge TPUs.

    Args:
        devices: That the system sees.
        library: As it describes itself; None without one that can be used.
        problems: What does not go together, in words.
        is_needed: Whether the model that was looked at is compiled for one.
    """

    devices: tuple[CoralDevice, ...] = ()
    library: Library | None = None
    problems: tuple[str, ...] = ()
    is_needed: bool = False

    def to_json(self) -> dict[str, Any]:
        """As `edgecls doctor --json` prints it."""
        return {
            "devices": [{"kind": each.kind, "place": each.place} for each in self.devices],
            "library": self.library.to_json() if self.library else None,
            "problems": list(self.problems),
        }


def examine_coral(
    system: System,
    profile: Profile,
    model: ModelFile | None = None,
    ask: Callable[[], Library] = describe_library,
) -> Coral:
    """Look at devices and library.

    Args:
        system: The machine.
        profile: Of the board.
        model: That is to run here.
        ask: Asks the library about itself.
    """
    devices = find_coral_devices(system.root)
    if not profile.has_usb3:
        devices = [_excuse(device, profile) for device in devices]
    compiled = read_compiled(model.flatbuffer, model.structure) if model else None
    library, problems = None, []
    try:
        library = ask()
    except NotInstalledError as missing:
        if compiled is not None and not devices:
            problems.append(f"{missing.problem}: {missing.hint}")
    except EdgeclsError as wrong:
        problems.append(f"{wrong.problem}: {wrong.hint}")
    if not problems:
        problems += find_mismatches(devices, library)
    if library is not None:
        problems += _other_build(system, library)
    if compiled is not None and library and library.runtime < compiled.minimum_runtime:
        problems.append(
            f"{Path(model.name) if model else ''} needs Edge TPU runtime"
            f" {compiled.minimum_runtime}, the library is {library.runtime or 'unknown'}"
        )
    if compiled is not None and library is not None and not (devices or library.devices):
        problems.append("the model is compiled for an Edge TPU, and there is none: plug it in")
    return Coral(tuple(devices), library, tuple(problems), compiled is not None)


def check_coral(coral: Coral) -> Iterator[Finding]:
    """What was found, one at a time; it blocks where the model needs an Edge TPU."""
    for device in coral.devices:
        if not device.problem:
            yield Finding("edge-tpu", "ok", f"{device.kind} {device.place}")
    for problem in coral.problems:
        text, cure = _split(problem)
        if _NO_OTHER in problem:
            yield Finding("edge-tpu", "note", problem)
        elif coral.is_needed and "USB 2" not in problem:
            yield Finding("edge-tpu", "blocking", text, cure)
        else:
            yield Finding("edge-tpu", "warning", text, cure)


def _split(problem: str) -> tuple[str, str]:
    """What is wrong, and behind the last colon the cure."""
    if problem.endswith(LIBRARY_HINT):
        return problem.removesuffix(LIBRARY_HINT).rstrip(": "), LIBRARY_HINT
    text, _, cure = problem.rpartition(": ")
    return (text, cure) if text else (cure, "")


def _other_build(system: System, library: Library) -> Iterator[str]:
    """A library that was built for another TensorFlow crashes with the first compiled model.

    Nothing in its symbols tells: the structure that they exchange has grown, its name is the same.
    """
    built_for = _built_for(system, library)
    packages = system.python.packages
    engine = "ai-edge-litert" if packages.get("ai-edge-litert") else "tflite-runtime"
    version = packages.get(engine)
    if built_for is None or not version:
        return
    if engine == "tflite-runtime" and _to_pair(version) <= _LAST_OLD_ENGINE:
        return
    if built_for < _WANTED[engine]:
        told = ".".join(map(str, built_for))
        yield (
            f"{library.place} was built for TensorFlow {told} and crashes in {engine} {version}:"
            f" {LIBRARY_HINT}"
        )


def _built_for(system: System, library: Library) -> tuple[int, int] | None:
    """The TensorFlow that a library was built for; None where nothing tells."""
    if _OLD_BUILD in library.version:
        return _OLD
    for package in _PACKAGES:
        ran = system.run(("dpkg-query", "-W", "-f", "${Version}", package))
        if not ran.is_fine or not ran.output.strip():
            continue
        if found := re.search(r"tf(\d+)\.(\d+)", ran.output, re.IGNORECASE):
            return int(found[1]), int(found[2])
        if re.match(r"1[0-6]\.", ran.output):
            return _OLD
    return None


def _to_pair(version: str) -> tuple[int, int]:
    numbers = [int(text) for text in re.findall(r"\d+", version)[:2]]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)


def _excuse(device: CoralDevice, profile: Profile) -> CoralDevice:
    if "USB 2" not in device.problem:
        return device
    told = f"on USB 2, {_NO_OTHER} on a {profile.name}; it works, slower than on USB 3"
    return CoralDevice(device.kind, device.place, told)
