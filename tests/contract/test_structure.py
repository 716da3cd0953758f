"""The walk through a .tflite file: sound models pass, nothing else does, nothing else is raised."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgecls.contract.modelfile import parse_model_file
from edgecls.contract.operators import operator_name
from edgecls.contract.structure import read_structure
from edgecls.errors import DamagedModelError, EdgeclsError, ModelFileError
from tests.support.edited_model import edited, set_field
from tests.support.tiny_model import TinyModel, tiny_model_bytes, with_custom_operator

TINY = tiny_model_bytes((4, 4), "GRAY", 3)


def test_a_tiny_model_says_what_it_is() -> None:
    structure = read_structure(TINY)
    assert [operator.name for operator in structure.operators] == [
        "RESHAPE",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    image = structure.tensors[structure.inputs[0]]
    assert (image.name, image.shape, image.dtype, image.elements) == (
        "image",
        (1, 4, 4, 1),
        "uint8",
        16,
    )
    assert image.to_quant_params().scale == 1.0  # type: ignore[union-attr]


def test_the_cost_of_a_dense_layer_is_inputs_times_outputs() -> None:
    structure = read_structure(TINY)
    assert structure.macs == 16 * 3
    assert structure.parameters == 16 * 3 + 3  # weights and bias; a shape is no parameter


def test_operators_are_counted_with_their_highest_version() -> None:
    assert read_structure(tiny_model_bytes(dtype="int8")).operator_counts == {
        "RESHAPE": (1, 1),
        "FULLY_CONNECTED": (1, 4),
        "SOFTMAX": (1, 2),
    }


def test_a_float_tensor_has_no_quantization() -> None:
    structure = read_structure(tiny_model_bytes(dtype="float32"))
    assert structure.tensors[0].to_quant_params() is None


@pytest.mark.parametrize(
    ("code", "name"),
    [
        pytest.param(0, "ADD", id="the first"),
        pytest.param(3, "CONV_2D", id="a convolution"),
        pytest.param(4, "DEPTHWISE_CONV_2D", id="a depthwise one"),
        pytest.param(9, "FULLY_CONNECTED", id="a dense layer"),
        pytest.param(25, "SOFTMAX", id="softmax"),
        pytest.param(32, "CUSTOM", id="an operator of somebody else"),
        pytest.param(114, "QUANTIZE", id="quantize"),
        pytest.param(9999, "OPERATOR_9999", id="one that is newer than this program"),
        pytest.param(-1, "OPERATOR_-1", id="one that cannot be"),
    ],
)
def test_operators_have_the_names_of_the_schema(code: int, name: str) -> None:
    assert operator_name(code) == name


def test_every_operator_has_the_name_that_the_schema_gives_it() -> None:
    codes = {k: v for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    known = {name: code for name, code in codes.items() if "OPERATOR_" not in operator_name(code)}
    assert len(known) > 200
    assert {name: operator_name(code) for name, code in known.items()} == {n: n for n in known}


# MACs and parameters as their authors give them, to the digits that they give.
PUBLISHED = [
    # Sandler et al. 2018, "MobileNetV2", table 4: 300 M multiply-adds, 3.4 M parameters.
    pytest.param("coral/mobilenet_v2_1.0_224_quant.tflite", 300e6, 3.4e6, id="MobileNetV2 1.0 224"),
    # The authors' table of MobileNetV1 checkpoints, 0.25_128: 14 M MACs, 0.47 M parameters.
    pytest.param("coral/mobilenet_v1_0.25_128_quant.tflite", 14e6, 0.47e6, id="MobileNetV1 0.25"),
    # Banbury et al. 2021, "MLPerf Tiny Benchmark": ResNet-8 has 12.5 M MACs, 78 k parameters.
    pytest.param("mlperf-tiny/pretrainedResnet_quant.tflite", 12.5e6, 78e3, id="ResNet-8 int8"),
    pytest.param("mlperf-tiny/pretrainedResnet.tflite", 12.5e6, 78e3, id="ResNet-8 float"),
]


@pytest.mark.parametrize(("name", "macs", "parameters"), PUBLISHED)
def test_cost_agrees_with_the_papers(
    name: str, macs: float, parameters: float, data_folder: Path
) -> None:
    structure = read_structure((data_folder / name).read_bytes())
    assert structure.macs == pytest.approx(macs, rel=0.035)
    assert structure.parameters == pytest.approx(parameters, rel=0.03)


def test_a_compiled_model_has_an_operator_of_its_own(data_folder: Path) -> None:
    compiled = data_folder / "coral/mobilenet_v1_0.25_128_quant_edgetpu.tflite"
    assert read_structure(compiled.read_bytes()).operator_counts == {"edgetpu-custom-op": (1, 1)}


def test_the_oldest_runtime_that_runs_it_is_noted(data_folder: Path) -> None:
    content = (data_folder / "coral/mobilenet_v2_1.0_224_quant.tflite").read_bytes()
    assert read_structure(content).minimum_runtime == "1.5.0"


@pytest.mark.fault(7)
def test_every_model_that_crashed_an_engine_is_refused_without_one(data_folder: Path) -> None:
    mutants = sorted((data_folder / "bad-models").glob("*.tflite"))
    assert len(mutants) == 40
    for mutant in mutants:
        with pytest.raises(ModelFileError):
            read_structure(mutant.read_bytes())


@pytest.mark.fault(2)
def test_a_model_cut_off_anywhere_is_refused() -> None:
    for length in range(len(TINY)):
        with pytest.raises(ModelFileError):
            parse_model_file(TINY[:length], "cut.tflite")


@pytest.mark.fault(2)
def test_a_real_model_cut_off_anywhere_is_refused(data_folder: Path) -> None:
    whole = (data_folder / "mlperf-tiny/pretrainedResnet_quant.tflite").read_bytes()
    for length in np.linspace(8, len(whole) - 1, 400, dtype=int):
        with pytest.raises(DamagedModelError):
            read_structure(whole[:length])


def refuse_or_read(content: bytes) -> bool:
    """Whether a model is refused; whatever is no error of ours comes through."""
    try:
        parse_model_file(content, "mutant.tflite")
    except EdgeclsError:
        return True
    return False


def flip_bytes(content: bytes, random: np.random.Generator, end: int) -> bytes:
    """Replace one to four of the first `end` bytes."""
    mutant = np.frombuffer(content, np.uint8).copy()
    places = random.integers(0, min(end, len(content)), random.integers(1, 5))
    mutant[places] = random.integers(0, 256, len(places))
    return mutant.tobytes()


@pytest.mark.fault(7)
def test_damaged_bytes_are_refused_or_harmless_and_never_another_error() -> None:
    random = np.random.default_rng(11)
    refused = sum(refuse_or_read(flip_bytes(TINY, random, len(TINY))) for _ in range(4000))
    assert refused > 1000


def test_a_damaged_real_model_is_refused_or_harmless(data_folder: Path) -> None:
    whole = (data_folder / "mlperf-tiny/pretrainedResnet_quant.tflite").read_bytes()
    tail = whole[-12_000:]  # the weights lie before: flipping them changes no structure
    head = whole[: len(whole) - len(tail)]
    random = np.random.default_rng(12)
    refused = sum(refuse_or_read(head + flip_bytes(tail, random, len(tail))) for _ in range(1000))
    assert refused > 200


@pytest.mark.fault(7)
def test_a_list_of_a_million_entries_named_a_million_times_is_refused_at_once() -> None:
    started = time.process_time()
    with pytest.raises(DamagedModelError, match="lists claim more than 1000000 entries"):
        read_structure(model_that_repeats_one_operator(times=200_000, inputs=200_000))
    assert time.process_time() - started < 2.0


def model_that_repeats_one_operator(times: int, inputs: int) -> bytes:
    """A small file in which one operator with very many inputs stands in the list many times."""
    builder = flatbuffers.Builder(1 << 20)

    def table(fields: int, **offsets: int) -> int:
        builder.StartObject(fields)
        for name, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(int(name.removeprefix("field")), offset, 0)
        return int(builder.EndObject())

    def tables(offset: int, count: int) -> int:
        builder.StartVector(4, count, 4)
        for _ in range(count):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    builder.StartVector(4, inputs, 4)
    for _ in range(inputs):
        builder.PrependInt32(-1)  # an input that is left out
    operator = table(9, field1=builder.EndVector())
    graphs = tables(table(5, field3=tables(operator, times)), 1)
    codes = tables(table(4), 1)
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(1, codes, 0)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the mark TFL3 is missing", id="nothing"),
        pytest.param(b"\x1c\0\0\0TFL3", "cut off or damaged", id="the mark alone"),
        pytest.param(b"\xff\xff\xff\xffTFL3" + bytes(40), "beyond its end", id="a root far away"),
        pytest.param(bytes(4) + b"TFL3" + bytes(40), "cut off or damaged", id="a root at 0"),
    ],
)
def test_what_is_no_flatbuffer_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        read_structure(content)


@pytest.mark.fault(9)
def test_a_custom_operator_without_a_name_is_refused() -> None:
    with pytest.raises(DamagedModelError, match="custom operator has no name"):
        read_structure(with_custom_operator(TinyModel((4, 4), classes=3), ""))


GRAPH = "subgraphs.0"


@pytest.mark.fault(8)
@pytest.mark.fault(10)
@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("version", 4, "schema version 4, wanted 3", id="another schema"),
        pytest.param("subgraphs", [], "0 graphs, wanted 1", id="no graph"),
        pytest.param(f"{GRAPH}.operators", [], "no operators", id="a graph that does nothing"),
        pytest.param(f"{GRAPH}.inputs", [99], "refers to tensor 99 of 7", id="an input nowhere"),
        pytest.param(f"{GRAPH}.inputs", [2], "is a constant", id="a constant as input"),
        pytest.param(f"{GRAPH}.inputs", [0, 0], "given twice", id="an input twice"),
        pytest.param(f"{GRAPH}.inputs", [], "reads a tensor that nothing wrote", id="no input"),
        pytest.param(f"{GRAPH}.outputs", [-1], "refers to tensor -1", id="an output nowhere"),
        pytest.param(f"{GRAPH}.outputs", [2], "made by no operator", id="a constant as output"),
        pytest.param(f"{GRAPH}.outputs", [0], "made by no operator", id="its input as output"),
        pytest.param(f"{GRAPH}.operators.0.opcodeIndex", 9, "code 9 of 3", id="unknown operator"),
        pytest.param(f"{GRAPH}.operators.0.inputs", [0, 70], "tensor 70 of 7", id="input of none"),
        pytest.param(
            f"{GRAPH}.operators.1.inputs", [4], "FULLY_CONNECTED has 1 inputs", id="arity"
        ),
        pytest.param(f"{GRAPH}.operators.2.outputs", [5], "already written", id="written twice"),
        pytest.param(f"{GRAPH}.operators.2.inputs", [6], "nothing wrote", id="a loop"),
        pytest.param(f"{GRAPH}.tensors.0.shape", [1, 0, 4, 1], "has the shape", id="a side of 0"),
        pytest.param(f"{GRAPH}.tensors.0.shape", [-1, 4, 4, 1], "has the shape", id="free batch"),
        pytest.param(f"{GRAPH}.tensors.0.shape", [1] * 9, "has the shape", id="nine dimensions"),
        pytest.param(
            f"{GRAPH}.tensors.0.shape", [1, 65535, 65535, 1], "needs 4095 MiB", id="4 GiB of image"
        ),
        pytest.param(f"{GRAPH}.tensors.2.shape", [3, 17], "its buffer holds 48", id="few weights"),
        pytest.param(f"{GRAPH}.tensors.0.buffer", 44, "refers to buffer 44 of 4", id="no buffer"),
        pytest.param(f"{GRAPH}.tensors.0.type", 8, r"type \(code 8\)", id="complex numbers"),
        pytest.param(
            f"{GRAPH}.tensors.0.quantization.scale", [float("nan")], "no positive", id="NaN scale"
        ),
        pytest.param(
            f"{GRAPH}.tensors.0.quantization.scale", [-1.0], "no positive", id="negative scale"
        ),
        pytest.param(
            f"{GRAPH}.tensors.0.quantization.zeroPoint", [0, 0], "1 scales, 2 zeros", id="two zeros"
        ),
    ],
)
def test_a_graph_that_contradicts_itself_is_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        read_structure(edited(TINY, set_field(path, value)))


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("operator", "field"),
    [
        pytest.param(0, "strideW", id="a convolution with stride 0"),
        pytest.param(-4, "strideH", id="a pool with stride 0"),
        pytest.param(-4, "filterWidth", id="a pool of no width"),
    ],
)
def test_an_engine_is_never_asked_to_divide_by_zero(
    operator: int, field: str, data_folder: Path
) -> None:
    sound = (data_folder / "mlperf-tiny/pretrainedResnet_quant.tflite").read_bytes()

    def change(model: Any) -> None:
        setattr(model.subgraphs[0].operators[operator].builtinOptions, field, 0)

    with pytest.raises(DamagedModelError, match="strides and filter sizes"):
        read_structure(edited(sound, change))
