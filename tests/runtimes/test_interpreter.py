"""What the TFLite engines say of models that they cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.contract.modelfile import load_model_file, parse_model_file
from edgecls.errors import EngineError
from edgecls.runtimes import installed_runtimes, open_runtime
from tests.support.tiny_model import TinyModel, tiny_model_bytes, with_custom_operator

pytestmark = pytest.mark.skipif(not installed_runtimes(), reason="no engine is installed")


@pytest.mark.fault(13)
def test_a_model_compiled_for_the_edge_tpu_says_what_to_use_instead(data_folder: Path) -> None:
    model = load_model_file(data_folder / "coral/mobilenet_v1_0.25_128_quant_edgetpu.tflite")
    with pytest.raises(EngineError, match="is compiled for the Edge TPU") as refused:
        open_runtime(model, installed_runtimes()[0])
    assert refused.value.hint == "use the .tflite file that it was compiled from"


def test_an_operator_that_the_engine_does_not_know_is_named() -> None:
    content = with_custom_operator(TinyModel((4, 4), classes=3), "some-npu")
    with pytest.raises(EngineError, match=r"cannot run 'npu\.tflite': .*some-npu") as refused:
        open_runtime(parse_model_file(content, "npu.tflite"))
    assert "\n" not in refused.value.problem
    assert "edgecls inspect" in refused.value.hint


def test_loading_a_model_says_nothing_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    open_runtime(parse_model_file(tiny_model_bytes(), "tiny.tflite")).close()
    assert capfd.readouterr().err == ""
