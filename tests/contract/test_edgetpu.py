"""Which operators an Edge TPU computes, by the table that its maker published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecls.contract.edgetpu import (
    Estimate,
    check_mapping,
    estimate_mapping,
    read_compiled,
    runtime_number,
)
from edgecls.contract.edgetpu_rules import Rule
from edgecls.contract.structure import read_structure
from edgecls.errors import DamagedModelError, EdgeclsError, ModelFileError
from tests.support.compiled_model import compiled_bytes, program
from tests.support.edited_model import edited
from tests.support.sketch import Sketch, single
from tests.support.tiny_model import TinyModel, tiny_model_bytes

IMAGE = (1, 8, 8, 4)
FILTERS = ((4, 1, 1, 4), "int8", 1)
DEPTHWISE = ((1, 1, 1, 4), "int8", 1)
RELU = 1


def estimate(content: bytes) -> Estimate:
    """The estimate of a flatbuffer."""
    return estimate_mapping(content, read_structure(content))


def rule_of(content: bytes) -> Rule | None:
    """The rule that the only operator breaks."""
    (operator,) = estimate(content).operators
    return operator.rule


def test_every_operator_of_a_model_that_its_maker_compiled_is_mapped(data_folder: Path) -> None:
    found = estimate((data_folder / "coral/mobilenet_v1_0.25_128_quant.tflite").read_bytes())
    assert (found.mapped, found.total, found.percent, found.subgraphs) == (31, 31, 100.0, 1)


def test_the_compiled_form_of_it_says_the_same(data_folder: Path) -> None:
    content = (data_folder / "coral/mobilenet_v1_0.25_128_quant_edgetpu.tflite").read_bytes()
    found = estimate(content)
    assert (found.mapped, found.total, found.subgraphs) == (1, 1, 1)
    compiled = read_compiled(content, read_structure(content))
    assert compiled is not None
    assert (compiled.minimum_runtime, compiled.subgraphs, compiled.on_cpu) == (12, 1, 0)


ALLOWED = [
    pytest.param(single("ADD", IMAGE, IMAGE, [(IMAGE, "int8", 1)]), id="ADD"),
    pytest.param(single("RELU6", IMAGE, IMAGE), id="RELU6"),
    pytest.param(single("QUANTIZE", IMAGE, IMAGE, version=2), id="QUANTIZE 2"),
    pytest.param(single("LOGISTIC", IMAGE, IMAGE, dtype="uint8"), id="LOGISTIC of uint8"),
    pytest.param(single("CONV_2D", IMAGE, IMAGE, [FILTERS]), id="CONV_2D without dilation"),
    pytest.param(
        single("CONV_2D", IMAGE, IMAGE, [FILTERS], dilationWFactor=2, dilationHFactor=2),
        id="CONV_2D with equal dilation",
    ),
    pytest.param(
        single("CONV_2D", IMAGE, IMAGE, [FILTERS], fusedActivationFunction=RELU),
        id="CONV_2D with a fused activation",
    ),
    pytest.param(single("DEPTHWISE_CONV_2D", IMAGE, IMAGE, [DEPTHWISE]), id="DEPTHWISE_CONV_2D"),
    pytest.param(single("AVERAGE_POOL_2D", IMAGE, (1, 1, 1, 4)), id="AVERAGE_POOL_2D"),
    pytest.param(
        single("CONCATENATION", IMAGE, (1, 8, 8, 8), [(IMAGE, "int8", 0)], axis=3),
        id="CONCATENATION with zeros",
    ),
    pytest.param(
        single("FULLY_CONNECTED", (1, 16), (1, 3), [((3, 16), "int8", 1)]), id="FULLY_CONNECTED"
    ),
    pytest.param(single("MEAN", IMAGE, (1, 4), [((2,), "int32", [1, 2])]), id="MEAN over x and y"),
    pytest.param(
        single("PAD", IMAGE, (1, 10, 10, 4), [((4, 2), "int32", [0, 0, 1, 1, 1, 1, 0, 0])]),
        id="PAD in x and y",
    ),
    pytest.param(single("PACK", (8, 4), (8, 2, 4), axis=1), id="PACK along x"),
    pytest.param(
        single("REDUCE_MAX", IMAGE, (1, 4), [((2,), "int32", [1, 2])]), id="REDUCE_MAX over x, y"
    ),
    pytest.param(
        single("PRELU", IMAGE, IMAGE, [((1, 1, 4), "int8", 1)]), id="PRELU with an alpha a channel"
    ),
    pytest.param(single("SOFTMAX", (1, 16_000), (1, 16_000)), id="SOFTMAX of 16,000"),
    pytest.param(
        single("SPLIT", IMAGE, IMAGE, [((1,), "int32", 3)], constants_first=True),
        id="SPLIT along the depth",
    ),
    pytest.param(
        single(
            "STRIDED_SLICE",
            IMAGE,
            IMAGE,
            [((4,), "int32", 0), ((4,), "int32", 8), ((4,), "int32", 1)],
        ),
        id="STRIDED_SLICE with strides of 1",
    ),
]


@pytest.mark.parametrize("content", ALLOWED)
def test_the_edge_tpu_computes(content: bytes) -> None:
    assert rule_of(content) is None


STRIDED = [((4,), "int32", 0), ((4,), "int32", 8), ((4,), "int32", 2)]
BROKEN = [
    pytest.param(single("HARD_SWISH", IMAGE, IMAGE), Rule.OPERATION, id="unknown operation"),
    pytest.param(single("QUANTIZE", IMAGE, IMAGE, version=3), Rule.VERSION, id="newer version"),
    pytest.param(
        single("RELU", IMAGE, IMAGE, signature=(-1, 8, 8, 4)), Rule.FIXED_SHAPE, id="open batch"
    ),
    pytest.param(single("RELU", IMAGE, IMAGE, dtype="float32"), Rule.DATA_TYPE, id="float"),
    pytest.param(single("RELU", IMAGE, IMAGE, dtype="int16"), Rule.DATA_TYPE, id="int16"),
    pytest.param(
        single("FULLY_CONNECTED", (1, 16), (1, 3), [((3, 16), "float32", 1)]),
        Rule.DATA_TYPE,
        id="float weights",
    ),
    pytest.param(
        single("RELU", (2, 8, 8, 4), (2, 8, 8, 4)), Rule.INNERMOST, id="a batch of two pictures"
    ),
    pytest.param(
        single("CONV_2D", IMAGE, IMAGE, [FILTERS], dilationWFactor=2, dilationHFactor=1),
        Rule.DILATION,
        id="unequal dilation",
    ),
    pytest.param(
        single(
            "DEPTHWISE_CONV_2D", IMAGE, IMAGE, [DEPTHWISE], dilationHFactor=2, dilationWFactor=1
        ),
        Rule.DILATION,
        id="unequal dilation, depthwise",
    ),
    pytest.param(
        single("AVERAGE_POOL_2D", IMAGE, IMAGE, fusedActivationFunction=RELU),
        Rule.FUSED_ACTIVATION,
        id="average pooling with ReLU",
    ),
    pytest.param(
        single("MAX_POOL_2D", IMAGE, IMAGE, fusedActivationFunction=RELU),
        Rule.FUSED_ACTIVATION,
        id="max pooling with ReLU",
    ),
    pytest.param(
        single("CONCATENATION", IMAGE, IMAGE, axis=3, fusedActivationFunction=RELU),
        Rule.FUSED_ACTIVATION,
        id="concatenation with ReLU",
    ),
    pytest.param(
        single("CONCATENATION", IMAGE, (1, 8, 8, 8), [(IMAGE, "int8", 1)], axis=3),
        Rule.ZERO_PADDING,
        id="concatenation with ones",
    ),
    pytest.param(
        single("FULLY_CONNECTED", (4, 16), (4, 3), [((3, 16), "int8", 1)]),
        Rule.DENSE_OUTPUT,
        id="dense layer at every place",
    ),
    pytest.param(
        single("FULLY_CONNECTED", (1, 16), (1, 3), [((3, 16), "int8", 1)], scales=(1.0, 2.0, 3.0)),
        Rule.DENSE_WEIGHTS,
        id="dense layer per channel",
    ),
    pytest.param(
        single("FULLY_CONNECTED", (1, 16), (1, 3), [((3, 16), "int8", 1)], weightsFormat=1),
        Rule.DENSE_WEIGHTS,
        id="shuffled weights",
    ),
    pytest.param(
        single("MEAN", IMAGE, (8, 8, 4), [((1,), "int32", 0)]), Rule.BATCH, id="mean over the batch"
    ),
    pytest.param(
        single("MEAN", IMAGE, (8, 8, 4), [((1,), "int32", -4)]),
        Rule.BATCH,
        id="mean over the batch, counted from behind",
    ),
    pytest.param(
        single("MEAN", (1, 8, 8, 6), (1, 6), [((2,), "int32", [1, 2])]), Rule.DEPTH, id="depth of 6"
    ),
    pytest.param(
        single("PAD", IMAGE, (2, 8, 8, 4), [((4, 2), "int32", [0, 1, 0, 0, 0, 0, 0, 0])]),
        Rule.BATCH,
        id="padding the batch",
    ),
    pytest.param(single("PACK", (8, 4), (2, 8, 4), axis=0), Rule.BATCH, id="packing a batch"),
    pytest.param(
        single("REDUCE_MIN", IMAGE, (8, 8, 4), [((1,), "int32", 0)]),
        Rule.BATCH,
        id="minimum over the batch",
    ),
    pytest.param(
        single("SPLIT", IMAGE, IMAGE, [((1,), "int32", 0)], constants_first=True),
        Rule.BATCH,
        id="splitting the batch",
    ),
    pytest.param(
        single("PRELU", IMAGE, IMAGE, [((8, 8, 4), "int8", 1)]), Rule.ALPHA, id="an alpha a pixel"
    ),
    pytest.param(single("RESIZE_BILINEAR", IMAGE, IMAGE), Rule.SIZE, id="resizing, bilinear"),
    pytest.param(
        single("RESIZE_NEAREST_NEIGHBOR", IMAGE, IMAGE), Rule.SIZE, id="resizing, nearest"
    ),
    pytest.param(
        single("SOFTMAX", (1, 4, 5), (1, 4, 5)), Rule.ONE_DIMENSION, id="softmax of a map"
    ),
    pytest.param(
        single("SOFTMAX", (1, 16_001), (1, 16_001)), Rule.MOST_VALUES, id="softmax of 16,001"
    ),
    pytest.param(single("STRIDED_SLICE", IMAGE, IMAGE, STRIDED), Rule.STRIDES, id="strides of 2"),
]


@pytest.mark.parametrize(("content", "rule"), BROKEN)
def test_an_operator_stays_on_the_cpu_by_this_rule(content: bytes, rule: Rule) -> None:
    assert rule_of(content) is rule


def test_every_rule_is_shown_at_work() -> None:
    shown = {row.values[1] for row in BROKEN} | {Rule.ONE_SUBGRAPH}
    assert shown == set(Rule)


def chain(*names: str) -> bytes:
    """Operators behind each other, each from a (1, 8, 8, 4) tensor to the next."""
    sketch = Sketch()
    tensors = [sketch.tensor(IMAGE) for _ in range(len(names) + 1)]
    for i, name in enumerate(names):
        sketch.operator(name, [tensors[i]], tensors[i + 1])
    return sketch.to_bytes([tensors[0]], [tensors[-1]])


def test_what_lies_behind_an_operator_on_the_cpu_stays_there_too() -> None:
    found = estimate(chain("RELU", "TANH", "HARD_SWISH", "RELU6", "LOGISTIC"))
    assert [operator.rule for operator in found.operators] == [
        None,
        None,
        Rule.OPERATION,
        Rule.ONE_SUBGRAPH,
        Rule.ONE_SUBGRAPH,
    ]
    assert (found.mapped, found.percent, found.subgraphs) == (2, 40.0, 2)


def test_an_operator_on_the_cpu_at_the_start_does_not_cost_the_rest() -> None:
    found = estimate(chain("HARD_SWISH", "RELU", "TANH"))
    assert (found.mapped, found.subgraphs) == (2, 1)


def test_a_branch_beside_the_cpu_is_in_the_first_subgraph() -> None:
    sketch = Sketch()
    image, slow, fast, end = (sketch.tensor(IMAGE) for _ in range(4))
    sketch.operator("HARD_SWISH", [image], slow)
    sketch.operator("RELU", [image], fast)
    sketch.operator("ADD", [slow, fast], end)
    found = estimate(sketch.to_bytes([image], [end]))
    assert [operator.rule for operator in found.operators] == [
        Rule.OPERATION,
        None,
        Rule.ONE_SUBGRAPH,
    ]


def test_parameters_are_the_weights_and_biases_of_what_is_mapped() -> None:
    found = estimate(tiny_model_bytes((4, 4), "GRAY", 3))
    assert found.parameter_bytes == 16 * 3 + 3 * 4
    assert found.streamed_bytes == 0


def test_what_does_not_fit_on_the_chip_is_streamed() -> None:
    content = single("FULLY_CONNECTED", (1, 4096), (1, 2500), [((2500, 4096), "int8", 1)])
    found = estimate(content)
    assert found.parameter_bytes == 10_240_000
    assert found.streamed_bytes == 2_240_000
    assert "about 2.24 MB do not fit on the chip" in "\n".join(found.to_lines())


def test_weights_that_two_operators_share_count_once() -> None:
    sketch = Sketch()
    start, middle, end = (sketch.tensor(IMAGE) for _ in range(3))
    filters = sketch.tensor((4, 1, 1, 4), "int8", 1)
    sketch.operator("CONV_2D", [start, filters], middle)
    sketch.operator("CONV_2D", [middle, filters], end)
    assert estimate(sketch.to_bytes([start], [end])).parameter_bytes == 16


def test_the_estimate_is_told_in_words_with_the_rule() -> None:
    lines = list(estimate(chain("RELU", "HARD_SWISH", "TANH")).to_lines())
    assert lines[0] == "Edge TPU (estimate): 1 of 3 operators mapped (33%)"
    assert "  on the CPU: 1 HARD_SWISH: the Edge TPU has no such operation" in lines


def test_the_estimate_as_json_names_each_operator_on_the_cpu() -> None:
    found = estimate(chain("RELU", "HARD_SWISH")).to_json()
    assert found["on_cpu"] == [
        {"index": 1, "operator": "HARD_SWISH", "rule": "the Edge TPU has no such operation"}
    ]
    assert (found["mapped"], found["total"], found["percent"]) == (1, 2, 50.0)


def test_a_hostile_model_is_estimated_or_refused_and_nothing_else() -> None:
    random = np.random.default_rng(5)
    bases = [row.values[0] for row in (*ALLOWED, *BROKEN) if len(row.values[0]) < 10_000]
    estimated = 0
    for _ in range(1_500):
        mutant = np.frombuffer(bases[int(random.integers(len(bases)))], np.uint8).copy()
        mutant[random.integers(0, len(mutant), 2)] = random.integers(0, 256, 2)
        try:
            estimated += bool(estimate(mutant.tobytes()).operators)
        except EdgeclsError:
            continue
    assert estimated > 100


@pytest.mark.parametrize(
    "name", ["SOFTMAX", "PRELU", "MEAN", "PAD", "PACK", "SPLIT", "CONCATENATION"]
)
def test_an_operator_without_inputs_breaks_a_rule_and_not_the_program(name: str) -> None:
    def strip(parts: Any) -> None:
        parts.subgraphs[0].operators[0].inputs = []

    content = edited(single(name, IMAGE, IMAGE), strip)
    assert estimate(content).total == 1


def test_too_few_mapped_operators_are_refused_with_the_first_rule() -> None:
    with pytest.raises(ModelFileError, match=r"1 of 2 operators \(50.0%\)") as refused:
        check_mapping(estimate(chain("RELU", "HARD_SWISH")), 60)
    assert "HARD_SWISH (the Edge TPU has no such operation)" in refused.value.problem
    assert "--min-mapped" in refused.value.hint


def test_just_enough_mapped_operators_are_not_refused() -> None:
    check_mapping(estimate(chain("RELU", "HARD_SWISH")), 50)


def test_a_compiled_model_is_known_by_its_operator_and_not_by_its_name() -> None:
    assert read_structure(compiled_bytes(TinyModel())).is_compiled
    assert not read_structure(tiny_model_bytes()).is_compiled
    assert read_compiled(tiny_model_bytes(), read_structure(tiny_model_bytes())) is None


@pytest.mark.parametrize("runtime", [10, 13, 14])
def test_a_compiled_model_says_which_runtime_it_needs(runtime: int) -> None:
    content = compiled_bytes(TinyModel(), runtime)
    compiled = read_compiled(content, read_structure(content))
    assert compiled is not None
    assert compiled.minimum_runtime == runtime


def with_program(options: bytes) -> bytes:
    """A compiled model with another program in it."""

    def change(parts: Any) -> None:
        parts.subgraphs[0].operators[0].customOptions = list(options)

    return edited(compiled_bytes(TinyModel()), change)


def test_a_program_that_is_cut_off_is_damaged() -> None:
    content = with_program(program(13)[:-8])
    with pytest.raises(DamagedModelError, match="its program for the Edge TPU is damaged"):
        read_compiled(content, read_structure(content))


def test_a_program_without_a_mark_leaves_the_runtime_open() -> None:
    content = with_program(b"something else")
    compiled = read_compiled(content, read_structure(content))
    assert compiled is not None
    assert compiled.minimum_runtime == 0


@pytest.mark.parametrize(
    ("said", "number"),
    [
        pytest.param("BuildLabel(COMPILER=5.4.0,DATE=redacted), RuntimeVersion(13)", 13, id="14.1"),
        pytest.param("BuildLabel(N/A), RuntimeVersion(14)", 14, id="16.0"),
        pytest.param("", 0, id="nothing"),
    ],
)
def test_the_library_says_its_runtime_in_a_sentence(said: str, number: int) -> None:
    assert runtime_number(said) == number
