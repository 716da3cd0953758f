"""The card: JSON that is believed only after every field was checked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgecls.contract.card import MAX_CARD_BYTES, ModelCard, Output
from edgecls.contract.labels import Labels
from edgecls.contract.learnt import Learnt
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import InvalidValueError

CARD = ModelCard(
    labels=Labels(("cat", "dog", "猫")),
    preprocessing=Preprocessing((96, 128), "GRAY", "center", 0.875),
    output=Output(1.5, 0.25, {"dog": 0.75}),
    provenance={"recipe": "digits", "seed": 7},
    metrics={"int8": {"top1": 0.975}},
    sha256="ab" * 32,
    golden_sha256="cd" * 32,
    cost={"macs": 1000, "arena_bytes": 64},
    learnt={"score": Learnt((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), -0.5, 0.5, 1.0)},
)


def edited(path: str, value: Any) -> str:
    """The JSON of `CARD` with the field at a dotted path set to a value."""
    whole = json.loads(CARD.to_json())
    *parents, last = path.split(".")
    place = whole
    for parent in parents:
        place = place[parent]
    place[last] = value
    return json.dumps(whole)


def test_a_card_comes_back_from_its_json_as_it_was() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert ModelCard.from_json(CARD.to_json().encode()) == CARD


def test_equal_cards_are_equal_bytes() -> None:
    other_order = ModelCard(
        CARD.labels,
        CARD.preprocessing,
        CARD.output,
        {"seed": 7, "recipe": "digits"},
        CARD.metrics,
        CARD.sha256,
        CARD.golden_sha256,
        {"arena_bytes": 64, "macs": 1000},
        CARD.learnt,
    )
    assert other_order.to_json() == CARD.to_json()


@pytest.mark.parametrize("path", ["novelty", "input.novelty", "output.novelty"])
def test_fields_of_later_versions_are_ignored(path: str) -> None:
    assert ModelCard.from_json(edited(path, {"any": "thing"})) == CARD


def test_a_card_of_before_costs_were_noted_has_none() -> None:
    whole = json.loads(CARD.to_json())
    del whole["cost"]
    assert ModelCard.from_json(json.dumps(whole)).cost == {}


def test_a_card_of_before_statistics_were_noted_has_none() -> None:
    whole = json.loads(CARD.to_json())
    del whole["learnt"]
    assert ModelCard.from_json(json.dumps(whole)).learnt == {}


def test_a_whole_number_is_a_number() -> None:
    assert ModelCard.from_json(edited("output.temperature", 2)).output.temperature == 2.0


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("schema", 2, "schema 2, this edgecls reads 1", id="a later schema"),
        pytest.param("schema", "1", "'schema' is '1', wanted int", id="a schema in quotes"),
        pytest.param("schema", True, "'schema' is True, wanted int", id="true is not 1"),
        pytest.param("labels", "cat", "'labels' is 'cat', wanted list", id="labels as text"),
        pytest.param("labels", ["cat", 1], "'labels' holds 1, wanted text", id="a number as label"),
        pytest.param("labels", ["cat", "cat"], "more than one class", id="a label twice"),
        pytest.param("labels", ["a\u001b[2J", "b"], "control", id="a label that moves the cursor"),
        pytest.param("labels", ["\ud800", "dog"], "not valid Unicode", id="half a surrogate pair"),
        pytest.param("input", None, "'input' is None, wanted dict", id="no input"),
        pytest.param("input.size", [96], r"wanted \[height, width\]", id="one side"),
        pytest.param("input.size", ["96", "96"], "size", id="sides in quotes"),
        pytest.param("input.size", [96.5, 96], "size", id="half a pixel"),
        pytest.param("input.size", [10**9, 10**9], "1 to 4096", id="a size beyond all memory"),
        pytest.param("input.channels", "CMYK", "'CMYK' is neither", id="unknown channels"),
        pytest.param("input.channels", ["RGB"], "wanted str", id="channels in a list"),
        pytest.param("input.crop", "smart", "'smart' is none of", id="unknown crop"),
        pytest.param("input.crop_fraction", "1", "wanted float", id="a fraction in quotes"),
        pytest.param("input.crop_fraction", 2, r"not in \(0, 1\]", id="twice the picture"),
        pytest.param("input.resize", "lanczos", "'lanczos' is unknown", id="unknown resize"),
        pytest.param("output.temperature", 0, "not in 0.01 to 100", id="a temperature of 0"),
        pytest.param("output.temperature", True, "wanted float", id="true is not 1.0"),
        pytest.param("output.temperature", 10**400, "is too large", id="400 digits"),
        pytest.param("output.reject_threshold", 1.5, "not a score in 0 to 1", id="above 1"),
        pytest.param("output.class_thresholds", [], "wanted dict", id="thresholds in a list"),
        pytest.param("output.class_thresholds", {"dog": "high"}, "wanted float", id="no number"),
        pytest.param("output.class_thresholds", {"cow": 0.5}, "'cow', which is no label", id="cow"),
        pytest.param("provenance", [], "wanted dict", id="provenance in a list"),
        pytest.param("metrics", 0.9, "wanted dict", id="metrics as a number"),
        pytest.param("sha256", "AB" * 32, "64 hex digits", id="a hash in capitals"),
        pytest.param("sha256", "ab", "64 hex digits", id="a short hash"),
        pytest.param("golden_sha256", 7, "wanted str", id="a hash that is a number"),
        pytest.param("cost", 7, "wanted dict", id="a cost that is a number"),
        pytest.param(
            "metrics",
            {"int8": {"top1": 0.9, "calibration_error": [None]}},
            "'calibration_error' is .None., wanted float",
            id="a figure that is a list",
        ),
        pytest.param("metrics", {"drop": "0.1"}, "'drop' is '0.1'", id="a figure in quotes"),
    ],
)
def test_a_card_is_refused_for(path: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        ModelCard.from_json(edited(path, value))


@pytest.mark.parametrize("path", ["schema", "labels", "input.size", "output.temperature", "sha256"])
def test_a_missing_field_is_named(path: str) -> None:
    whole = json.loads(CARD.to_json())
    *parents, last = path.split(".")
    place = whole[parents[0]] if parents else whole
    del place[last]
    with pytest.raises(InvalidValueError, match=f"'{last}' is missing"):
        ModelCard.from_json(json.dumps(whole))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"", "no JSON", id="nothing"),
        pytest.param(b"{", "no JSON", id="half an object"),
        pytest.param(b"[1, 2]", "it is a list, wanted an object", id="a list"),
        pytest.param(b"null", "it is None, wanted an object", id="null"),
        pytest.param(b'{"schema": NaN}', "NaN is no number", id="NaN"),
        pytest.param(b'{"schema": -Infinity}', "-Infinity is no number", id="infinity"),
        pytest.param(b'{"schema": "\xff"}', "it is not UTF-8", id="bytes that are no text"),
        pytest.param(b"[" * 100_000, "nested too deep", id="nesting without end"),
        pytest.param(b'{"a":' * 100_000, "nested too deep", id="objects in objects without end"),
        pytest.param(b" " * (MAX_CARD_BYTES + 1), f"at most {MAX_CARD_BYTES}", id="4 MiB of it"),
    ],
)
def test_what_is_no_card_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        ModelCard.from_json(text)


def test_a_number_too_large_for_a_float_is_refused() -> None:
    text = edited("output.temperature", 1.5).replace('"temperature": 1.5', '"temperature": 1e999')
    with pytest.raises(InvalidValueError, match="the number 1e999 is too large"):
        ModelCard.from_json(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"temperature": 0.0}, "not in 0.01 to 100", id="division by 0"),
        pytest.param({"temperature": float("nan")}, "not in 0.01 to 100", id="NaN degrees"),
        pytest.param({"temperature": 101.0}, "not in 0.01 to 100", id="all scores alike"),
        pytest.param({"reject_threshold": -0.1}, "'reject' is -0.1", id="a negative score"),
        pytest.param({"reject_threshold": float("nan")}, "'reject' is nan", id="a NaN score"),
        pytest.param({"class_thresholds": {"dog": 2.0}}, "'dog' is 2.0", id="a score above 1"),
    ],
)
def test_a_decision_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Output(**fields)
