"""All that the doctor looks at, behind one door, so that a sick machine can be made up."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, TypeAlias

from edgecls.child.environment import without_secrets
from edgecls.profile import board
from edgecls.profile.board import read_text

PACKAGES: Final = (
    "edgecls",
    "edgecls-train",
    "edgecls-convert",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "typer",
    "ai-edge-litert",
    "tflite-runtime",
    "tensorflow",
    "keras",
)
_LIMIT_S: Final = 60.0  # importing OpenCV from a slow card on a busy board
_MOST_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command.

    Args:
        status: Its exit status; negative for a signal, None where it is not installed or hung.
        output: What it printed, errors included.
    """

    status: int | None
    output: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether it ran and ended with 0."""
        return self.status == 0

    @property
    def last_line(self) -> str:
        """What it said last: of a traceback the error."""
        lines = self.output.strip().splitlines()
        return " ".join(lines[-1].split())[:_MOST_SHOWN] if lines else ""


RunCommand: TypeAlias = Callable[[Sequence[str]], Ran]
TryOpen: TypeAlias = Callable[[Path], int]


def run_command(words: Sequence[str]) -> Ran:
    """Run a command of this machine, in the C locale, and wait for it."""
    try:
        done = subprocess.run(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_LIMIT_S,
            env={**without_secrets(), "LC_ALL": "C", "PYTHONUNBUFFERED": "1"},
        )
    except (OSError, subprocess.TimeoutExpired) as wrong:
        return Ran(None, f"{words[0]}: {wrong}")
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"))


def try_open(path: Path) -> int:
    """The error number of opening a device for reading and writing; 0 when that works."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as wrong:
        return wrong.errno or -1
    os.close(descriptor)
    return 0


@dataclass(frozen=True, slots=True)
class Python:
    """The Python that this runs in.

    Args:
        version: Such as (3, 11).
        bits: 32 or 64.
        prefix: Of its environment.
        is_environment: Whether that is a virtual one.
        packages: Those of PACKAGES, with their versions; None for what is not installed.
    """

    version: tuple[int, int]
    bits: int
    prefix: str
    is_environment: bool
    packages: Mapping[str, str | None]

    def major(self, package: str) -> int:
        """The first number of a package's version; 0 where it is not installed."""
        found = (self.packages.get(package) or "0").partition(".")[0]
        return int(found) if found.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class System:
    """A machine as the doctor sees it; every part can be made up.

    Args:
        root: Of the file system.
        run: Runs a command.
        try_open: Opens a device, and says why it cannot.
        environment: Variables.
        user: Whose groups count.
        groups: Numbers of the groups that this process is in.
        is_root: Whether it may do everything.
        python: What runs here.
    """

    root: Path
    python: Python
    run: RunCommand = run_command
    try_open: TryOpen = try_open
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    groups: frozenset[int] = frozenset()
    is_root: bool = False

    def read(self, path: str) -> str:
        """A small file below `root`, stripped; empty if it cannot be read."""
        return read_text(self.root / path)

    def import_here(self, module: str) -> Ran:
        """Import a module in a child process of this Python: what it breaks, it breaks there."""
        # -P: nothing in the current folder is taken for a module.
        return self.run((sys.executable, "-P", "-c", f"import {module}"))

    def release(self) -> Mapping[str, str]:
        """What /etc/os-release says."""
        lines = (line.partition("=") for line in self.read("etc/os-release").splitlines())
        return {key: value.strip().strip("\"'") for key, sign, value in lines if sign}

    def group(self, number: int) -> tuple[str, tuple[str, ...]]:
        """Name and members of a group, as /etc/group has them."""
        for line in self.read("etc/group").splitlines():
            fields = line.split(":")
            if len(fields) == 4 and fields[2] == str(number):
                return fields[0], tuple(filter(None, fields[3].split(",")))
        return str(number), ()


def this_system() -> System:
    """The machine that this runs on."""
    return System(
        root=board.ROOT,
        python=Python(
            version=sys.version_info[:2],
            bits=64 if sys.maxsize > 1 << 32 else 32,
            prefix=sys.prefix,
            is_environment=sys.prefix != sys.base_prefix,
            packages=installed_packages(PACKAGES),
        ),
        environment=dict(os.environ),
        user=_user_name(),
        groups=frozenset((*os.getgroups(), os.getegid())),
        is_root=os.geteuid() == 0,
    )


def describe_system() -> str:
    """Kernel and processor, in a line."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"


def installed_packages(names: Iterable[str]) -> dict[str, str | None]:
    """Versions of distributions; None for what is not installed."""
    return {name: _version(name) for name in names}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _user_name() -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())
