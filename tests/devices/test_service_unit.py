"""The service of a board: what its unit promises, and how little it may do."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from edgecls.cli.main import make_app

COMMON: Final = Path(__file__).parents[2] / "devices/common"
UNIT: Final = COMMON / "edgecls-camera.service"
SETTINGS: Final = COMMON / "camera.env"
SUDOERS: Final = COMMON / "edgecls-camera.sudoers"


def read_unit() -> dict[str, list[str]]:
    """Each key with all of its values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def analyze(*words: str) -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    done = subprocess.run(
        [program, *words, "--no-pager", str(UNIT)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


class TestSystemd:
    def test_it_is_exposed_to_little(self) -> None:
        said = analyze("security", "--offline=true")
        exposure = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", said)
        assert exposure is not None, said
        assert float(exposure[1]) <= 2.0

    def test_every_line_is_understood_by_bookworm_too(self) -> None:
        complaints = [line for line in analyze("verify").splitlines() if "ignoring" in line]
        assert complaints == []


class TestUnit:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            pytest.param("Type", "notify", id="it says when it is ready"),
            pytest.param("NotifyAccess", "main", id="and no child of it does"),
            pytest.param(
                "ConditionPathExists", "/var/lib/edgecls/model.tflite", id="no model, no service"
            ),
            pytest.param("Restart", "always", id="it is started again"),
            pytest.param("StartLimitIntervalSec", "0", id="for ever"),
            pytest.param("RestartPreventExitStatus", "2", id="but for a wrong option"),
            pytest.param("RuntimeDirectoryPreserve", "restart", id="its starts are counted"),
            pytest.param("StateDirectoryMode", "2750", id="its group reads what it wrote"),
            pytest.param("KillMode", "mixed", id="it ends its children itself"),
            pytest.param("LoadCredential", "mqtt-password:/etc/edgecls/mqtt-password", id="secret"),
            pytest.param("EnvironmentFile", "-/etc/edgecls/camera.env", id="settings"),
        ],
    )
    def test_it_is_a_service_that_stays(self, key: str, value: str) -> None:
        assert read_unit()[key] == [value]

    def test_it_reaches_cameras_and_accelerators(self) -> None:
        unit = read_unit()
        assert unit["DeviceAllow"] == [
            f"char-{kind} rw" for kind in ("video4linux", "media", "dma_heap", "usb_device", "apex")
        ]
        assert set(unit["SupplementaryGroups"][0].split()) == {"video", "plugdev"}
        assert "PrivateDevices" not in unit

    def test_it_reaches_the_network_and_its_own_processes(self) -> None:
        families = read_unit()["RestrictAddressFamilies"][0].split()
        assert families == ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"]

    def test_it_sees_what_processor_and_board_it_runs_on(self) -> None:
        assert "ProcSubset" not in read_unit()

    def test_its_memory_is_a_share_of_the_boards(self) -> None:
        unit = read_unit()
        # 75% of the 427 MiB that Linux has on a Pi Zero 2 W is 320; Python, OpenCV and LiteRT with
        # EfficientNet-Lite0 take 100 MB (docs/pi-figures.md), and as much again in child processes.
        assert unit["MemoryMax"] == ["75%"]
        assert 427 * 0.75 > 2 * 100


class TestSettings:
    def read(self) -> list[str]:
        """Every line that is an assignment, those that are commented out among them."""
        return re.findall(r"^#?(EDGECLS_\w+=.*)$", SETTINGS.read_text(), re.MULTILINE)

    def test_the_unit_takes_the_options_from_there(self) -> None:
        command = read_unit()["ExecStart"][0].split()
        assert command[1:] == [
            *("camera", "--model", "/var/lib/edgecls/model.tflite", "$EDGECLS_OPTIONS")
        ]

    def test_every_example_has_options_that_the_command_knows(self) -> None:
        help_text = CliRunner().invoke(make_app("camera"), ["camera", "--help"]).stdout
        examples = [line for line in self.read() if line.startswith("EDGECLS_OPTIONS=")]
        assert examples[0] == 'EDGECLS_OPTIONS=""'
        assert len(examples) == 3
        for example in examples[1:]:
            (words,) = shlex.split(example.partition("=")[2])
            options = [word for word in words.split() if word.startswith("--")]
            assert options
            assert [option for option in options if option not in help_text] == []


def test_members_of_the_group_may_start_and_stop_this_service_and_nothing_else() -> None:
    rule = SUDOERS.read_text().splitlines()[-1]
    who, _, commands = rule.partition(" NOPASSWD: ")
    assert who == "%edgecls ALL=(root)"
    assert commands.split(", ") == [
        f"/usr/bin/systemctl {verb} edgecls-camera.service" for verb in ("start", "stop", "restart")
    ]


def test_sudo_understands_the_rule() -> None:
    visudo = shutil.which("visudo", path="/usr/sbin:/sbin:/usr/bin")
    if visudo is None:
        pytest.skip("visudo is not installed: apt-get install sudo")
    done = subprocess.run(
        [visudo, "-cf", str(SUDOERS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
