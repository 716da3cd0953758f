"""Which machine it is, and whether it is in a state to be measured."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecls.bench import Measurement, available_cores
from edgecls.profile.board import read_model
from edgecls.profile.board import read_text as _read
from edgecls.profile.firmware import SLOWED_DOWN, UNDER_VOLTAGE, read_throttled

# Where the kernel tells; a test gives a folder of its own.
_ROOT: Final = Path("/")
_HOT_C: Final = 80.0
# Of one core, taken by other programs.
_BUSY: Final = 0.25
_DRIFT: Final = 1.15


@dataclass(frozen=True, slots=True)
class Machine:
    """What the system says of itself; empty or None where it does not.

    Args:
        board: Such as `Raspberry Pi 4 Model B Rev 1.4`.
        cpu: The processor's name.
        cores: That this process may use.
        governor: Of the clock: `performance`, `ondemand`, ...
        temperature_c: The hottest sensor.
    """

    board: str
    cpu: str
    cores: int
    governor: str
    temperature_c: float | None

    def to_json(self) -> dict[str, Any]:
        """As `edgecls bench --json` prints it."""
        return {
            "board": self.board,
            "cpu": self.cpu,
            "cores": self.cores,
            "governor": self.governor,
            "temperature_c": self.temperature_c,
        }

    def __str__(self) -> str:
        parts = [self.board, self.cpu, f"{self.cores} core{'s' if self.cores > 1 else ''}"]
        parts += [f"governor {self.governor}"] if self.governor else []
        parts += [] if self.temperature_c is None else [f"{self.temperature_c:.0f} degrees C"]
        return ", ".join(part for part in parts if part)


def describe_machine(root: Path = _ROOT) -> Machine:
    """The machine as it is now."""
    return Machine(
        board=read_model(root),
        cpu=_cpu_name(_read(root / "proc/cpuinfo")),
        cores=available_cores(),
        governor=_read(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        temperature_c=_temperature_c(root),
    )


class Watch:
    """Looks at the machine from its making until `warnings`: what may have spoilt the figures."""

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root
        self._started = (time.monotonic(), _busy_s(root), _own_s())

    def warnings(self, found: Sequence[Measurement] = ()) -> list[str]:
        """In words, empty where nothing is wrong."""
        warnings = [*self._others(), *_heat(self._root), *_clock(self._root)]
        for measurement in found:
            if measurement.drift > _DRIFT:
                warnings.append(
                    f"{measurement.runtime} with {measurement.threads} threads became"
                    f" {measurement.drift - 1:.0%} slower while it was measured: heat, or other"
                    " programs"
                )
        return warnings

    def _others(self) -> list[str]:
        clock, busy_s, own_s = self._started
        elapsed = time.monotonic() - clock
        now_s = _busy_s(self._root)
        if busy_s is None or now_s is None or elapsed <= 0:
            return []
        others = (now_s - busy_s - (_own_s() - own_s)) / elapsed
        if others <= _BUSY:
            return []
        return [f"other programs used {others:.1f} cores meanwhile: figures are too high"]


def _busy_s(root: Path) -> float | None:
    """Seconds that all cores together were not idle."""
    match = re.match(r"cpu +([\d ]+)", _read(root / "proc/stat"))
    if match is None:
        return None
    user, nice, system, _idle, _waiting, *rest = (int(n) for n in match[1].split())
    return (user + nice + system + sum(rest[:2])) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """CPU time of this process and of the children that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _heat(root: Path) -> list[str]:
    warnings = []
    temperature_c = _temperature_c(root)
    if temperature_c is not None and temperature_c >= _HOT_C:
        warnings.append(f"it is {temperature_c:.0f} degrees C hot: most boards slow down at 80")
    bits = read_throttled(root) or 0
    if bits & UNDER_VOLTAGE:
        warnings.append("the firmware reports too low a voltage: use a better power supply")
    if bits & SLOWED_DOWN:
        warnings.append("the firmware slows the processor down, or has done so since the start")
    return warnings


def _clock(root: Path) -> list[str]:
    folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
    governor = _read(folder / "scaling_governor")
    limits = [_read(folder / name) for name in ("scaling_max_freq", "cpuinfo_max_freq")]
    warnings = []
    if governor == "powersave":
        warnings.append("the clock's governor is powersave: figures are those of a slow clock")
    if all(limit.isdecimal() for limit in limits):
        allowed, possible = (int(limit) for limit in limits)
        if allowed < possible:
            warnings.append(f"the clock is held at {allowed // 1000} MHz of {possible // 1000} MHz")
    return warnings


def _temperature_c(root: Path) -> float | None:
    folder = root / "sys/class/thermal"
    values = [_read(path) for path in folder.glob("thermal_zone*/temp")]
    found = [int(value) / 1000 for value in values if re.fullmatch(r"-?\d+", value)]
    return max(found, default=None)


def _cpu_name(cpuinfo: str) -> str:
    # x86-64 has "model name"; Arm kernels often have only "Hardware" or nothing at all.
    match = re.search(r"^(?:model name|Hardware|cpu model)\s*: *(.+)$", cpuinfo, re.MULTILINE)
    return match[1].strip() if match else os.uname().machine
