"""Model files: the structural walk, the probe in a child process, and then the engine here."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgecls.classifier import Classifier
from edgecls.contract.modelfile import ModelFile, parse_model_file
from edgecls.errors import EngineError
from edgecls.runtimes import installed_runtimes, open_runtime
from edgecls.runtimes.probe import probe
from tests.fuzz.mutations import INTERESTING, mutate
from tests.fuzz.target import Target
from tests.support.edited_model import edited
from tests.support.tiny_model import TinyModel, build, write_tiny_model

REAL: Final = (
    "coral/mobilenet_v1_0.25_128_quant.tflite",
    "mlperf-tiny/pretrainedResnet_quant.tflite",
    "mlperf-tiny/pretrainedResnet.tflite",
)
_MOST_BYTES: Final = 1 << 20


def _seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write_tiny_model(Path(folder) / "m", (6, 6), "GRAY", 4)
        complete = (Path(folder) / "m").read_bytes()
    tiny = [
        build(TinyModel((6, 6), "GRAY", 4)),
        build(TinyModel((6, 6), "RGB", 4, "int8")),
        build(TinyModel((6, 6), "RGB", 3, "float32", has_softmax=False)),
        complete,
    ]
    data = os.environ.get("EDGECLS_DATA")
    files = [Path(data) / name for name in REAL] if data else []
    real = [path.read_bytes() for path in files if path.is_file()]
    return tiny + [content for content in real if len(content) <= _MOST_BYTES]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    content = chance.choice(seeds)
    if chance.random() < 0.5:
        # Sound as a flatbuffer, nonsense as a network: what passes the walk and meets the engine.
        try:
            return edited(content, lambda model: _twist(chance, model))
        except Exception:  # noqa: BLE001  # the writer of flatbuffers cannot write that
            pass
    return mutate(chance, content, seeds)


def _twist(chance: random.Random, model: Any) -> None:
    for _ in range(chance.randint(1, 3)):
        graph = model.subgraphs[0]
        table = chance.choice(
            [
                chance.choice(graph.tensors),
                chance.choice(graph.operators),
                chance.choice(model.operatorCodes),
                graph,
                model,
            ]
        )
        _twist_table(chance, table)


def _twist_table(chance: random.Random, table: Any) -> None:
    names = [name for name, value in vars(table).items() if value is not None]
    name = chance.choice(names)
    value = getattr(table, name)
    if isinstance(value, bool):
        setattr(table, name, not value)
    elif isinstance(value, int):
        setattr(table, name, _other_number(chance, value))
    elif isinstance(value, np.ndarray) or (isinstance(value, list) and _is_of_numbers(value)):
        setattr(table, name, _other_list(chance, list(value), "scale" in name))
    elif isinstance(value, list) and value:
        _change_order(chance, value)
    elif hasattr(value, "__dict__"):
        _twist_table(chance, value)


def _is_of_numbers(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(each, int | float | np.number) for each in value)


def _other_number(chance: random.Random, value: int) -> int:
    near = value + chance.choice((-1, 1, 2, -value, 7))
    # Small, so that it fits every integer field; what does not fit is tried on bytes.
    return chance.choice((near, *INTERESTING[:4])) % 128


def _other_list(chance: random.Random, values: list[Any], is_real: bool) -> list[Any]:
    place = chance.randrange(len(values))
    if is_real:
        values[place] = chance.choice((0.0, -1.0, 1e30, 1e-30, float("inf"), float("nan")))
    elif chance.random() < 0.2:
        values.pop(place)
    else:
        near = int(values[place]) + chance.choice((-1, 1, -int(values[place])))
        values[place] = chance.choice((near, near, *INTERESTING, -1)) % 2**31
    return values


def _change_order(chance: random.Random, values: list[Any]) -> None:
    first, second = chance.randrange(len(values)), chance.randrange(len(values))
    if chance.random() < 0.3:
        values.pop(first)
    elif chance.random() < 0.3:
        values.append(values[first])
    else:
        values[first], values[second] = values[second], values[first]


def read(content: bytes) -> str:
    """The three gates."""
    model = parse_model_file(content, "mutant.tflite")
    verdict = probe(model)
    if not verdict.is_sound:
        if " crashes " in verdict.problem:
            return "crashed its probe"
        if " within " in verdict.problem:
            return "hung in its probe"
        return "refused by its probe"
    return _run_here(model)


def _run_here(model: ModelFile) -> str:
    classifier = Classifier(model, open_runtime(model, installed_runtimes()[0], is_probed=False))
    try:
        shape = model.card.preprocessing.shape
        for image in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)):
            classifier.to_scores(classifier.run_image(image))
    except EngineError:
        return "ran, with invalid scores"
    finally:
        classifier.close()
    return "ran"


TARGET: Final = Target("model files", _seeds, _mutate, read, limit_s=60.0, memory_mb=300)
