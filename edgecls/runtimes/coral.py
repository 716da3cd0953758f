"""The Coral devices of this machine and the library that drives them, without opening any."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edgecls.contract.edgetpu import runtime_number
from edgecls.errors import EngineError, NotInstalledError
from edgecls.runtimes.linker import find_library
from edgecls.runtimes.worker import Job, Worker, WorkerFailedError

LIBRARY_VARIABLE: Final = "EDGECLS_EDGETPU_LIBRARY"
DEFAULT_LIBRARY: Final = "libedgetpu.so.1"
LIBRARY_HINT: Final = (
    "install libedgetpu1-std, a build for TensorFlow 2.15 or later (version 16.0TF2.15...), or say"
    f" where it is: {LIBRARY_VARIABLE}=/path/to/libedgetpu.so.1"
)
# A stick says 1a6e:089a (Global Unichip) until its firmware is loaded, then 18d1:9302 (Google).
_USB_IDS: Final = (("1a6e", "089a"), ("18d1", "9302"))
_PCI_ID: Final = ("0x1ac1", "0x089a")
_LIMIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class CoralDevice:
    """An Edge TPU that the system sees.

    Args:
        kind: `usb` or `pci`.
        place: Its name in the system, such as `2-1` or `/dev/apex_0`.
        problem: Why it cannot be used as it should, in words; empty for a sound one.
    """

    kind: str
    place: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Library:
    """The library libedgetpu, as it describes itself.

    Args:
        place: Its path, or the name that the system finds it by.
        version: What it says, such as `BuildLabel(...), RuntimeVersion(14)`; empty when nothing.
        devices: Edge TPUs that it sees: kind and path.
    """

    place: str
    version: str = ""
    devices: tuple[tuple[str, str], ...] = field(default=())

    @property
    def runtime(self) -> int:
        """The runtime's number, which models ask for; 0 when unknown."""
        return runtime_number(self.version)

    def to_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {
            "library": self.place,
            "version": self.version,
            "runtime": self.runtime,
            "devices": [{"kind": kind, "path": path} for kind, path in self.devices],
        }


def library_place() -> str:
    """Where libedgetpu is to be loaded from."""
    return os.environ.get(LIBRARY_VARIABLE) or DEFAULT_LIBRARY


def find_coral_devices(system: Path = Path("/")) -> list[CoralDevice]:
    """Edge TPUs on USB and PCI Express, read from /sys and /dev.

    Args:
        system: The root of the file system.
    """
    return [*_usb_devices(system), *_pci_devices(system)]


def describe_library() -> Library:
    """Ask libedgetpu for its version and devices, in a child process.

    Raises:
        NotInstalledError: There is none.
        EngineError: It crashed, hung or is something else.
    """
    place = library_place()
    if find_library(place) is None:  # no child: a busy machine may take long to start one
        raise _not_installed(place)
    try:
        worker = Worker(Job(library=place, load_limit_s=_LIMIT_S))
    except WorkerFailedError as failed:
        raise explain_library(failed, place) from failed
    library = Library(place, worker.version, worker.devices)
    worker.close()
    return library


def explain_library(failed: WorkerFailedError, place: str) -> NotInstalledError | EngineError:
    """What is wrong with a library that cannot be loaded, and what to do."""
    text = " ".join(failed.text.split())
    if failed.kind == "hang" and failed.step == "start":
        return EngineError(
            f"this machine is so busy that Python did not start in {_LIMIT_S:g} s to ask {place}",
            hint="end other programs, and try again",
        )
    if failed.kind == "hang":
        return EngineError(
            f"the library {place} did not say in {_LIMIT_S:g} s which Edge TPUs there are",
            hint="unplug the Edge TPU and plug it in again, into a port with enough power",
        )
    if failed.is_crash:
        return EngineError(
            f"the library {place} crashed while it was asked for its version ({failed.kind})",
            hint=LIBRARY_HINT,
        )
    name = place.rsplit("/", 1)[-1]
    if failed.kind != "OSError":
        return EngineError(f"the library {place} cannot be used: {text}", hint=LIBRARY_HINT)
    if "No such file" in text and name not in text.split(":", 1)[0]:
        missing = text.split(":", 1)[0]
        return NotInstalledError(
            f"the library {place} needs {missing}, which is not installed",
            hint=f"install the package with {missing}, such as libusb-1.0-0",
        )
    if "No such file" in text:
        return _not_installed(place)
    return EngineError(f"the library {place} cannot be loaded: {text}", hint=LIBRARY_HINT)


def _not_installed(place: str) -> NotInstalledError:
    return NotInstalledError(
        f"the library of the Edge TPU, {place}, is not installed", hint=LIBRARY_HINT
    )


def find_mismatches(devices: list[CoralDevice], library: Library | None) -> list[str]:
    """What does not fit together between the system's devices and the library, in words.

    Args:
        devices: From `find_coral_devices`.
        library: From `describe_library`; None where it is not installed.
    """
    found = [f"{device.place}: {device.problem}" for device in devices if device.problem]
    if devices and library is None:
        found.append(f"there is an Edge TPU and no library for it: {LIBRARY_HINT}")
    if library is None:
        return found
    if not library.version:
        found.append(f"{library.place} is no libedgetpu: it has no version")
    for kind in ("usb", "pci"):
        there = sum(device.kind == kind for device in devices)
        seen = sum(name == kind for name, _ in library.devices)
        if seen < there:
            found.append(
                f"the system has {there} Edge TPU on {kind}, the library sees {seen}: another"
                " program uses it, or it is not yours to use"
            )
    return found


def _usb_devices(system: Path) -> Iterator[CoralDevice]:
    for folder in sorted((system / "sys/bus/usb/devices").glob("*")):
        ids = (_read(folder / "idVendor"), _read(folder / "idProduct"))
        if ids in _USB_IDS:
            yield CoralDevice("usb", folder.name, _usb_problem(system, folder))


def _usb_problem(system: Path, folder: Path) -> str:
    bus, number = _read(folder / "busnum"), _read(folder / "devnum")
    if bus.isdecimal() and number.isdecimal():
        node = system / f"dev/bus/usb/{int(bus):03}/{int(number):03}"
        if node.exists() and not os.access(node, os.R_OK | os.W_OK):
            group = _group_of(node, "plugdev")
            return f"not yours to use: join the group {group}, and plug it in again"
    speed = _read(folder / "speed")
    if speed.isdecimal() and int(speed) < 5000:
        return f"on a USB 2 port ({speed} Mbit/s): slower; use a USB 3 port and cable"
    return ""


def _pci_devices(system: Path) -> Iterator[CoralDevice]:
    nodes = sorted((system / "dev").glob("apex_*"))
    for node in nodes:
        is_usable = os.access(node, os.R_OK | os.W_OK)
        group = "" if is_usable else _group_of(node, "apex")
        problem = f"not yours to use: join the group {group}" if group else ""
        yield CoralDevice("pci", f"/dev/{node.name}", problem)
    for folder in [] if nodes else sorted((system / "sys/bus/pci/devices").glob("*")):
        if (_read(folder / "vendor"), _read(folder / "device")) == _PCI_ID:
            problem = "its kernel driver (gasket, apex) is not loaded: /dev/apex_0 is missing"
            yield CoralDevice("pci", folder.name, problem)


def _group_of(node: Path, usual: str) -> str:
    """The group that may use a device; `usual` where only root may, before any rule counts."""
    with contextlib.suppress(OSError, KeyError):
        if node.group() != "root":
            return node.group()
    return usual


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
