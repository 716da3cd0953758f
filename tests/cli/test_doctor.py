"""`edgecls doctor` on boards made of files, and on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgecls.profile import board
from edgecls.runtimes import coral, installed_runtimes
from edgecls.runtimes.coral import LIBRARY_VARIABLE
from tests.cli.conftest import Cli
from tests.support.made_board import MadeBoard

pytestmark = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeBoard:
    """A Pi 4 with a webcam, which this machine is taken for."""
    made = MadeBoard(tmp_path / "root")
    made.device_tree("Raspberry Pi 4 Model B Rev 1.4")
    made.memory(total_kb=3_884_296, available_kb=3_300_000)
    made.cores(4)
    made.video(0, "HD Pro Webcam C920")
    made.release("bookworm", 12)
    monkeypatch.setattr(board, "ROOT", made.root)
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    return made


def findings(cli: Cli, *arguments: object) -> tuple[int, dict[str, list[Mapping[str, Any]]]]:
    """Exit code, and what was found, by what was looked at."""
    result = cli("doctor", "--json", *arguments)
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in json.loads(result.stdout)["findings"]:
        found.setdefault(each["check"], []).append(each)
    return result.exit_code, found


@pytest.mark.usefixtures("made")
def test_a_board_that_is_well(cli: Cli) -> None:
    result = cli("doctor")
    assert result.exit_code == 0, result.stdout
    lines = result.stdout.splitlines()
    assert lines[0] == "board       Raspberry Pi 4 Model B Rev 1.4"
    assert lines[1] == "profile     raspberry-pi-4b (detected)"
    assert "camera      /dev/video0  HD Pro Webcam C920" in lines
    assert lines[-1] == "the camera loop can run here"


@pytest.mark.usefixtures("made")
def test_every_field_that_scripts_read(cli: Cli) -> None:
    found = json.loads(cli("doctor", "--json").stdout)
    assert found["profile"]["name"] == "raspberry-pi-4b"
    assert found["profile"]["threads"] == {"small": 1, "large": 3}
    assert found["memory_mb"] == 3793
    assert found["cores"] == 4
    assert found["engine"] in ("litert", "tflite_runtime")
    assert found["coral"] == {"devices": [], "library": None, "problems": []}
    assert found["cameras"] == [
        {"device": "/dev/video0", "name": "HD Pro Webcam C920", "usable": True}
    ]
    assert set(found["findings"][0]) == {"check", "state", "text", "cure"}


def test_what_stops_the_loop_is_exit_code_1(cli: Cli, made: MadeBoard) -> None:
    made.program(812, "motion", "/dev/video0")
    result = cli("doctor")
    assert result.exit_code == 1
    assert "STOPS    camera: /dev/video0 (HD Pro Webcam C920): in use by motion (812)" in (
        result.stdout
    )
    assert "         cure: end that program" in result.stdout
    assert "the camera loop cannot run here yet: 1 of the above stop it" in result.stdout


def test_a_network_camera_needs_no_other(cli: Cli, made: MadeBoard) -> None:
    made.program(812, "motion", "/dev/video0")
    status, found = findings(cli, "--source", "rtsp://camera.local/stream")
    assert status == 0
    assert found["camera"][0]["state"] == "warning"


def test_a_camera_with_escapes_in_its_name_is_shown_harmlessly(cli: Cli, made: MadeBoard) -> None:
    made.video(0, "web\x1b[31mcam")
    assert "\x1b" not in cli("doctor").stdout


@pytest.mark.usefixtures("made")
def test_another_profile_can_be_chosen(cli: Cli) -> None:
    assert (
        "profile     raspberry-pi-5 (chosen)" in cli("doctor", "--profile", "raspberry-pi-5").stdout
    )


@pytest.mark.usefixtures("made")
def test_an_unknown_profile_is_an_error(cli: Cli) -> None:
    result = cli("doctor", "--profile", "raspberry-pi-6")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no profile 'raspberry-pi-6'" in result.stderr


@pytest.mark.usefixtures("made")
def test_a_model_that_is_too_much_for_the_board_is_doubted(
    cli: Cli, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text('name = "Toy"\n[model]\nmost_mb = 0.001\n')
    result = cli("doctor", "--model", model, "--profile", tmp_path / "tiny.toml")
    assert "are more than makes sense on a Toy" in result.stdout


def test_a_stick_without_its_library_is_a_warning(cli: Cli, made: MadeBoard) -> None:
    made.usb("2-1", "18d1", "9302", speed="5000")
    status, found = findings(cli)
    assert status == 0
    assert found["edge-tpu"][-1]["text"] == "there is an Edge TPU and no library for it"


@pytest.mark.usefixtures("made")
def test_without_the_library_no_process_is_started_for_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a child process was started, which a busy machine makes slow")

    monkeypatch.setattr(coral, "Worker", refuse)
    result = cli("doctor")
    assert result.exit_code == 0
    assert "libedgetpu  not installed" in result.stdout


def test_it_works_where_numpy_and_opencv_do_not(tmp_path: Path) -> None:
    # A folder in front of the packages, in which both are broken.
    for name in ("numpy", "cv2"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is broken')\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import edgecls.cli.main as m; m.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 1, done.stderr
    assert "STOPS    opencv: OpenCV cannot be loaded: ImportError: " in done.stdout
    assert "libedgetpu  not installed" in done.stdout
