"""`edgecls convert --edgetpu`, from a run and from a model file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgecls.cli.main import make_app
from edgecls.console import progress
from edgecls.contract.run import RunFolder
from edgecls.errors import ModelFileError
from edgecls_convert.convert import convert_run
from tests.convert.conftest import TOLERANT
from tests.convert.edgetpu import logs
from tests.convert.edgetpu.conftest import Stub
from tests.support.compiled_model import compiled
from tests.support.tiny_model import tiny_model_bytes, write_tiny_model


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command."""
    result = CliRunner().invoke(make_app(), ["convert", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("no_compiler")
def test_a_run_is_converted_with_an_estimate(digits_run: RunFolder, tmp_path: Path) -> None:
    settings = dataclasses.replace(TOLERANT, is_for_edgetpu=True, min_mapped=100)
    conversion = convert_run(digits_run, tmp_path / "m.tflite", settings, progress)
    found = conversion.to_json()["edgetpu"]
    assert found["percent"] == 100.0
    assert found["total"] == len(conversion.model.structure.operators)
    assert found["model"] is None


def test_without_the_flag_nothing_is_said_of_it(conversion: object) -> None:
    assert "edgetpu" not in conversion.to_json()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("no_compiler")
def test_too_few_mapped_operators_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(tiny_model_bytes(dtype="float32"))
    code, _, error = run(path, "--edgetpu", "--min-mapped", 50)
    assert code == 1
    assert "0 of 3 operators (0.0%) would run on the Edge TPU, wanted at least 50%" in error
    assert "activations must be uint8 or int8" in error
    assert sorted(tmp_path.glob("*.tflite")) == [path]


def test_a_model_file_is_compiled(tmp_path: Path, stub_compiler: Stub) -> None:
    model = write_tiny_model(tmp_path / "m.tflite")
    (tmp_path / "made").write_bytes(compiled(model.flatbuffer))
    stub_compiler(logs.SUCCESS, tmp_path / "made")
    code, out, _ = run(tmp_path / "m.tflite", "--edgetpu", "--json")
    assert code == 0
    found = json.loads(out)["edgetpu"]
    assert found["model"] == str(tmp_path / "m_edgetpu.tflite")
    assert found["compiled"]["mapped"] == 3
    assert found["minimum_runtime"] == 13


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_it_says_how_and_that_is_no_error(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "m.tflite")
    code, out, _ = run(tmp_path / "m.tflite", "--edgetpu")
    assert code == 0
    assert "edgetpu_compiler -s -o . m.tflite" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--min-mapped", "50"], 1, "add --edgetpu", id="a share alone"),
        pytest.param(
            ["--edgetpu", "--form", "float16"], 1, "use --int8 with --edgetpu", id="floats"
        ),
        pytest.param(["--compiled", "x"], 2, "goes with --edgetpu", id="a compiled file alone"),
    ],
)
def test_flags_that_make_no_sense_together_are_refused(
    arguments: list[str], code: int, words: str
) -> None:
    found, _, error = run("runs/train/1", *arguments)
    assert found == code
    assert words in error


@pytest.mark.usefixtures("no_compiler")
def test_the_gate_comes_before_anything_is_written(digits_run: RunFolder, tmp_path: Path) -> None:
    output = tmp_path / "m.tflite"
    settings = dataclasses.replace(TOLERANT, is_for_edgetpu=True)
    object.__setattr__(settings, "min_mapped", 100.1)  # more than any model can have
    with pytest.raises(ModelFileError, match="would run on the Edge TPU"):
        convert_run(digits_run, output, settings, progress)
    assert not output.exists()
