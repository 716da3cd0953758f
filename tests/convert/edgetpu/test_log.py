"""Logs of edgetpu_compiler: figures out of those that went well, reasons out of the others."""

from __future__ import annotations

import pytest

from edgecls.contract.edgetpu import estimate_mapping
from edgecls.contract.structure import read_structure
from edgecls_convert.edgetpu.log import find_differences, find_failure, parse_log
from tests.convert.edgetpu import logs
from tests.support.tiny_model import tiny_model_bytes


def test_the_figures_of_a_success() -> None:
    log = parse_log(logs.SUCCESS)
    assert (log.version, log.mapped, log.total, log.subgraphs) == ("16.0.384591198", 3, 3, 1)
    assert log.on_chip_bytes == round(6.08 * 1024 * 1024)
    assert log.streamed_bytes == 0


def test_every_status_is_read() -> None:
    log = parse_log(logs.EVERY_STATUS)
    assert [(line.name, line.count, line.status) for line in log.operators] == [
        ("MAX_POOL_2D", 6, "More than one subgraph is not supported"),
        (
            "QUANTIZE",
            2,
            "Operation is otherwise supported, but not mapped due to some unspecified limitation",
        ),
        ("QUANTIZE", 1, "Mapped to Edge TPU"),
        ("CONV_2D", 1, "Mapped to Edge TPU"),
        ("CONV_2D", 13, "More than one subgraph is not supported"),
        ("RESIZE_NEAREST_NEIGHBOR", 1, "Operation version not supported"),
        ("LEAKY_RELU", 11, "Operation not supported"),
        ("CUSTOM", 1, "Operation is working on an unsupported data type"),
    ]
    assert (log.mapped, log.total) == (2, 36)
    assert log.on_chip_bytes == 3072
    assert log.streamed_bytes == round(15.06 * 1024 * 1024)


def test_several_subgraphs_are_counted() -> None:
    assert parse_log(logs.SEVERAL).subgraphs == 3


def test_a_log_as_json_keeps_the_table() -> None:
    found = parse_log(logs.PARTIAL).to_json()
    assert (found["mapped"], found["total"], found["compiler"]) == (2, 3, "16.0.384591198")
    assert found["operators"][0] == {
        "operator": "RESHAPE",
        "count": 1,
        "status": "Mapped to Edge TPU",
    }


def test_an_empty_log_is_no_reason_to_fail() -> None:
    log = parse_log("")
    assert (log.version, log.mapped, log.total, log.operators) == ("", 0, 0, ())


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        pytest.param(logs.UNKNOWN_OPERATOR, "does not know EXP in version 2", id="operator"),
        pytest.param(logs.NOT_QUANTIZED, "is not quantized to 8 bits", id="not quantized"),
        pytest.param(logs.INTERNAL, "internal compiler error", id="internal error"),
        pytest.param(logs.CUSTOM_OPERATOR, "the custom operation Atan", id="custom operator"),
        pytest.param(logs.LARGE, "activations are too large", id="large activations"),
        pytest.param(logs.DYNAMIC, "shapes that are not fixed", id="dynamic shapes"),
        pytest.param(logs.UNREADABLE, "cannot read the model", id="unreadable"),
        pytest.param("Compilation timed out", "ran out of time", id="out of time"),
    ],
)
def test_a_failure_is_put_into_words_with_a_cure(said: str, problem: str) -> None:
    found, hint = find_failure(said)
    assert problem in found
    assert hint


def test_a_failure_without_a_reason_is_quoted() -> None:
    assert find_failure(logs.UNKNOWN_FAILURE) == ("it said: Compilation failed!", "")
    assert find_failure("") == ("it said nothing", "")


def differences(log: str) -> list[str]:
    """Between a log and the estimate of the tiny model."""
    content = tiny_model_bytes()
    return find_differences(parse_log(log), estimate_mapping(content, read_structure(content)))


def test_a_compiler_that_does_as_expected_leaves_nothing_to_say() -> None:
    assert differences(logs.SUCCESS) == []


def test_an_operator_that_the_compiler_leaves_out_is_told_with_its_status() -> None:
    (difference,) = differences(logs.PARTIAL)
    assert difference == (
        "SOFTMAX: the compiler maps 0 of 1 (1: Operation is otherwise supported, but not mapped"
        " due to some unspecified limitation), expected 1 of 1"
    )


def test_parameters_that_do_not_fit_are_told() -> None:
    log = logs.SUCCESS.replace("parameters: 0.00B", "parameters: 1.00KiB")
    assert differences(log) == ["parameters streamed at each inference: 1024 bytes, expected 0"]
