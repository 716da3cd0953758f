"""Model files, as `edgecls inspect` and `doctor` look at them: no engine, and nothing runs."""

from __future__ import annotations

from typing import Final

from edgecls.contract.cost import operator_costs, to_cost
from edgecls.contract.edgetpu import estimate_mapping, read_compiled
from edgecls.contract.modelfile import parse_model_file
from edgecls.contract.pitfalls import find_pitfalls
from tests.fuzz.target import Target
from tests.fuzz.targets import models
from tests.support.compiled_model import compiled_bytes
from tests.support.tiny_model import TinyModel


def _seeds() -> list[bytes]:
    return [*models.TARGET.seeds(), compiled_bytes(TinyModel((4, 4)))]


def read(content: bytes) -> str:
    """Everything that is told of a model without running it."""
    model = parse_model_file(content, "mutant.tflite")
    to_cost(model.structure)
    operator_costs(model.structure)
    list(find_pitfalls(model.structure))
    if read_compiled(model.flatbuffer, model.structure) is None:
        estimate_mapping(model.flatbuffer, model.structure).to_lines()
    return "described"


TARGET: Final = Target(
    "model files, only looked at",
    _seeds,
    models.TARGET.mutate,
    read,
    limit_s=10.0,
    memory_mb=100,
)
