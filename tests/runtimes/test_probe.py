"""A model is tried in a child process first: whatever it does there, it does not do here."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgecls.contract.modelfile import ModelFile, load_model_file, parse_model_file
from edgecls.errors import EdgeclsError, EngineError
from edgecls.runtimes import installed_runtimes
from edgecls.runtimes.probe import Verdict, probe
from edgecls.runtimes.worker import Job, Worker, WorkerFailedError
from tests.support.compiled_model import compiled_bytes
from tests.support.patience import patience
from tests.support.stand_in import StandIn
from tests.support.tiny_model import TinyModel, tiny_model_bytes, with_custom_operator

pytestmark = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")


def tiny(**more: str) -> ModelFile:
    """A sound model."""
    return parse_model_file(tiny_model_bytes((6, 6), "GRAY", 4, **more), "tiny.tflite")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_a_sound_model_passes(dtype: str) -> None:
    verdict = probe(tiny(dtype=dtype))
    assert verdict.is_sound
    assert verdict.engine == installed_runtimes()[0]
    verdict.check()


def test_an_operator_that_the_engine_does_not_know_is_told() -> None:
    content = with_custom_operator(TinyModel((4, 4), classes=3), "some-npu")
    verdict = probe(parse_model_file(content, "npu.tflite"))
    assert "cannot run 'npu.tflite'" in verdict.problem
    assert "some-npu" in verdict.problem
    with pytest.raises(EngineError, match="some-npu"):
        verdict.check()


@pytest.mark.fault(130)
def test_a_word_in_a_message_is_no_lack_of_memory() -> None:
    content = with_custom_operator(TinyModel((4, 4), classes=3), "malloc-npu")
    verdict = probe(parse_model_file(content, "npu.tflite"))
    assert "cannot run 'npu.tflite'" in verdict.problem
    assert "malloc-npu" in verdict.problem


def test_an_engine_that_is_not_there_is_told() -> None:
    if "tflite_runtime" in installed_runtimes():
        pytest.skip("tflite-runtime is installed here")
    assert "No module named 'tflite_runtime'" in probe(tiny(), "tflite_runtime").problem


def test_a_model_that_needs_too_much_memory_is_told() -> None:
    verdict = probe(tiny(), memory_bytes=64 << 20)
    assert not verdict.is_sound


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        pytest.param("crashes", "SIGSEGV", id="a crash"),
        pytest.param("hangs", "hang", id="a hang"),
        pytest.param("lost", "RuntimeError", id="an error"),
    ],
)
@pytest.mark.fault(90)
def test_the_end_of_a_run_has_a_kind(
    mode: str, kind: str, stand_in: StandIn, stand_in_library: Path
) -> None:
    stand_in(mode)
    job = Job(installed_runtimes()[0], library=str(stand_in_library), run_limit_s=2.0)
    worker = Worker(job, parse_model_file(compiled_bytes(TinyModel((4, 4))), "tiny"))
    started = time.monotonic()
    with pytest.raises(WorkerFailedError) as failed:
        worker.run()
    assert (failed.value.step, failed.value.kind) == ("run", kind)
    assert time.monotonic() - started < 2.0 + patience(5)
    worker.close()


def test_every_model_that_harmed_an_engine_leaves_this_process_alive(data_folder: Path) -> None:
    for mutant in sorted((data_folder / "bad-models").glob("*.tflite"))[:10]:
        try:
            model = load_model_file(mutant)
        except EdgeclsError:
            continue  # the first gate has refused it
        assert isinstance(probe(model), Verdict)
