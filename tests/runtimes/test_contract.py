"""What every engine promises, real or fake."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.contract.modelfile import ModelFile, load_model_file, parse_model_file
from edgecls.errors import EngineError, InvalidValueError, NotInstalledError
from edgecls.runtimes import RUNTIMES, Runtime, installed_runtimes, open_runtime
from tests.support.compiled_model import compiled
from tests.support.tiny_model import brightness_of, tiny_model_bytes

CLASSES = 8


def tiny(dtype: Any = "uint8", runtime: str = "") -> ModelFile:
    """A model whose class is its image's brightness; for an Edge TPU a compiled one."""
    content = tiny_model_bytes((6, 6), "GRAY", CLASSES, dtype=dtype)
    if runtime == "edgetpu":
        content = compiled(content)
    return parse_model_file(content, "tiny.tflite")


def opened(name: str, model: ModelFile, threads: int = 1) -> Runtime:
    """The engine, or a skip where its package is not installed."""
    try:
        return open_runtime(model, name, threads)
    except NotInstalledError as missing:
        pytest.skip(f"{name} does not run here: {missing.problem}")


@pytest.fixture(params=list(RUNTIMES))
def name(request: pytest.FixtureRequest) -> str:
    """Every engine there is; the Edge TPU's with a stand-in for its library."""
    if request.param == "edgetpu":
        request.getfixturevalue("stand_in")()
    return str(request.param)


@pytest.fixture
def runtime(name: str) -> Any:
    """Every engine there is, with the tiny model in it."""
    runtime = opened(name, tiny(runtime=name))
    yield runtime
    runtime.close()


def fill_with(value: int) -> Any:
    """Writes one gray value into every pixel."""
    return lambda tensor: tensor.fill(value)


@pytest.mark.parametrize("target", range(CLASSES))
def test_it_gives_the_class_that_arithmetic_gives(runtime: Runtime, target: int) -> None:
    scores = runtime.run(fill_with(brightness_of(target, CLASSES)))
    assert int(scores.argmax()) == target


def test_the_output_is_one_raw_value_a_class(runtime: Runtime) -> None:
    scores = runtime.run(fill_with(0))
    assert (scores.shape, scores.dtype) == ((CLASSES,), np.dtype(np.uint8))


def test_the_input_is_offered_in_the_shape_and_dtype_of_the_model(runtime: Runtime) -> None:
    seen = []
    runtime.run(lambda tensor: seen.append((tensor.shape, tensor.dtype.name)))
    assert seen == [((1, 6, 6, 1), "uint8")]


def test_the_output_is_a_copy_that_later_runs_leave_alone(runtime: Runtime) -> None:
    first = runtime.run(fill_with(0))
    before = first.copy()
    runtime.run(fill_with(255))
    assert np.array_equal(first, before)


def test_it_says_what_it_is(runtime: Runtime) -> None:
    assert runtime.name in RUNTIMES
    assert runtime.version
    assert runtime.threads == 1


def test_two_threads_get_the_answers_to_their_own_questions(runtime: Runtime) -> None:
    wrong: list[tuple[int, int]] = []

    def ask(target: int) -> None:
        for _ in range(300):
            found = int(runtime.run(fill_with(brightness_of(target, CLASSES))).argmax())
            if found != target:
                wrong.append((target, found))

    askers = [threading.Thread(target=ask, args=(target,)) for target in (1, 6)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(timeout=30)
    assert wrong == []


def test_an_error_while_the_image_is_written_is_passed_on_and_harms_nothing(
    runtime: Runtime,
) -> None:
    def fail(tensor: Any) -> None:
        kept = tensor[0]
        raise KeyError(f"no image of shape {kept.shape}")

    with pytest.raises(KeyError, match="no image") as failed:
        runtime.run(fail)
    assert int(runtime.run(fill_with(255)).argmax()) == CLASSES - 1
    assert failed.value is not None  # it is still held, and with it the frames that it came from


def test_it_may_be_closed_twice(runtime: Runtime) -> None:
    runtime.close()
    runtime.close()


def test_after_closing_it_says_so(runtime: Runtime) -> None:
    runtime.close()
    with pytest.raises(EngineError, match="the model was closed"):
        runtime.run(fill_with(0))


@pytest.mark.parametrize(
    ("dtype", "darkest", "brightest"),
    [
        pytest.param("int8", -128, 127, id="int8"),
        pytest.param("float32", 0, 255, id="float32"),
    ],
)
def test_other_dtypes_come_out_as_they_are(
    name: str, dtype: Any, darkest: int, brightest: int
) -> None:
    runtime = opened(name, tiny(dtype, name))
    dark, bright = runtime.run(fill_with(darkest)), runtime.run(fill_with(brightest))
    assert (int(dark.argmax()), int(bright.argmax())) == (0, CLASSES - 1)
    assert bright.dtype == np.dtype(dtype)


@pytest.mark.fault(15)
def test_a_model_overwritten_in_place_while_it_runs_changes_nothing(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny(runtime=name).flatbuffer)
    runtime = opened(name, load_model_file(path))
    before = runtime.run(fill_with(100))
    with open(path, "r+b") as file:
        file.write(bytes(os.path.getsize(path)))
        file.truncate(10)
    assert np.array_equal(runtime.run(fill_with(100)), before)


def test_more_threads_than_cores_are_never_started(name: str) -> None:
    runtime = opened(name, tiny(runtime=name), threads=10_000)
    assert 1 <= runtime.threads <= (os.cpu_count() or 1)


@pytest.mark.parametrize("threads", [0, -1])
def test_no_thread_at_all_is_refused(threads: int) -> None:
    with pytest.raises(InvalidValueError, match=f"{threads} threads were asked for"):
        open_runtime(tiny(), "fake", threads)


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidValueError, match="there is no runtime 'tensorrt'") as refused:
        open_runtime(tiny(), "tensorrt")
    assert refused.value.hint == f"known: auto, {', '.join(RUNTIMES)}"


def test_litert_is_the_first_choice() -> None:
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
    assert next(iter(RUNTIMES)) == "litert"
    assert installed_runtimes()[0] == "litert"
    assert open_runtime(tiny()).name == "litert"


def test_a_fake_is_never_chosen_by_itself() -> None:
    assert "fake" not in installed_runtimes()


def test_an_engine_that_is_missing_says_how_to_install_it() -> None:
    if "tflite_runtime" in installed_runtimes():
        pytest.skip("tflite-runtime is installed here")
    with pytest.raises(NotInstalledError, match="tflite-runtime cannot be imported") as refused:
        open_runtime(tiny(), "tflite_runtime")
    assert "pip install" in refused.value.hint
