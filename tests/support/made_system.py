"""A made-up machine for the doctor: its files, what its commands answer, how its devices open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgecls.doctor.system import Python, Ran, System

# Commands of a sound 64-bit board; the doctor imports modules by running Python.
SOUND: Mapping[str, Ran] = {
    "uname": Ran(0, "aarch64\n"),
    "getconf": Ran(0, "64\n"),
    "import cv2": Ran(0),
    "import ai_edge_litert.interpreter": Ran(0),
    "import tflite_runtime.interpreter": Ran(0),
    "vcgencmd": Ran(0, "throttled=0x0\n"),
}
PACKAGES: Mapping[str, str | None] = {
    "numpy": "2.4.6",
    "opencv-python": "5.0.0.93",
    "ai-edge-litert": "2.3.0",
    "tflite-runtime": None,
}


def made_python(
    packages: Mapping[str, str | None] = PACKAGES,
    version: tuple[int, int] = (3, 11),
    bits: int = 64,
    *,
    is_environment: bool = True,
) -> Python:
    """A Python with these packages."""
    return Python(version, bits, "/opt/edgecls/venv", is_environment, packages)


def made_system(
    root: Path,
    answers: Mapping[str, Ran] = SOUND,
    *,
    python: Python | None = None,
    opens: Mapping[str, int] | None = None,
    groups: frozenset[int] = frozenset({44}),
) -> System:
    """A machine.

    Args:
        root: Of its file system.
        answers: What commands print, by their first word or the last one; what is missing is not
            installed. They come on top of SOUND.
        python: What runs there.
        opens: Error numbers of opening devices, by path; 0 for all others.
        groups: That the user is in.
    """
    known = {**SOUND, **answers}

    def run(words: Sequence[str]) -> Ran:
        return known.get(words[-1]) or known.get(words[0]) or Ran(None, "not found")

    def try_open(path: Path) -> int:
        return (opens or {}).get(f"/{path.relative_to(root)}", 0)

    return System(
        root,
        python or made_python(),
        run=run,
        try_open=try_open,
        user="pi",
        groups=groups,
    )
