"""`--profile`: the board's defaults, which the user's own words replace."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgecls.cli.profiles import find_defaults
from edgecls.profile import board
from edgecls.runtimes import installed_runtimes
from edgecls.runtimes.accelerator import Accelerator
from tests.cli.conftest import Cli
from tests.support.compiled_model import compiled
from tests.support.made_board import MadeBoard
from tests.support.tiny_model import tiny_model_bytes

pytestmark = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")

TWO = min(2, os.cpu_count() or 1)  # never more threads than cores
FEW = ("--source", "fake:colors?fps=0&frames=3", "--json")


@pytest.fixture
def pi4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeBoard:
    """A Pi 4, which this machine is taken for."""
    made = MadeBoard(tmp_path / "root")
    made.device_tree("Raspberry Pi 4 Model B Rev 1.4")
    monkeypatch.setattr(board, "ROOT", made.root)
    return made


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A profile that every model is large for, and none sensible."""
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "Toy"\n[threads]\nlarge = 2\n[camera]\nsource = "fake:colors?frames=2"\n'
        'size = "320x240"\npixel_format = "MJPG"\n'
        '[model]\nlarge_mb = 0\nmost_mb = 0.001\nmost_input = "2x2"\n'
    )
    return path


@pytest.mark.usefixtures("pi4")
def test_the_detected_profile_is_said_once(cli: Cli, model: Path) -> None:
    result = cli("camera", "--model", model, *FEW)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("profile raspberry-pi-4b (detected)") == 1


def test_on_a_pc_there_is_nothing_to_say(cli: Cli, model: Path) -> None:
    assert cli("camera", "--model", model, *FEW).stderr == ""


@pytest.mark.usefixtures("pi4")
def test_a_chosen_profile_needs_no_announcement(cli: Cli, model: Path) -> None:
    result = cli("camera", "--model", model, "--profile", "raspberry-pi-5", *FEW)
    assert (result.exit_code, result.stderr) == (0, "")


def test_the_profile_says_which_source(cli: Cli, model: Path, own: Path) -> None:
    result = cli("camera", "--model", model, "--profile", own, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["classified"] == 2


def test_the_users_source_counts_more(cli: Cli, model: Path, own: Path) -> None:
    result = cli("camera", "--model", model, "--profile", own, *FEW)
    assert json.loads(result.stdout.splitlines()[-1])["frames"] == 3


def test_a_model_that_makes_no_sense_there_is_warned_about(
    cli: Cli, model: Path, own: Path
) -> None:
    result = cli("camera", "--model", model, "--profile", own, *FEW)
    assert "warning: " in result.stderr
    assert "are more than makes sense on a Toy (0.001 MB): try a smaller network" in result.stderr
    assert "are larger than makes sense on a Toy (2x2)" in result.stderr


def test_a_wrong_profile_is_an_error_with_its_line(cli: Cli, model: Path, own: Path) -> None:
    own.write_text('name = "Toy"\nthreds = 2\n')
    result = cli("camera", "--model", model, "--profile", own, *FEW)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"error: {own}, line 2: unknown key 'threds'" in result.stderr


class TestDefaults:
    def test_threads_of_a_large_model(self, model: Path, own: Path) -> None:
        defaults = find_defaults(str(own), model)
        assert defaults.fill(OPEN)["threads"] == TWO
        assert defaults.fill({**OPEN, "threads": 7})["threads"] == 7

    def test_a_cameras_size_and_format(self, model: Path, own: Path) -> None:
        filled = find_defaults(str(own), model, "/dev/video0").fill(
            {**OPEN, "source": "/dev/video0"}
        )
        assert (filled["size"], filled["pixel_format"]) == ("320x240", "MJPG")

    def test_the_users_size_counts_more(self, model: Path, own: Path) -> None:
        given = {**OPEN, "source": "0", "size": "640x480", "pixel_format": "YUYV"}
        filled = find_defaults(str(own), model, "0").fill(given)
        assert (filled["size"], filled["pixel_format"]) == ("640x480", "YUYV")

    @pytest.mark.parametrize("source", ["picamera:0", "rtsp://camera/stream", "fake:digits"])
    def test_sources_that_choose_their_own_size_keep_it(
        self, source: str, model: Path, own: Path
    ) -> None:
        assert find_defaults(str(own), model, source).size is None

    @pytest.mark.parametrize(
        ("name", "source"),
        [
            pytest.param("unicam-image", "picamera:0", id="a ribbon camera"),
            pytest.param("webcam", "0", id="a webcam"),
        ],
    )
    def test_the_source_of_a_pi_is_what_is_attached(
        self, pi4: MadeBoard, model: Path, name: str, source: str
    ) -> None:
        pi4.video(0, name)
        assert find_defaults(None, model).source == source


OPEN = {"source": None, "threads": None, "size": None, "pixel_format": None}


class TestEdgeTpu:
    def test_a_compiled_model_goes_to_the_profiles(self, pi4: MadeBoard, tmp_path: Path) -> None:
        pi4.usb("2-1", "18d1", "9302", speed="5000")
        path = tmp_path / "model_edgetpu.tflite"
        path.write_bytes(compiled(tiny_model_bytes()))
        defaults = find_defaults(None, path)
        assert str(defaults.profile) == "raspberry-pi-4b with coral-usb"
        assert defaults.edge_tpu("auto") == Accelerator("usb:0", "High")
        assert defaults.edge_tpu("litert") is None

    def test_one_that_is_not_compiled_runs_on_the_cpu_and_that_is_said(
        self, pi4: MadeBoard, cli: Cli, model: Path
    ) -> None:
        pi4.usb("2-1", "1a6e", "089a", speed="5000")
        result = cli("camera", "--model", model, *FEW)
        assert result.exit_code == 0, result.stderr
        assert "is not compiled for the Edge TPU and runs on the CPU" in result.stderr

    def test_a_model_that_is_not_there_is_told_by_who_opens_it(
        self, pi4: MadeBoard, cli: Cli, tmp_path: Path
    ) -> None:
        pi4.usb("2-1", "1a6e", "089a", speed="5000")
        result = cli("camera", "--model", tmp_path / "none.tflite", *FEW)
        assert result.exit_code == 1
        assert "error: there is no file" in result.stderr


class TestBench:
    def test_it_measures_the_profiles_threads(self, cli: Cli, model: Path, own: Path) -> None:
        result = cli("bench", "--model", model, "--profile", own, "--seconds", 0.1, "--json")
        assert result.exit_code == 0, result.stderr
        (line,) = map(json.loads, result.stdout.splitlines())
        assert (line["threads"], line["profile"]) == (TWO, str(own))

    @pytest.mark.usefixtures("pi4")
    def test_it_says_which_profile(self, cli: Cli, model: Path) -> None:
        result = cli("bench", "--model", model, "--seconds", 0.1)
        assert "profile   raspberry-pi-4b" in result.stdout
