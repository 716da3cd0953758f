"""Coral devices as the system shows them, and what does not fit together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edgecls.errors import EngineError, NotInstalledError
from edgecls.runtimes import installed_runtimes
from edgecls.runtimes.coral import (
    LIBRARY_VARIABLE,
    CoralDevice,
    Library,
    describe_library,
    explain_library,
    find_coral_devices,
    find_mismatches,
    library_place,
)
from edgecls.runtimes.worker import WorkerFailedError
from tests.support.stand_in import StandIn


def plug_in(system: Path, vendor: str, product: str, **more: str) -> None:
    """A USB device, as the kernel shows it."""
    folder = system / "sys/bus/usb/devices/2-1"
    folder.mkdir(parents=True)
    files = {"idVendor": vendor, "idProduct": product, "speed": "5000", **more}
    for name, content in files.items():
        (folder / name).write_text(content + "\n")


@pytest.mark.parametrize(
    ("vendor", "product"),
    [
        pytest.param("1a6e", "089a", id="before its firmware is loaded"),
        pytest.param("18d1", "9302", id="after that"),
    ],
)
def test_a_usb_stick_is_found(vendor: str, product: str, tmp_path: Path) -> None:
    plug_in(tmp_path, vendor, product)
    assert find_coral_devices(tmp_path) == [CoralDevice("usb", "2-1")]


def test_another_usb_device_is_none(tmp_path: Path) -> None:
    plug_in(tmp_path, "046d", "0825")
    assert find_coral_devices(tmp_path) == []


def test_a_slow_port_is_told(tmp_path: Path) -> None:
    plug_in(tmp_path, "18d1", "9302", speed="480")
    (device,) = find_coral_devices(tmp_path)
    assert device.problem.startswith("on a USB 2 port (480 Mbit/s)")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every device")
def test_a_stick_that_is_not_ours_is_told(tmp_path: Path) -> None:
    plug_in(tmp_path, "18d1", "9302", busnum="2", devnum="7")
    node = tmp_path / "dev/bus/usb/002/007"
    node.parent.mkdir(parents=True)
    node.touch(mode=0)
    assert "join the group plugdev" in find_coral_devices(tmp_path)[0].problem


def test_a_card_is_found(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    assert find_coral_devices(tmp_path) == [CoralDevice("pci", "/dev/apex_0")]


def test_a_card_without_its_driver_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text("0x1ac1\n")
    (folder / "device").write_text("0x089a\n")
    (device,) = find_coral_devices(tmp_path)
    assert (device.kind, device.place) == ("pci", "0000:01:00.0")
    assert "/dev/apex_0 is missing" in device.problem


def test_a_machine_without_usb_has_none(tmp_path: Path) -> None:
    assert find_coral_devices(tmp_path) == []


STICK = CoralDevice("usb", "2-1")
LIBRARY = Library("libedgetpu.so.1", "BuildLabel(N/A), RuntimeVersion(14)", (("usb", "x"),))


@pytest.mark.parametrize(
    ("devices", "library", "mismatches"),
    [
        pytest.param([STICK], LIBRARY, [], id="a stick and its library"),
        pytest.param([], None, [], id="nothing at all"),
        pytest.param([], LIBRARY, [], id="a library without a stick"),
    ],
)
def test_what_fits_together(devices: Any, library: Any, mismatches: list[str]) -> None:
    assert find_mismatches(devices, library) == mismatches


@pytest.mark.parametrize(
    ("devices", "library", "words"),
    [
        pytest.param([STICK], None, "no library for it", id="a stick without a library"),
        pytest.param(
            [STICK, CoralDevice("usb", "2-2")],
            LIBRARY,
            "the system has 2 Edge TPU on usb, the library sees 1",
            id="a stick that another program uses",
        ),
        pytest.param([], Library("libc.so.6"), "is no libedgetpu", id="another library"),
        pytest.param([CoralDevice("usb", "2-1", "slow")], LIBRARY, "2-1: slow", id="a slow port"),
    ],
)
def test_what_does_not_fit_together_is_told(devices: Any, library: Any, words: str) -> None:
    (mismatch,) = find_mismatches(devices, library)
    assert words in mismatch


needs_engine = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")


@needs_engine
def test_the_library_tells_its_version_and_devices(stand_in: StandIn) -> None:
    stand_in(devices="up", runtime=13)
    library = describe_library()
    assert library.runtime == 13
    assert library.devices == (("usb", "/sys/bus/usb/devices/2-1"), ("pci", "/dev/apex_0"))
    assert library.to_json()["devices"][1] == {"kind": "pci", "path": "/dev/apex_0"}


@needs_engine
def test_a_library_that_sees_no_device_tells_its_version_all_the_same(stand_in: StandIn) -> None:
    stand_in(devices="")
    library = describe_library()
    assert (library.runtime, library.devices) == (14, ())


@needs_engine
def test_a_library_that_is_not_there_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, "/nowhere/libedgetpu.so.1")
    with pytest.raises(NotInstalledError, match="/nowhere/libedgetpu"):
        describe_library()


def test_the_place_of_the_library_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    assert library_place() == "libedgetpu.so.1"
    monkeypatch.setenv(LIBRARY_VARIABLE, "/opt/libedgetpu.so.1")
    assert library_place() == "/opt/libedgetpu.so.1"


# As the dynamic linker says it (glibc 2.41).
LINKER = [
    pytest.param(
        "OSError",
        "libedgetpu.so.1: cannot open shared object file: No such file or directory",
        NotInstalledError,
        r"library of the Edge TPU, libedgetpu\.so\.1, is not installed",
        id="not there",
    ),
    pytest.param(
        "OSError",
        "libusb-1.0.so.0: cannot open shared object file: No such file or directory",
        NotInstalledError,
        r"libedgetpu\.so\.1 needs libusb-1\.0\.so\.0, which is not installed",
        id="without libusb",
    ),
    pytest.param(
        "OSError",
        "libedgetpu.so.1: wrong ELF class: ELFCLASS32",
        EngineError,
        r"cannot be loaded: libedgetpu\.so\.1: wrong ELF class",
        id="of another processor",
    ),
    pytest.param("SIGSEGV", "", EngineError, r"crashed while it was asked .*SIGSEGV", id="crash"),
    pytest.param("hang", "", EngineError, "did not say in 10 s", id="hang"),
]


@pytest.mark.parametrize(("kind", "text", "error", "words"), LINKER)
def test_what_the_linker_says_is_put_into_words(
    kind: str, text: str, error: type[Exception], words: str
) -> None:
    found = explain_library(WorkerFailedError("library", kind, text), "libedgetpu.so.1")
    assert type(found) is error
    with pytest.raises(error, match=words):
        raise found
    assert found.hint
