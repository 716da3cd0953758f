"""Packages and engines: do they go with this system, and with each other?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgecls.doctor.finding import Finding
from edgecls.doctor.system import Ran, System

_64_BIT: Final = (
    "put the 64-bit Raspberry Pi OS on the card: it runs on every board since the Pi 3 and Zero 2 W"
)
_NUMPY_1: Final = "pip install 'numpy<2' 'opencv-python<4.12', or: pip install ai-edge-litert"
# What extensions say that were built for another numpy: by 1 for 2, and by 2 for 1.
_OTHER_NUMPY: Final = ("numpy.dtype size changed", "multiarray failed to import", "_ARRAY_API")


def check_bits(system: System) -> Iterator[Finding]:
    """32-bit systems: little can be installed there, and on Trixie nothing.

    The kernel of a 32-bit Raspberry Pi OS has 64 bits, so `uname -m` alone is no answer.
    """
    machine = system.run(("uname", "-m")).output.strip()
    answer = system.run(("getconf", "LONG_BIT")).output.strip()
    bits = int(answer) if answer in ("32", "64") else system.python.bits
    release = system.release()
    name = release.get("VERSION_CODENAME", "") or release.get("PRETTY_NAME", "this system")
    if bits == 64 and system.python.bits == 64:
        yield Finding("system", "ok", f"64 bits, {name}")
        return
    if machine.startswith("armv6"):
        yield Finding(
            "system",
            "blocking",
            "this board has a 32-bit processor (ARMv6), for which there is no engine",
            "use a Pi Zero 2 W, 3, 4 or 5 with the 64-bit system",
        )
        return
    what = "a 32-bit system" if bits == 32 else "a 32-bit Python on a 64-bit system"
    kernel = " on a 64-bit kernel" if bits == 32 and machine == "aarch64" else ""
    if _is_trixie(release) or system.python.version >= (3, 12):
        yield Finding(
            "system",
            "blocking",
            f"{what}{kernel}, {name}: no engine can be installed, tflite-runtime ended at Python"
            " 3.11",
            _64_BIT,
        )
        return
    yield Finding(
        "system",
        "warning",
        f"{what}{kernel}, {name}: only tflite-runtime runs here, int8 about ten times slower",
        _64_BIT,
    )


def check_engine(system: System) -> Iterator[Finding]:
    """Is there an engine, does it load, and does it go with numpy?"""
    packages = system.python.packages
    litert, old = packages.get("ai-edge-litert"), packages.get("tflite-runtime")
    if old and system.python.major("numpy") >= 2:
        yield Finding(
            "engine",
            "warning" if litert else "blocking",
            f"tflite-runtime {old} does not work with numpy {packages['numpy']}: it loads, and"
            " fails at the first model",
            "pip uninstall tflite-runtime" if litert else _NUMPY_1,
        )
        if not litert:
            return
    if not litert and not old:
        yield Finding("engine", "blocking", "no engine for .tflite files", _wanted_engine(system))
        return
    module, package = (
        ("ai_edge_litert.interpreter", f"ai-edge-litert {litert}")
        if litert
        else ("tflite_runtime.interpreter", f"tflite-runtime {old}")
    )
    ran = system.import_here(module)
    if not ran.is_fine:
        yield Finding("engine", "blocking", f"{package} cannot be loaded: {_say(ran)}", _cure(ran))
    elif not litert and system.python.bits == 64:
        yield Finding(
            "engine",
            "warning",
            f"{package} runs int8 models about ten times slower than ai-edge-litert",
            "pip install ai-edge-litert",
        )
    else:
        yield Finding("engine", "ok", package)


def check_processor_list(system: System) -> Iterator[Finding]:
    """On Arm, LiteRT asks /sys which processor this is; without an answer it leaves XNNPACK out.

    Seen in an emulated Bookworm without /sys: golden vectors of EfficientNet-Lite0 3 steps apart,
    with it 0.
    """
    machine = system.run(("uname", "-m")).output.strip()
    is_listed = (system.root / "sys/devices/system/cpu/possible").exists()
    if machine.startswith(("aarch64", "arm")) and not is_listed:
        yield Finding(
            "engine",
            "warning",
            "/sys is not there, so LiteRT does not know the processor: it computes slower, and"
            " some steps otherwise than elsewhere",
            "give the container /sys, or run outside of it",
        )


def check_opencv(system: System) -> Iterator[Finding]:
    """Does OpenCV load? Its wheel leaves two libraries to the system."""
    ran = system.import_here("cv2")
    if ran.is_fine:
        yield Finding("opencv", "ok", "loads")
        return
    yield Finding("opencv", "blocking", f"OpenCV cannot be loaded: {_say(ran)}", _cure(ran))


def check_picamera2(system: System, *, is_wanted: bool) -> Iterator[Finding]:
    """Is picamera2, which only the system's package manager has, seen from this environment?

    Args:
        system: The machine.
        is_wanted: Whether there is a ribbon camera, which needs it.
    """
    is_there = (system.root / "usr/lib/python3/dist-packages/picamera2").exists()
    if not is_there:
        if is_wanted:
            yield Finding(
                "picamera2",
                "warning",
                "a ribbon camera needs picamera2, which is not installed",
                "sudo apt install -y --no-install-recommends python3-picamera2, then"
                " devices/common/setup.sh again",
            )
        return
    ran = system.import_here("picamera2")
    if ran.is_fine:
        yield Finding("picamera2", "ok", "loads")
        return
    yield Finding("picamera2", "warning", *_explain_picamera2(system, ran))


def _explain_picamera2(system: System, ran: Ran) -> tuple[str, str]:
    missing = ("No module named 'picamera2'", "No module named 'libcamera'")
    if any(text in ran.output for text in missing) and system.python.is_environment:
        return (
            "picamera2 is installed on this system, but this environment does not see it",
            f"python3 -m venv --system-site-packages {system.python.prefix}",
        )
    if any(text in ran.output for text in _OTHER_NUMPY):
        numpy = system.python.packages.get("numpy")
        return (
            f"the system's picamera2 was built for another numpy than {numpy} of this environment",
            "pip install 'numpy<2' 'opencv-python<4.12' (Bookworm), or uninstall numpy and"
            " simplejpeg here, so that the system's are used",
        )
    return (
        f"picamera2 cannot be loaded: {_say(ran)}",
        "sudo apt install --reinstall python3-picamera2",
    )


def _is_trixie(release: object) -> bool:
    found = release.get("VERSION_ID", "") if isinstance(release, dict) else ""
    return found.isdecimal() and int(found) >= 13


def _wanted_engine(system: System) -> str:
    if system.python.bits == 64:
        return "pip install ai-edge-litert"
    return "pip install 'tflite-runtime>=2.14' 'numpy<2' (Python up to 3.11)"


def _say(ran: Ran) -> str:
    if ran.status is not None and ran.status < 0:
        return f"it crashes (signal {-ran.status})"
    return ran.last_line or "it does not answer"


_CURES: Final = (
    (("libGL.so.1",), "sudo apt install libgl1 libglib2.0-0"),
    (("libgthread-2.0", "libglib-2.0"), "sudo apt install libglib2.0-0"),
    (("GLIBC_",), "use Debian 12 (Bookworm) or later: this system's C library is too old"),
    (("libopenblas", "libatlas"), "sudo apt install libopenblas0"),
    (_OTHER_NUMPY, "pip install --force-reinstall numpy opencv-python"),
    (("No module named 'cv2'",), "pip install opencv-python"),
    (("No module named 'numpy'",), "pip install numpy"),
)


def _cure(ran: Ran) -> str:
    for signs, cure in _CURES:
        if any(sign in ran.output for sign in signs):
            return cure
    return "make the environment anew: sudo devices/common/setup.sh"
