"""What the commands print for people."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgecls import __version__
from edgecls.cli.main import ELSEWHERE, make_app
from edgecls.contract.modelfile import load_model_file, write_model_file

Cli = Callable[..., Any]
COMMANDS = ("train", "convert", "camera", "classify", "evaluate", "inspect", "verify", "doctor")


def test_the_version(cli: Cli) -> None:
    assert cli("--version").stdout == f"edgecls {__version__}\n"


def test_help_shows_the_three_commands_that_matter_and_lists_all(cli: Cli) -> None:
    text = cli("--help").stdout
    for line in ("edgecls train", "edgecls convert --int8", "edgecls camera --model model.tflite"):
        assert f"  {line}\n" in text
    listed = re.findall(r"^  (\w+)  ", text.split("Commands:")[1], re.MULTILINE)
    assert listed[:3] == ["train", "convert", "camera"]
    assert set(COMMANDS) | set(ELSEWHERE) <= set(listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example(name: str, cli: Cli) -> None:
    result = cli(name, "--help")
    if name in ELSEWHERE and "not installed here" in result.stderr:
        pytest.skip(f"{ELSEWHERE[name]} is not installed")
    assert result.exit_code == 0
    assert re.search(rf"^ +edgecls {name}\b", result.stdout, re.MULTILINE)


def test_every_command_takes_json_or_is_for_the_workstation() -> None:
    app, runner = make_app(), CliRunner()
    names = [command.name or "" for command in app.registered_commands]
    boards = [name for name in names if name not in ELSEWHERE]
    assert all("--json" in runner.invoke(app, [name, "--help"]).stdout for name in boards)
    assert set(COMMANDS) - set(ELSEWHERE) <= set(boards)


def test_without_arguments_help_is_shown(cli: Cli) -> None:
    result = cli()
    assert "Usage:" in result.stdout + result.stderr


def test_classify(cli: Cli, model: Path, pictures: Path) -> None:
    result = cli("classify", "--model", model, "--top-k", 1, pictures)
    first, second = result.stdout.splitlines()
    assert re.fullmatch(rf"{pictures}/level 2\.png: level 2 9\d\.\d%", first)
    assert re.fullmatch(rf"{pictures}/level 7\.png: level 7 9\d\.\d%", second)


def test_classify_goes_on_after_a_picture_it_cannot_read(
    cli: Cli, model: Path, pictures: Path
) -> None:
    (pictures / "broken.jpg").write_bytes(b"")
    result = cli("classify", "--model", model, pictures, pictures / "absent.jpg")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert "broken.jpg" in result.stderr
    assert f"there is no file '{pictures}/absent.jpg'" in result.stderr
    assert "2 of 4 files could not be classified" in result.stderr


def test_a_file_name_cannot_write_to_the_terminal(cli: Cli, model: Path, pictures: Path) -> None:
    (pictures / "level 2.png").rename(pictures / "\x1b[2J\n.png")
    result = cli("classify", "--model", model, pictures)
    assert r"\x1b[2J\n.png: level 2" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_model_without_card_and_labels_shows_class_numbers_and_says_so(
    cli: Cli, stranger: Path, pictures: Path
) -> None:
    result = cli("classify", "--model", stranger, "--top-k", 1, pictures)
    assert [line.split(": ")[1].split(" 9")[0] for line in result.stdout.splitlines()] == [
        "class 2",
        "class 7",
    ]
    assert result.stderr.splitlines() == [
        f"{stranger} carries no card; assumed:",
        "  labels: none found, so class numbers are shown (see --labels)",
        "  picture: GRAY, centre crop of 0.875, 28x28",
    ]


def test_a_label_file_names_the_classes_of_a_model_without_a_card(
    cli: Cli, stranger: Path, pictures: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{index}  shade {index}\n" for index in range(10)))
    result = cli("classify", "--model", stranger, "--labels", labels, "--top-k", 1, pictures)
    assert ": shade 2 " in result.stdout
    assert "labels: as given" in result.stderr


def test_evaluate(cli: Cli, model: Path, pictures: Path) -> None:
    for name in ("level 2", "level 7"):
        (pictures / name).mkdir()
        (pictures / f"{name}.png").rename(pictures / name / "a.png")
    result = cli("evaluate", "--model", model, pictures)
    assert result.stderr == "evaluate: 2/2\n"
    # Two right of two: Wilson's interval at 95% goes from 2 / (2 + 1.96^2) up to 1.
    assert result.stdout.splitlines()[:4] == [
        "pictures  2 (0 unreadable)",
        "top-1     100.0% (95% interval 34.2% to 100.0%)",
        "top-5     100.0%",
        "macro F1  1.000",
    ]


def test_camera(cli: Cli, model: Path) -> None:
    result = cli("camera", "--model", model, "--source", "fake:colors?fps=0&frames=20")
    assert result.exit_code == 0
    assert re.match(r"\d\d:\d\d:\d\d  level 0 \(100%\)\n", result.stdout)
    assert "20 frames classified in" in result.stdout


def test_camera_that_sees_nothing_says_so(cli: Cli, model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    result = cli("camera", "--model", model, "--source", tmp_path / "a.jpg")
    assert result.exit_code == 0
    assert "0 frames classified" in result.stdout
    assert result.stderr == "warning: no frame was classified\n"


def test_golden_vectors_that_this_machine_reproduces(cli: Cli, model: Path) -> None:
    result = cli("verify", model)
    assert result.exit_code == 0
    assert result.stdout.startswith("4 golden vectors reproduced on litert")
    assert "4 frames decoded and prepared to the same bytes" in result.stdout


@pytest.fixture
def liar(model: Path, tmp_path: Path) -> Path:
    """A model whose golden vectors stand in the wrong order."""
    honest = load_model_file(model)
    assert honest.golden is not None
    path = tmp_path / "liar.tflite"
    golden = dataclasses.replace(honest.golden, outputs=honest.golden.outputs[::-1])
    write_model_file(path, honest.flatbuffer, honest.card, golden)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("verify",), id="verify"),
        pytest.param(("camera", "--source", "fake:colors?fps=0", "--model"), id="camera, first"),
    ],
)
def test_golden_vectors_that_it_does_not(cli: Cli, liar: Path, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments, liar)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "error: the engine computes otherwise: golden vector 0 comes out 255" in result.stderr
    assert "hint: this engine computes something else" in result.stderr


def test_camera_can_leave_the_golden_vectors_out(cli: Cli, liar: Path) -> None:
    source = "fake:colors?fps=0"
    assert cli("camera", "--model", liar, "--source", source, "--no-verify").exit_code == 0


def test_inspect(cli: Cli, model: Path) -> None:
    lines = cli("inspect", model).stdout.splitlines()
    assert lines[0].startswith(f"{model}: ")
    assert "input       uint8 1x28x28x1, scale 1, zero point 0" in lines
    assert "cost        0.01 M MACs, 7850 parameters" in lines
    assert "picture     GRAY 28x28, crop stretch 1" in lines
    assert "golden      4 vectors, 4 with their frame" in lines


def test_doctor_names_the_engine_and_the_packages(cli: Cli) -> None:
    text = cli("doctor").stdout
    assert re.search(r"^engine +(litert|tflite_runtime)$", text, re.MULTILINE)
    assert re.search(rf"^edgecls +{re.escape(__version__)}$", text, re.MULTILINE)
