"""Every field of a card with a value of every other kind: refused in a line, or harmless."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.modelfile import load_model_file
from edgecls.errors import ModelFileError
from edgecls.imaging.opencv import cv2
from tests.cli.conftest import cli
from tests.contract.test_modelfile import joined, parts_of
from tests.support.tiny_model import write_tiny_model

__all__ = ["cli"]

HUGE: Final = 10**25
# As JSON texts: some of them are none.
VALUES: Final = [
    *("null", "true", "[]", "[null]", "{}", '{"a": [null]}', "[[[]]]"),
    *('""', '"x"', '"\\u001b[2J"', '"\\ud800"', "-1", "0", "0.5", "-0.0"),
    *("1e400", "NaN", "1e-320", str(HUGE), "9" * 5000),
]
METRICS: Final = {
    "agreement": 0.99,
    "drop": 0.01,
    "int8": {"top1": 0.9, "top5": 1.0, "macro_f1": 0.9, "calibration_error": 0.1, "images": 9},
    "decision": {"precision": 0.9, "coverage": 0.8},
}
LEARNT: Final = {
    "brightness": {"quantiles": [*range(9)], "low": -1.0, "high": 1.0, "spread": 0.5},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, bytes]]:
    path = tmp_path_factory.mktemp("card") / "tiny.tflite"
    write_tiny_model(path)
    return parts_of(path.read_bytes())


def places_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where anything stands in a JSON value, the first of a list for all."""
    entries = value.items() if isinstance(value, dict) else [*enumerate(value)][:1]
    for name, entry in entries:
        yield (*path, name)
        if isinstance(entry, dict | list):
            yield from places_of(entry, (*path, name))


def with_value(card: dict[str, Any], path: tuple[Any, ...], value: str) -> bytes:
    edited = copy.deepcopy(card)
    place = edited
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = "HERE"
    return json.dumps(edited).replace('"HERE"', value).encode()


def write(path: Path, flatbuffer: bytes, parts: dict[str, bytes], card: bytes) -> None:
    path.write_bytes(joined(flatbuffer, {**parts, "card.json": card}))


def card_of(whole: tuple[bytes, dict[str, bytes]]) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(whole[1]["card.json"])
    assert card["sha256"] == hashlib.sha256(whole[0]).hexdigest()
    return {**card, "metrics": METRICS, "learnt": LEARNT}


@pytest.mark.fault(131)
@pytest.mark.parametrize("value", VALUES)
def test_a_card_with_an_odd_value_is_refused_or_harmless(
    value: str, whole: tuple[bytes, dict[str, bytes]], cli: Any, tmp_path: Path
) -> None:
    card = card_of(whole)
    ModelCard.from_json(json.dumps(card))
    for number, place in enumerate(places_of(card)):
        path = tmp_path / f"{number}.tflite"
        write(path, *whole, with_value(card, place, value))
        try:
            load_model_file(path)
        except ModelFileError:
            continue
        result = cli("inspect", path)
        assert result.exit_code == 0, (place, value, result.stderr, result.exception)
        assert "\x1b" not in result.stdout


@pytest.mark.fault(138)
@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(("labels",), "[null]", id="labels that are no texts"),
        pytest.param(("labels", 0), '{"a": [null]}', id="a label that is an object"),
        pytest.param(("input", "size", 0), "1e400", id="a size without end"),
        pytest.param(("input", "crop_fraction"), "NaN", id="a crop that is no number"),
        pytest.param(("output", "temperature"), "0", id="a temperature of nothing"),
        pytest.param(("output", "class_thresholds"), '{"a": [null]}', id="an odd threshold"),
        pytest.param(("metrics", "int8", "calibration_error"), "[null]", id="an odd figure"),
        pytest.param(("learnt", "brightness", "quantiles"), "[[[]]]", id="odd statistics"),
        pytest.param(("sha256",), '"x"', id="an odd checksum"),
        pytest.param(("golden_sha256",), "true", id="another odd checksum"),
        pytest.param(("schema",), "9" * 5000, id="a number of 5,000 digits"),
    ],
)
def test_every_command_refuses_an_odd_card_in_the_same_line(
    place: tuple[Any, ...],
    value: str,
    whole: tuple[bytes, dict[str, bytes]],
    cli: Any,
    tmp_path: Path,
) -> None:
    model, picture = tmp_path / "odd.tflite", tmp_path / "gray.png"
    write(model, *whole, with_value(card_of(whole), place, value))
    cv2.imwrite(str(picture), np.full((32, 32, 3), 90, np.uint8))
    inspected = cli("inspect", model)
    refusals = [
        cli("classify", "--model", model, picture),
        cli("camera", "--model", model, "--source", picture),
        cli("verify", model),
    ]
    assert [(each.exit_code, each.stderr) for each in refusals] == [(1, inspected.stderr)] * 3
    problem, hint = inspected.stderr.splitlines()
    assert problem.startswith(f"error: '{model}' cannot be used: ")
    assert hint.startswith("  hint: ")
