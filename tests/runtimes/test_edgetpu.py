"""The Edge TPU's engine, with a stand-in for its library: what goes wrong is told, and bounded."""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.modelfile import ModelFile, load_model_file, parse_model_file
from edgecls.errors import EngineError, InvalidValueError, NotInstalledError
from edgecls.runtimes import installed_runtimes, open_runtime
from edgecls.runtimes.accelerator import Accelerator
from edgecls.runtimes.coral import LIBRARY_VARIABLE
from edgecls.runtimes.edgetpu import EdgeTpuRuntime
from edgecls.runtimes.edgetpu import open_runtime as open_edgetpu
from edgecls.runtimes.worker import Job
from tests.support.compiled_model import compiled, compiled_bytes
from tests.support.patience import patience
from tests.support.stand_in import StandIn
from tests.support.tiny_model import TinyModel, brightness_of, tiny_model_bytes, write_tiny_model

pytestmark = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")

CLASSES = 8
TINY = TinyModel((6, 6), "GRAY", CLASSES)
# A hang is seen after two seconds, not after five.
HANG_S = 2.0


def tiny(minimum_runtime: int = 13) -> ModelFile:
    """A compiled model whose class is its image's brightness."""
    return parse_model_file(compiled_bytes(TINY, minimum_runtime), "tiny_edgetpu.tflite")


def fill_with(value: int) -> Any:
    """Writes one gray value into every pixel."""
    return lambda tensor: tensor.fill(value)


def opened(
    model: ModelFile | None = None, load_limit_s: float = 30.0, **choice: Any
) -> EdgeTpuRuntime:
    """The engine, with short limits."""
    job = Job(installed_runtimes()[0], load_limit_s=load_limit_s, run_limit_s=HANG_S)
    return open_edgetpu(model or tiny(), 1, Accelerator(**choice), job)


def refusal(
    model: ModelFile | None = None, load_limit_s: float = 30.0, **choice: Any
) -> EngineError:
    """What is said instead of opening."""
    with pytest.raises(EngineError) as refused:
        opened(model, load_limit_s, **choice)
    return refused.value


def test_a_compiled_model_goes_to_the_edge_tpu_by_itself(stand_in: StandIn) -> None:
    stand_in()
    runtime = open_runtime(tiny())
    assert runtime.name == "edgetpu"
    assert runtime.version.startswith("14 (")
    assert int(runtime.run(fill_with(brightness_of(5, CLASSES))).argmax()) == 5
    runtime.close()


def test_a_model_of_its_maker_runs(stand_in: StandIn, data_folder: Path) -> None:
    stand_in()
    model = load_model_file(data_folder / "coral/mobilenet_v1_0.25_128_quant_edgetpu.tflite")
    runtime = open_runtime(model)
    scores = runtime.run(fill_with(100))
    assert (scores.shape, scores.dtype) == ((1001,), np.dtype(np.uint8))
    assert int(scores.argmax()) == int(100 / 256 * 1001)
    runtime.close()


def test_it_is_known_by_its_operator_whatever_its_file_is_called(stand_in: StandIn) -> None:
    stand_in()
    runtime = open_runtime(parse_model_file(compiled_bytes(TINY), "birds.tflite"))
    assert runtime.name == "edgetpu"
    runtime.close()


def test_a_model_that_is_not_compiled_is_refused() -> None:
    plain = parse_model_file(tiny_model_bytes((6, 6)), "plain_edgetpu.tflite")
    with pytest.raises(InvalidValueError, match="is not compiled for the Edge TPU") as refused:
        open_runtime(plain, "edgetpu")
    assert "edgecls convert --edgetpu" in refused.value.hint


def test_a_device_chosen_for_a_model_of_the_cpu_is_refused() -> None:
    plain = parse_model_file(tiny_model_bytes((6, 6)), "plain.tflite")
    with pytest.raises(InvalidValueError, match=r"an Edge TPU was chosen, but 'plain\.tflite'"):
        open_runtime(plain, accelerator=Accelerator())


@pytest.mark.parametrize(
    ("given", "device", "performance"),
    [
        pytest.param({}, ":0", "High", id="nothing is still a device with a number"),
        pytest.param({"device": "usb"}, "usb:0", "High", id="the first USB stick"),
        pytest.param({"device": "pci:1"}, "pci:1", "High", id="the second card"),
        pytest.param({"device": ":2", "performance": "max"}, ":2", "Max", id="full speed"),
    ],
)
def test_the_library_receives_the_options(
    given: dict[str, Any], device: str, performance: str, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in(log=tmp_path / "options")
    opened(**given).close()
    received = (tmp_path / "options").read_text().splitlines()
    assert sorted(received) == [f"Performance={performance}", f"device={device}"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param({"device": "gpu:0"}, "no Edge TPU called 'gpu:0'", id="device"),
        pytest.param({"device": "usb:-1"}, "no Edge TPU called 'usb:-1'", id="number"),
        pytest.param({"device": ""}, "no Edge TPU called ''", id="empty"),
        pytest.param({"performance": "Turbo"}, "no performance 'Turbo'", id="performance"),
        pytest.param({"on_loss": "pray"}, "nothing called 'pray'", id="loss"),
    ],
)
def test_a_choice_that_there_is_not_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        Accelerator(**given)


