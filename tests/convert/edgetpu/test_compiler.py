"""Compiling for the Edge TPU: with a stub, since the compiler is on no machine of ours."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from edgecls.console import Advance
from edgecls.contract.modelfile import ModelFile, load_model_file
from edgecls.errors import EngineError, InvalidValueError, ModelFileError
from edgecls_convert.edgetpu import check_edgetpu_choice, make_edgetpu_form
from edgecls_convert.edgetpu.compiler import compile_flatbuffer, find_compiler
from tests.convert.edgetpu import logs
from tests.convert.edgetpu.conftest import Stub
from tests.support.compiled_model import compiled
from tests.support.patience import patience
from tests.support.tiny_model import tiny_model_bytes, write_tiny_model


def quiet(_title: str, _total: int) -> AbstractContextManager[Advance]:
    """Shows nothing."""
    return nullcontext(lambda *_: None)


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    """A complete model file, `m.tflite`."""
    return write_tiny_model(tmp_path / "m.tflite")


@pytest.fixture
def compiled_file(tmp_path: Path, model: ModelFile) -> Path:
    """What a compiler makes of it: without card, labels and golden vectors."""
    path = tmp_path / "compiled.bin"
    path.write_bytes(compiled(model.flatbuffer, minimum_runtime=14))
    return path


def test_the_compiled_file_carries_labels_card_and_golden_vectors_again(
    tmp_path: Path, model: ModelFile, compiled_file: Path, stub_compiler: Stub
) -> None:
    stub_compiler(logs.SUCCESS, compiled_file)
    form = make_edgetpu_form(tmp_path / "m.tflite", quiet)
    found = load_model_file(tmp_path / "m_edgetpu.tflite")
    assert found.structure.operator_counts == {"edgetpu-custom-op": (1, 1)}
    assert found.card.labels == model.card.labels
    assert found.assumptions == ()
    assert found.golden is not None
    assert found.golden.outputs.tolist() == model.golden.outputs.tolist()  # type: ignore[union-attr]
    assert form.compilation is not None
    assert form.compilation.path == tmp_path / "m_edgetpu.tflite"
    assert form.compilation.differences == ()


def test_the_card_says_what_it_was_compiled_from_and_by_what(
    tmp_path: Path, model: ModelFile, compiled_file: Path, stub_compiler: Stub
) -> None:
    stub_compiler(logs.PARTIAL, compiled_file)
    make_edgetpu_form(tmp_path / "m.tflite", quiet)
    card = load_model_file(tmp_path / "m_edgetpu.tflite").card
    assert card.provenance["edgetpu"] == {
        "compiled_from": hashlib.sha256(model.flatbuffer).hexdigest(),
        "minimum_runtime": 14,
        "compiler": "16.0.384591198",
        "mapped": 2,
        "total": 3,
    }


def test_the_compiler_is_asked_for_the_operators_in_a_folder_of_its_own(
    tmp_path: Path, model: ModelFile, compiled_file: Path, stub_compiler: Stub
) -> None:
    calls = stub_compiler(logs.SUCCESS, compiled_file)
    make_edgetpu_form(tmp_path / "m.tflite", quiet)
    assert calls.read_text().split("\n") == ["-s", "-o", ".", "-t", "600", "model.tflite"]
    assert sorted(path.name for path in tmp_path.glob("*.tflite")) == [
        "m.tflite",
        "m_edgetpu.tflite",
    ]
    assert load_model_file(tmp_path / "m.tflite").flatbuffer == model.flatbuffer


@pytest.mark.usefixtures("model")
def test_what_the_compiler_did_otherwise_is_said(
    tmp_path: Path, compiled_file: Path, stub_compiler: Stub
) -> None:
    stub_compiler(logs.PARTIAL, compiled_file)
    lines = "\n".join(make_edgetpu_form(tmp_path / "m.tflite", quiet).to_lines())
    assert "Edge TPU (estimate): 3 of 3 operators mapped (100%)" in lines
    assert "compiled: 2 of 3 operators mapped" in lines
    assert "not as expected: SOFTMAX: the compiler maps 0 of 1" in lines
    assert "needs Edge TPU runtime 14 or later" in lines


@pytest.mark.usefixtures("model")
def test_a_compiler_that_maps_too_little_leaves_no_file(
    tmp_path: Path, compiled_file: Path, stub_compiler: Stub
) -> None:
    stub_compiler(logs.PARTIAL, compiled_file)
    with pytest.raises(ModelFileError, match="the compiler maps 2 of 3 operators"):
        make_edgetpu_form(tmp_path / "m.tflite", quiet, min_mapped=90)
    assert not (tmp_path / "m_edgetpu.tflite").exists()


@pytest.mark.parametrize(
    ("said", "status", "problem"),
    [
        pytest.param(logs.UNKNOWN_OPERATOR, 1, "does not know EXP in version 2", id="operator"),
        pytest.param(logs.NOT_QUANTIZED, 1, "not quantized", id="not quantized"),
        pytest.param(logs.INTERNAL, 1, "internal compiler error", id="internal"),
        pytest.param(logs.LARGE, 1, "activations are too large", id="too large"),
        pytest.param(logs.UNKNOWN_FAILURE, 0, "it said: Compilation failed!", id="no file"),
        pytest.param("", 3, "it said nothing", id="without a word"),
    ],
)
@pytest.mark.usefixtures("model")
def test_a_compiler_that_refuses_leaves_no_file_and_a_reason(
    said: str, status: int, problem: str, tmp_path: Path, stub_compiler: Stub
) -> None:
    stub_compiler(said, None, status)
    with pytest.raises(ModelFileError, match="edgetpu_compiler cannot compile the model") as wrong:
        make_edgetpu_form(tmp_path / "m.tflite", quiet)
    assert problem in wrong.value.problem
    assert not (tmp_path / "m_edgetpu.tflite").exists()


@pytest.mark.usefixtures("model")
def test_a_compiler_that_crashes_is_told(tmp_path: Path, stub_compiler: Stub) -> None:
    stub_compiler("", mode="crashes")
    with pytest.raises(EngineError, match=r"edgetpu_compiler crashed \(SIGSEGV\)"):
        make_edgetpu_form(tmp_path / "m.tflite", quiet)


def test_a_compiler_that_hangs_is_stopped_with_its_children(stub_compiler: Stub) -> None:
    calls = stub_compiler("", mode="hangs")
    compiler = find_compiler()
    assert compiler is not None
    limit_s = patience(3)  # long enough for the stub to start its child
    started = time.monotonic()
    with pytest.raises(EngineError, match=r"did not end within .* s and was stopped"):
        compile_flatbuffer(tiny_model_bytes(), compiler, quiet, limit_s=limit_s, grace_s=0)
    assert time.monotonic() - started < limit_s + patience(5)
    child = int(calls.with_name("arguments.child").read_text())
    end = time.monotonic() + patience(5)  # what was killed takes a moment to be gone
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(process: int) -> bool:
    """Whether a process lives; one that is dead and not yet waited for does not."""
    try:
        os.kill(process, 0)
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.usefixtures("no_compiler", "model")
def test_without_a_compiler_it_says_what_to_run_and_where(tmp_path: Path) -> None:
    form = make_edgetpu_form(tmp_path / "m.tflite", quiet)
    assert form.compilation is None
    lines = "\n".join(form.to_lines())
    assert "x86-64 Debian and Ubuntu only" in lines
    assert "    edgetpu_compiler -s -o . m.tflite" in lines
    assert f"edgecls convert {tmp_path}/m.tflite --edgetpu --compiled m_edgetpu.tflite" in lines
    assert form.to_json()["model"] is None
    assert form.to_json()["mapped"] == 3


@pytest.mark.usefixtures("no_compiler")
def test_what_was_compiled_elsewhere_gets_card_and_labels_again(
    tmp_path: Path, model: ModelFile, compiled_file: Path
) -> None:
    make_edgetpu_form(tmp_path / "m.tflite", quiet, compiled=compiled_file)
    found = load_model_file(tmp_path / "m_edgetpu.tflite")
    assert found.card.labels == model.card.labels
    assert "compiler" not in found.card.provenance["edgetpu"]


@pytest.mark.usefixtures("no_compiler")
def test_doing_so_twice_changes_nothing(
    tmp_path: Path, model: ModelFile, compiled_file: Path
) -> None:
    assert model.name == str(tmp_path / "m.tflite")
    for source in (compiled_file, tmp_path / "m_edgetpu.tflite"):
        make_edgetpu_form(tmp_path / "m.tflite", quiet, compiled=source)
        content = (tmp_path / "m_edgetpu.tflite").read_bytes()
    make_edgetpu_form(tmp_path / "m.tflite", quiet, compiled=compiled_file)
    assert (tmp_path / "m_edgetpu.tflite").read_bytes() == content


@pytest.mark.usefixtures("no_compiler", "model")
def test_what_was_compiled_from_another_model_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(compiled(tiny_model_bytes((9, 9))))
    with pytest.raises(ModelFileError, match="the compiled file goes from"):
        make_edgetpu_form(tmp_path / "m.tflite", quiet, compiled=other)
    assert not (tmp_path / "m_edgetpu.tflite").exists()


@pytest.mark.usefixtures("no_compiler")
def test_a_file_that_nothing_was_compiled_in_is_refused(tmp_path: Path, model: ModelFile) -> None:
    plain = tmp_path / "plain.bin"
    plain.write_bytes(model.flatbuffer)
    with pytest.raises(ModelFileError, match="put nothing on the Edge TPU"):
        make_edgetpu_form(tmp_path / "m.tflite", quiet, compiled=plain)


def test_a_compiled_model_is_not_compiled_again(tmp_path: Path) -> None:
    path = tmp_path / "birds.tflite"
    path.write_bytes(compiled(tiny_model_bytes()))
    with pytest.raises(ModelFileError, match="is compiled for the Edge TPU already"):
        make_edgetpu_form(path, quiet)


@pytest.mark.usefixtures("no_compiler")
def test_a_pair_of_others_goes_through(tmp_path: Path, data_folder: Path) -> None:
    name = "mobilenet_v1_0.25_128_quant"
    path = tmp_path / f"{name}.tflite"
    path.write_bytes((data_folder / f"coral/{name}.tflite").read_bytes())
    theirs = data_folder / f"coral/{name}_edgetpu.tflite"
    form = make_edgetpu_form(path, quiet, min_mapped=100, compiled=theirs)
    assert form.estimate.percent == 100.0
    found = load_model_file(tmp_path / f"{name}_edgetpu.tflite")
    assert found.card.labels == load_model_file(path).card.labels
    assert form.compilation is not None
    assert form.compilation.needs.minimum_runtime == 12


@pytest.mark.parametrize(
    ("form", "min_mapped", "is_chosen", "problem"),
    [
        pytest.param("int8", 101.0, True, "wanted 0 to 100", id="too much"),
        pytest.param("int8", float("nan"), True, "wanted 0 to 100", id="no number"),
        pytest.param("int8", 50.0, False, "--min-mapped is of the Edge TPU", id="alone"),
        pytest.param("float16", 0.0, True, "does not run the form 'float16'", id="floats"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    form: str, min_mapped: float, is_chosen: bool, problem: str
) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        check_edgetpu_choice(form, min_mapped, is_chosen=is_chosen)
