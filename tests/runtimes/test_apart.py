"""A model whose memory depends on the picture runs in a child process, which a frame may cost."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from typing import Any

import pytest

from edgecls.contract.modelfile import parse_model_file
from edgecls.errors import EngineError, FrameFailedError
from edgecls.runtimes import installed_runtimes, open_runtime
from edgecls.runtimes.apart import ApartRuntime
from tests.support.choosy_model import Fault, choosy_model_bytes
from tests.support.tiny_model import tiny_model_bytes

pytestmark = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")
DARK, GRAY, BRIGHT = 0, 128, 255


def opened(fault: Fault) -> Any:
    return open_runtime(parse_model_file(choosy_model_bytes(fault), "choosy.tflite"))


def fill_with(level: int) -> Callable[[Any], None]:
    def fill(tensor: Any) -> None:
        tensor[:] = level

    return fill


def test_a_plain_model_runs_in_this_process() -> None:
    runtime = open_runtime(parse_model_file(tiny_model_bytes((6, 6), "GRAY", 4), "tiny.tflite"))
    assert not isinstance(runtime, ApartRuntime)


@pytest.mark.fault(129)
@pytest.mark.parametrize("fault", ["place", "memory"])
def test_after_a_frame_that_failed_the_next_one_gets_the_right_answer(fault: Fault) -> None:
    runtime = opened(fault)
    assert isinstance(runtime, ApartRuntime)
    assert runtime.run(fill_with(DARK)).argmax() == 0
    for _ in range(3):
        with pytest.raises(FrameFailedError, match="failed while it ran the model"):
            runtime.run(fill_with(GRAY))
        assert runtime.run(fill_with(BRIGHT)).argmax() == 9
        assert runtime.run(fill_with(DARK)).argmax() == 0
    runtime.close()


@pytest.mark.fault(129)
def test_a_frame_that_wants_gigabytes_takes_none_of_this_process() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    runtime = opened("memory")
    with pytest.raises(FrameFailedError):
        runtime.run(fill_with(GRAY))
    runtime.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10  # kB


@pytest.mark.fault(128)
def test_the_same_model_in_this_process_is_well_again_after_a_failure() -> None:
    model = parse_model_file(choosy_model_bytes("place"), "choosy.tflite")
    runtime = open_runtime(model, is_probed=False)
    assert not isinstance(runtime, ApartRuntime)
    with pytest.raises(FrameFailedError, match="failed while it ran the model"):
        runtime.run(fill_with(GRAY))
    assert runtime.run(fill_with(BRIGHT)).argmax() == 9


@pytest.mark.fault(129)
def test_a_child_that_dies_costs_its_frame() -> None:
    runtime = opened("place")
    os.kill(runtime.child, signal.SIGSEGV)
    with pytest.raises(FrameFailedError, match="SIGSEGV"):
        runtime.run(fill_with(DARK))
    assert runtime.run(fill_with(BRIGHT)).argmax() == 9
    runtime.close()


def kill_and_run(runtime: Any) -> None:
    if runtime.child is not None:
        os.kill(runtime.child, signal.SIGSEGV)
    runtime.run(fill_with(DARK))


@pytest.mark.fault(129)
def test_children_that_die_one_after_the_other_are_given_up() -> None:
    model = parse_model_file(choosy_model_bytes("place"), "choosy.tflite")
    runtime = ApartRuntime(model, 1, installed_runtimes()[0], "1", most_losses=1)
    with pytest.raises(EngineError, match="ended its process 1 times in a row") as given_up:
        kill_and_run(runtime)
    assert not isinstance(given_up.value, FrameFailedError)


def test_after_closing_it_says_so() -> None:
    runtime = opened("place")
    runtime.close()
    runtime.close()
    with pytest.raises(EngineError, match="the model was closed"):
        runtime.run(fill_with(DARK))
