"""What the system says of itself, from folders as boards have them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecls.bench import Measurement
from edgecls.bench.machine import Watch, describe_machine

CPU = "sys/devices/system/cpu/cpu0/cpufreq"


def write(root: Path, **files: str) -> Path:
    """Files with `__` for `/`, as dictionaries of arguments need it."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def board(tmp_path: Path) -> Path:
    write(tmp_path, proc__cpuinfo="processor\t: 0\nBogoMIPS\t: 108.00\n")
    write(tmp_path / "proc/device-tree", model="Raspberry Pi 4 Model B Rev 1.4\0")
    write(tmp_path / CPU, scaling_governor="ondemand\n")
    write(tmp_path / "sys/class/thermal/thermal_zone0", temp="48312\n")
    return tmp_path


def test_a_board(board: Path) -> None:
    machine = describe_machine(board)
    assert machine.board == "Raspberry Pi 4 Model B Rev 1.4"
    assert (machine.governor, machine.temperature_c) == ("ondemand", 48.312)
    assert "governor ondemand, 48 degrees C" in str(machine)


def test_a_server_that_says_little(tmp_path: Path) -> None:
    write(tmp_path, proc__cpuinfo="vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n")
    machine = describe_machine(tmp_path)
    assert (machine.board, machine.cpu, machine.governor) == ("", "AMD EPYC", "")
    assert machine.temperature_c is None
    assert str(machine).startswith("AMD EPYC, ")


def test_this_machine_has_a_name() -> None:
    assert describe_machine().cpu


def test_a_calm_board_gives_no_warning(board: Path) -> None:
    assert Watch(board).warnings() == []


@pytest.mark.parametrize(
    ("folder", "files", "warning"),
    [
        pytest.param(
            "sys/class/thermal/thermal_zone1", {"temp": "82500"}, "it is 82 degrees C hot", id="hot"
        ),
        pytest.param(
            "sys/devices/platform/soc/soc:firmware",
            {"get_throttled": "50005"},
            "the firmware reports too low a voltage",
            id="a weak power supply",
        ),
        pytest.param(
            "sys/devices/platform/soc/soc:firmware",
            {"get_throttled": "40000"},
            "the firmware slows the processor down, or has done so",
            id="throttled some time ago",
        ),
        pytest.param(CPU, {"scaling_governor": "powersave"}, "governor is powersave", id="saving"),
        pytest.param(
            CPU,
            {"scaling_max_freq": "1000000", "cpuinfo_max_freq": "1500000"},
            "the clock is held at 1000 MHz of 1500 MHz",
            id="a lower limit",
        ),
    ],
)
def test_what_spoils_figures_is_told(
    board: Path, folder: str, files: dict[str, str], warning: str
) -> None:
    write(board / folder, **files)
    assert any(warning in told for told in Watch(board).warnings())


def test_a_measurement_that_grew_slower_is_told(board: Path) -> None:
    calm = Measurement("m", "litert", "2", 1, 1.0, 1.0, {"p50": 1.0}, 1.0, 9, 1.0, 1.0, drift=1.1)
    slower = dataclasses.replace(calm, drift=1.3)
    (warning,) = Watch(board).warnings([calm, slower])
    assert "became 30% slower while it was measured" in warning


def test_other_programs_are_told() -> None:
    watch = Watch()
    # A child that has not ended does not count as our own yet.
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as hog:
        time.sleep(1.0)
        warnings = watch.warnings()
        hog.kill()
    assert any("other programs used" in told for told in warnings)