@pytest.mark.fault(13)
def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, "libedgetpu-of-nobody.so.1")
    with pytest.raises(NotInstalledError, match=r"libedgetpu-of-nobody\.so\.1, is not") as refused:
        open_runtime(tiny())
    assert "'tiny_edgetpu.tflite' is compiled for the Edge TPU" in refused.value.problem
    assert "install libedgetpu1-std" in refused.value.hint
    assert "use the .tflite file that the model was compiled from" in refused.value.hint


def test_a_library_that_is_no_library_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "libedgetpu.so.1").write_text("<html>")
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "libedgetpu.so.1"))
    assert "cannot be loaded" in refusal().problem


def test_a_library_that_is_no_delegate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIBRARY_VARIABLE, "libc.so.6")
    assert "libc.so.6 is no delegate" in refusal().problem


@pytest.mark.fault(13)
def test_a_library_that_refuses_silently_means_that_there_is_no_device(stand_in: StandIn) -> None:
    stand_in("silent")
    refused = refusal(device="usb:3")
    assert "there is no Edge TPU usb:3 on this machine" in refused.problem
    assert "plug it in" in refused.hint


def test_a_library_that_says_why_it_refuses_is_passed_on(stand_in: StandIn) -> None:
    stand_in("says")
    assert "cannot be opened: stand-in: the device is busy" in refusal().problem


def test_an_old_library_that_crashes_at_load_costs_a_message(stand_in: StandIn) -> None:
    stand_in("crashes-at-load")
    refused = refusal()
    assert refused.problem.endswith(f"crashed in {installed_runtimes()[0]} (SIGSEGV)")
    assert "16.0TF2.15" in refused.hint


@pytest.mark.fault(90)
def test_a_library_that_hangs_at_load_is_given_up(stand_in: StandIn) -> None:
    stand_in("hangs-at-load")
    started = time.monotonic()
    assert "did not answer (no answer in 3 s)" in refusal(load_limit_s=3.0).problem
    assert time.monotonic() - started < 3 * 3 + patience(5)


def test_a_library_that_does_not_take_the_compiled_part_is_told(stand_in: StandIn) -> None:
    stand_in("untaken")
    assert "did not take the compiled part" in refusal().problem


def test_a_model_for_a_newer_runtime_is_refused_with_both_numbers(stand_in: StandIn) -> None:
    stand_in(runtime=13)
    refused = refusal(tiny(minimum_runtime=14))
    assert "compiled for Edge TPU runtime 14, the library here is runtime 13" in refused.problem
    assert "edgetpu_compiler -m 13" in refused.hint


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        pytest.param("lost", "was lost: stand-in: the device went away", id="lost"),
        pytest.param("hangs", "hangs (no answer in 2 s)", id="hanging"),
        pytest.param("crashes", "crashed its library (SIGSEGV)", id="crashing"),
    ],
)
@pytest.mark.fault(90)
def test_what_goes_wrong_in_mid_run_ends_in_bounded_time(
    mode: str, problem: str, stand_in: StandIn
) -> None:
    stand_in(mode, after=2)
    runtime = opened(on_loss="stop")
    for _ in range(2):
        runtime.run(fill_with(0))
    started = time.monotonic()
    with pytest.raises(EngineError) as failed:
        runtime.run(fill_with(0))
    assert time.monotonic() - started < HANG_S + patience(5)
    assert problem in failed.value.problem
    assert "edgecls doctor" in failed.value.hint
    assert runtime.child is None
    with pytest.raises(EngineError, match="the Edge TPU :0"):
        runtime.run(fill_with(0))
    runtime.close()


