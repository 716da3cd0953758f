"""The Edge TPU on the command line, with a stand-in for its library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgecls.runtimes import installed_runtimes
from edgecls.runtimes.coral import LIBRARY_VARIABLE
from tests.cli.conftest import Cli
from tests.support.compiled_model import compiled
from tests.support.stand_in import StandIn
from tests.support.tiny_model import tiny_model_bytes

pytestmark = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")


@pytest.fixture
def compiled_model(tmp_path: Path) -> Path:
    """Ten classes, darkest first, compiled; beside it the model it was compiled from."""
    (tmp_path / "m.tflite").write_bytes(tiny_model_bytes())
    path = tmp_path / "m_edgetpu.tflite"
    path.write_bytes(compiled(tiny_model_bytes()))
    return path


def labels_of(lines: str) -> list[str]:
    """The best label of each JSON line."""
    return [json.loads(line)["predictions"][0]["label"] for line in lines.splitlines()]


def test_pictures_are_classified_on_the_edge_tpu(
    cli: Cli, stand_in: StandIn, compiled_model: Path, pictures: Path, tmp_path: Path
) -> None:
    stand_in(log=tmp_path / "options")
    choice = ["--device", "usb:0", "--performance", "max"]
    result = cli("classify", "--model", compiled_model, "--json", *choice, pictures)
    assert result.exit_code == 0
    assert labels_of(result.stdout) == ["class 2", "class 7"]
    assert "device=usb:0" in (tmp_path / "options").read_text()


def test_a_camera_runs_on_the_edge_tpu(
    cli: Cli, stand_in: StandIn, compiled_model: Path, tmp_path: Path
) -> None:
    stand_in(log=tmp_path / "options")
    source = ["--source", "fake:colors", "--max-frames", "5", "--json"]
    result = cli("camera", "--model", compiled_model, *source, "--device", "pci")
    assert result.exit_code == 0
    assert "device=pci:0" in (tmp_path / "options").read_text()


@pytest.mark.parametrize("on_loss", ["restart", "cpu"])
def test_a_camera_goes_on_when_the_edge_tpu_is_lost(
    on_loss: str, cli: Cli, stand_in: StandIn, compiled_model: Path, tmp_path: Path
) -> None:
    stand_in("lost", after=2, once=tmp_path / "happened")
    source = ["--source", "fake:digits?fps=20", "--max-frames", "6", "--json"]
    result = cli("camera", "--model", compiled_model, *source, "--on-loss", on_loss)
    assert result.exit_code == 0
    assert (tmp_path / "happened").exists()
    assert json.loads(result.stdout.splitlines()[-1])["classified"] == 6


def test_a_lost_edge_tpu_is_an_error_where_the_user_says_so(
    cli: Cli, stand_in: StandIn, compiled_model: Path, pictures: Path
) -> None:
    stand_in("lost")
    result = cli("classify", "--model", compiled_model, "--on-loss", "stop", pictures)
    assert result.exit_code == 1


def test_without_the_library_it_says_what_to_do(
    cli: Cli, compiled_model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, "/nowhere/libedgetpu.so.1")
    result = cli("classify", "--model", compiled_model, pictures)
    assert result.exit_code == 1
    error, hint = result.stderr.strip().splitlines()[-2:]
    assert "is compiled for the Edge TPU: the library of the Edge TPU" in error
    assert "use the .tflite file that the model was compiled from" in hint


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param(["--device", "usb:0"], id="device"),
        pytest.param(["--performance", "Low"], id="performance"),
    ],
)
def test_an_edge_tpu_for_a_model_of_the_cpu_is_refused(
    choice: list[str], cli: Cli, model: Path, pictures: Path
) -> None:
    result = cli("classify", "--model", model, *choice, pictures)
    assert result.exit_code == 1
    assert "an Edge TPU was chosen, but" in result.stderr


def test_inspect_says_what_an_edge_tpu_would_compute(cli: Cli, model: Path) -> None:
    result = cli("inspect", model, "--edgetpu")
    assert "Edge TPU (estimate): 3 of 3 operators mapped (100%)" in result.stdout


def test_inspect_names_the_rule_in_json(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "float.tflite").write_bytes(tiny_model_bytes(dtype="float32"))
    found = json.loads(cli("inspect", tmp_path / "float.tflite", "--edgetpu", "--json").stdout)
    assert found["edgetpu"]["mapped"] == 0
    assert {entry["rule"] for entry in found["edgetpu"]["on_cpu"]} == {
        "activations must be uint8 or int8"
    }


def test_inspect_says_what_a_compiled_model_needs(cli: Cli, compiled_model: Path) -> None:
    result = cli("inspect", compiled_model, "--edgetpu")
    assert "compiled for the Edge TPU: runtime 13 or later" in result.stdout


def test_doctor_names_the_library(cli: Cli, stand_in: StandIn, stand_in_library: Path) -> None:
    stand_in()
    assert f"libedgetpu  runtime 14, {stand_in_library}" in cli("doctor").stdout


def test_doctor_says_that_a_model_needs_a_newer_library(
    cli: Cli, stand_in: StandIn, compiled_model: Path
) -> None:
    stand_in(runtime=12)
    found = json.loads(cli("doctor", "--model", compiled_model, "--json").stdout)
    assert found["coral"]["library"]["runtime"] == 12
    (problem,) = found["coral"]["problems"]
    assert "needs Edge TPU runtime 13, the library is 12" in problem


def test_doctor_survives_a_library_that_is_none(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken.so").write_bytes(b"\x7fELF")
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "broken.so"))
    result = cli("doctor")
    assert result.exit_code == 0
    assert "libedgetpu  not usable" in result.stdout
    assert "cannot be loaded" in result.stdout
