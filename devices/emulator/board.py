"""Runs programs on the emulated board, counts their instructions and looks at their memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from devices.emulator.root import PLACE, EmulatorError

HERE: Final = Path(__file__).resolve().parent
GUEST: Final = HERE / "guest"
STAGES: Final = ("decode", "prepare", "invoke", "rest")
FRAMES: Final = 3  # counted, after those that warm up
_WARM_UP: Final = 2  # as in guest/frames.py
_MARKS: Final = 7
_PLUGIN_VERSION_2_SINCE: Final = 9  # QEMU's major version


@dataclass(frozen=True, slots=True)
class Board:
    """A Raspberry Pi, as far as its processor goes."""

    name: str
    cpu: str

    def run(self, *command: object, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run `python3 ...` or `edgecls ...` on it."""
        return subprocess.run(
            self.words(*command), capture_output=True, text=True, check=False, **more
        )

    def words(self, *command: object) -> list[str]:
        """The command line of this machine that does it."""
        return [str(HERE / "user.sh"), self.cpu, *map(str, command)]


BOARDS: Final = (
    Board("Pi Zero 2 W, Pi 3", "cortex-a53"),
    Board("Pi 4", "cortex-a72"),
    Board("Pi 5", "cortex-a76"),
)


def build_plugin() -> Path:
    """Compile count.c for the QEMU that is installed."""
    if shutil.which("gcc") is None:
        raise EmulatorError(
            "gcc is missing: apt-get install -y --no-install-recommends gcc libc6-dev"
        )
    said = subprocess.run(
        ["qemu-aarch64", "--version"], capture_output=True, text=True, check=True
    ).stdout
    major = int(re.search(r"version (\d+)", said)[1])  # type: ignore[index]
    version = 2 if major >= _PLUGIN_VERSION_2_SINCE else 1
    plugin = PLACE / "count.so"
    flags = ["-O2", "-shared", "-fPIC", f"-DPLUGIN_VERSION={version}"]
    subprocess.run(["gcc", *flags, "-o", plugin, HERE / "count.c"], check=True)
    return plugin


def count_instructions(
    board: Board, plugin: Path, frame: Path, models: Sequence[Path]
) -> list[dict[str, int]]:
    """Instructions that one frame takes, by stage, for each model: the median frame.

    Raises:
        EmulatorError: The program failed, or did not run as many frames as it should.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        environment = {**os.environ, "EDGECLS_PLUGIN": f"{plugin},out={out}"}
        program = ("python3", GUEST / "frames.py", frame, FRAMES, *models)
        done = board.run(*program, env=environment)
        if done.returncode:
            raise EmulatorError(f"{board.cpu}: frames.py failed: {done.stderr[-600:]}")
        marks = [tuple(map(int, line.split())) for line in out.read_text().splitlines()]
    a_frame = list(range(_MARKS))
    a_model = (_WARM_UP + FRAMES) * _MARKS
    if [number for number, _ in marks] != a_frame * ((_WARM_UP + FRAMES) * len(models)):
        raise EmulatorError(f"{board.cpu}: {len(marks)} marks, not {a_model * len(models)}")
    totals = [total for _, total in marks]
    return [
        _summarize(
            [
                totals[begin : begin + _MARKS]
                for begin in range(model * a_model, (model + 1) * a_model, _MARKS)
            ][_WARM_UP:]
        )
        for model in range(len(models))
    ]


def _summarize(frames: Sequence[Sequence[int]]) -> dict[str, int]:
    """The median of each stage; what a mark costs is taken off."""
    found: dict[str, list[int]] = {stage: [] for stage in STAGES}
    for begin, paused, decoded, filling, filled, invoked, done in frames:
        mark = paused - begin
        found["decode"].append(decoded - paused - mark)
        found["prepare"].append(filled - filling - mark)
        found["invoke"].append(invoked - filled - mark)
        found["rest"].append(filling - decoded + done - invoked - 2 * mark)
    return {stage: int(median(values)) for stage, values in found.items()}


def measure_memory(board: Board, frame: Path, model: Path) -> float:
    """MB of memory in use by a process that classifies frames: its own, without the emulator's.

    Read from outside: QEMU's user mode keeps the program's addresses, so those of its mappings that
    the program knows are the program's, and the rest is QEMU.
    """
    words = board.words("python3", GUEST / "frames.py", frame, 0, model)
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        lines = list(iter(process.stdout.readline, "\n"))
        own = _read_ranges("".join(lines))
        resident = _read_resident(Path(f"/proc/{process.pid}/smaps").read_text())
        process.communicate("")
    if not own:
        raise EmulatorError(f"{board.cpu}: {model.name} did not run")
    used = sum(kb for begin, kb in resident.items() if any(a <= begin < b for a, b in own))
    return round(used / 1024, 1)


def _read_ranges(maps: str) -> list[tuple[int, int]]:
    found = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) ", maps, re.MULTILINE)
    return [(int(begin, 16), int(end, 16)) for begin, end in found]


def _read_resident(smaps: str) -> Mapping[int, int]:
    """First address of each mapping -> KiB of it that are in memory."""
    found: dict[int, int] = {}
    begin = 0
    for line in smaps.splitlines():
        if (head := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line)) is not None:
            begin = int(head[1], 16)
        elif line.startswith("Rss:"):
            found[begin] = int(line.split()[1])
    return found
