"""Memory, voltage and heat."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.doctor.power import check_heat, check_memory, check_memory_limit, check_power
from edgecls.doctor.system import Ran
from edgecls.profile import load_profile
from tests.support.made_board import MadeBoard, write
from tests.support.made_system import made_system

ZERO = load_profile("raspberry-pi-zero-2-w")
PI4 = load_profile("raspberry-pi-4b")
MB = 1024  # kB, as /proc/meminfo counts


class TestMemory:
    @pytest.mark.parametrize(
        ("total", "free", "model_bytes", "state", "words"),
        [
            pytest.param(416, 300, 0, "ok", "416 MB, 300 MB free", id="a Zero 2 W with Lite"),
            pytest.param(416, 90, 0, "warning", "so the system will swap", id="with a desktop"),
            pytest.param(
                416, 150, 30_000_000, "warning", "takes about 180 MB", id="with a large model"
            ),
            pytest.param(150, 100, 0, "blocking", "150 MB, 100 MB free", id="next to nothing"),
        ],
    )
    def test_what_is_left(
        self, tmp_path: Path, total: int, free: int, model_bytes: int, state: str, words: str
    ) -> None:
        MadeBoard(tmp_path).memory(total * MB, free * MB)
        (found,) = check_memory(made_system(tmp_path), ZERO, model_bytes)
        assert found.state == state
        assert words in found.text
        assert (found.cure == "") == (state == "ok")

    def test_a_board_of_which_much_is_missing(self, tmp_path: Path) -> None:
        MadeBoard(tmp_path).memory(600 * MB, 500 * MB)
        (found,) = check_memory(made_system(tmp_path), PI4)
        assert found.state == "note"
        assert "of the 1024 MB that a Raspberry Pi 4 Model B has" in found.text

    def test_a_machine_that_does_not_say(self, tmp_path: Path) -> None:
        assert list(check_memory(made_system(tmp_path), PI4)) == []


class TestPower:
    @pytest.mark.parametrize(
        ("bits", "found"),
        [
            pytest.param("0x0", [("voltage", "ok", "")], id="all is well"),
            pytest.param(
                "0x1",
                [("voltage", "warning", "now: the voltage is too low (0x1)")],
                id="under-voltage",
            ),
            pytest.param(
                "0x50000",
                [
                    (
                        "voltage",
                        "warning",
                        "since the start, but not now: the voltage is too low, the processor is"
                        " slowed down (0x50000)",
                    )
                ],
                id="under-voltage in the past",
            ),
            pytest.param(
                "0x80008",
                [("heat", "warning", "now: it is so hot that the clock is lowered (0x80008)")],
                id="heat",
            ),
            pytest.param(
                "0x20001",
                [
                    ("voltage", "warning", "now: the voltage is too low"),
                    ("voltage", "warning", "since the start, but not now: the clock is held down"),
                ],
                id="something now, something else before",
            ),
        ],
    )
    def test_what_the_firmware_says(
        self, tmp_path: Path, bits: str, found: list[tuple[str, str, str]]
    ) -> None:
        system = made_system(tmp_path, {"vcgencmd": Ran(0, f"throttled={bits}\n")})
        told = list(check_power(system))
        assert [(each.check, each.state) for each in told] == [entry[:2] for entry in found]
        assert all(entry[2] in each.text for entry, each in zip(found, told, strict=True))

    def test_the_cure_of_low_voltage_is_a_power_supply(self, tmp_path: Path) -> None:
        system = made_system(tmp_path, {"vcgencmd": Ran(0, "throttled=0x50005\n")})
        (found,) = check_power(system)
        assert "use the board's own power supply" in found.cure

    def test_the_cure_of_heat_is_cooling(self, tmp_path: Path) -> None:
        system = made_system(tmp_path, {"vcgencmd": Ran(0, "throttled=0xe0000\n")})
        (found,) = check_power(system)
        assert "a heat sink or a fan" in found.cure

    def test_without_vcgencmd_the_kernel_is_asked(self, tmp_path: Path) -> None:
        write(tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
        (found,) = check_power(made_system(tmp_path, {"vcgencmd": Ran(None)}))
        assert "the voltage is too low" in found.text

    def test_a_pc_has_no_such_firmware(self, tmp_path: Path) -> None:
        assert list(check_power(made_system(tmp_path, {"vcgencmd": Ran(None)}))) == []


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        pytest.param("48312", [], id="cool"),
        pytest.param("82500", ["82 degrees C: boards slow down from 80 on"], id="hot"),
        pytest.param("nonsense", [], id="a sensor that says nothing"),
    ],
)
def test_the_hottest_sensor(tmp_path: Path, value: str, texts: list[str]) -> None:
    write(tmp_path / "sys/class/thermal/thermal_zone0/temp", value)
    assert [found.text for found in check_heat(made_system(tmp_path))] == texts


@pytest.mark.parametrize(
    ("controllers", "is_installed", "is_told"),
    [
        pytest.param("cpuset cpu io pids", True, True, id="Raspberry Pi OS leaves it off"),
        pytest.param("cpuset cpu io memory pids", True, False, id="on"),
        pytest.param("cpuset cpu io pids", False, False, id="nobody limits anything"),
        pytest.param("", True, False, id="no control groups at all"),
    ],
)
def test_limits_of_memory_need_the_kernels_help(
    tmp_path: Path, controllers: str, is_installed: bool, is_told: bool
) -> None:
    write(tmp_path / "sys/fs/cgroup/cgroup.controllers", controllers)
    if is_installed:
        write(tmp_path / "etc/systemd/system/edgecls-camera.service", "")
    found = list(check_memory_limit(made_system(tmp_path)))
    assert [each.state for each in found] == (["note"] if is_told else [])