@pytest.mark.parametrize("mode", ["lost", "hangs", "crashes"])
@pytest.mark.fault(90)
def test_restarting_gives_the_same_frame_its_answer(
    mode: str, stand_in: StandIn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in(mode, after=1, once=tmp_path / "happened")
    runtime = opened(on_loss="restart")
    runtime.run(fill_with(0))
    with caplog.at_level(logging.WARNING):
        scores = runtime.run(fill_with(brightness_of(6, CLASSES)))
    assert int(scores.argmax()) == 6
    assert (tmp_path / "happened").exists()
    assert "restarting it" in caplog.text
    runtime.close()


@pytest.mark.fault(90)
def test_a_device_that_fails_again_after_its_restart_ends_the_work(stand_in: StandIn) -> None:
    stand_in("lost")
    runtime = opened(on_loss="restart")
    with pytest.raises(EngineError, match="was lost: stand-in"):
        runtime.run(fill_with(0))
    runtime.close()


@pytest.mark.fault(90)
def test_a_device_that_is_lost_again_and_again_ends_the_work(stand_in: StandIn) -> None:
    stand_in("lost", after=1)
    runtime = opened(on_loss="restart")
    for _ in range(4):  # one run of the first child, and one of each of three more
        runtime.run(fill_with(0))
    with pytest.raises(EngineError, match="was lost 4 times in 60 s"):
        runtime.run(fill_with(0))
    runtime.close()


def unplugged(stand_in: StandIn, restart_limit_s: float) -> EdgeTpuRuntime:
    """The engine; its device is lost at the first run, and from then on there is none."""
    stand_in("lost")
    job = Job(installed_runtimes()[0])
    runtime = EdgeTpuRuntime(tiny(), 1, Accelerator(), job, restart_limit_s)
    stand_in("silent")
    return runtime


@pytest.mark.fault(90)
def test_a_device_that_was_unplugged_is_not_waited_for_without_end(stand_in: StandIn) -> None:
    runtime = unplugged(stand_in, restart_limit_s=2.0)
    started = time.monotonic()
    with pytest.raises(EngineError, match="did not come back in 2 s") as failed:
        runtime.run(fill_with(0))
    assert time.monotonic() - started < 2 + patience(8)
    assert "plug it in" in failed.value.hint
    runtime.close()


@pytest.mark.fault(90)
def test_a_device_that_is_plugged_in_again_goes_on(stand_in: StandIn) -> None:
    runtime = unplugged(stand_in, restart_limit_s=60.0)
    again = threading.Timer(1.5, stand_in)
    again.start()
    assert int(runtime.run(fill_with(brightness_of(5, CLASSES))).argmax()) == 5
    again.join()
    runtime.close()


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A folder with a model and its compiled form."""
    write_tiny_model(tmp_path / "m.tflite", (6, 6), "GRAY", CLASSES)
    plain = load_model_file(tmp_path / "m.tflite").flatbuffer
    (tmp_path / "m_edgetpu.tflite").write_bytes(without_mark(plain))
    return tmp_path


def without_mark(plain: bytes) -> bytes:
    """A compiled form that carries no card."""
    from tests.support.edited_model import edited

    return edited(compiled(plain), lambda parts: setattr(parts, "metadata", []))


@pytest.mark.fault(90)
def test_on_the_cpu_the_uncompiled_model_goes_on(
    stand_in: StandIn, pair: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in("lost", after=1)
    runtime = opened(load_model_file(pair / "m_edgetpu.tflite"), on_loss="cpu")
    runtime.run(fill_with(0))
    with caplog.at_level(logging.WARNING):
        scores = runtime.run(fill_with(brightness_of(6, CLASSES)))
    assert int(scores.argmax()) == 6
    assert "going on with the uncompiled model on the CPU" in caplog.text
    assert runtime.name == installed_runtimes()[0]
    assert int(runtime.run(fill_with(brightness_of(2, CLASSES))).argmax()) == 2
    runtime.close()
    with pytest.raises(EngineError, match="the model was closed"):
        runtime.run(fill_with(0))


def test_a_missing_uncompiled_model_is_told_before_it_is_needed(
    stand_in: StandIn, pair: Path
) -> None:
    stand_in()
    model = load_model_file(pair / "m_edgetpu.tflite")
    (pair / "m.tflite").unlink()
    with pytest.raises(InvalidValueError, match="needs the model that it was compiled from beside"):
        opened(model, on_loss="cpu")


def test_another_model_beside_it_is_refused(stand_in: StandIn, pair: Path) -> None:
    stand_in()
    model = load_model_file(pair / "m_edgetpu.tflite")
    write_tiny_model(pair / "m.tflite", (6, 6), "GRAY", CLASSES + 1)
    with pytest.raises(InvalidValueError, match="is not the model that"):
        opened(model, on_loss="cpu")


def test_another_training_beside_it_is_refused_by_its_hash(stand_in: StandIn, pair: Path) -> None:
    stand_in()
    model = load_model_file(pair / "m_edgetpu.tflite")
    card = dataclasses.replace(model.card, provenance={"edgetpu": {"compiled_from": "0" * 64}})
    with pytest.raises(InvalidValueError, match="is not the model that"):
        opened(dataclasses.replace(model, card=card), on_loss="cpu")


@pytest.mark.fault(90)
def test_no_process_is_left_after_closing(stand_in: StandIn) -> None:
    stand_in()
    runtime = opened()
    child = runtime.child
    assert child is not None
    runtime.close()
    assert runtime.child is None
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_logits_of_a_compiled_model_become_scores_of_a_softmax(stand_in: StandIn) -> None:
    stand_in()
    logits = dataclasses.replace(TINY, has_softmax=False)
    model = parse_model_file(compiled_bytes(logits), "logits_edgetpu.tflite")
    classifier = Classifier(model, opened(model))
    scores = classifier.classify(np.full((6, 6, 3), brightness_of(3, CLASSES), np.uint8)).scores
    assert int(scores.argmax()) == 3
    assert float(scores.sum()) == pytest.approx(1.0)
    classifier.close()
