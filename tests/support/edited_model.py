"""Sound models made unsound, one field at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def edited(content: bytes, change: Callable[[Any], None]) -> bytes:
    """A .tflite flatbuffer after a change to its parts, as the schema names them."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    change(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def set_field(path: str, value: Any) -> Callable[[Any], None]:
    """A change of one field: `subgraphs.0.inputs`."""

    def change(model: Any) -> None:
        *parents, last = path.split(".")
        for name in parents:
            model = model[int(name)] if name.isdecimal() else getattr(model, name)
        setattr(model, last, value)

    return change
