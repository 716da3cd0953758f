"""Tiny models as the Edge TPU compiler leaves them: one custom operator from image to scores.

The program in it is no program. The stand-in library (stand_in_edgetpu.c) computes the class from
the image's brightness, as `edgecls.runtimes.fake` does.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgecls.contract.operators import EDGETPU
from tests.support.edited_model import edited
from tests.support.tiny_model import TinyModel, build

SOURCE = Path(__file__).with_name("stand_in_edgetpu.c")


def build_stand_in(folder: Path) -> Path:
    """The stand-in for libedgetpu, or a skip where there is no compiler for it."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: it builds the stand-in for libedgetpu")
    library = folder / "libstandin.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE], check=True
    )
    return library


def compiled_bytes(model: TinyModel, minimum_runtime: int = 13) -> bytes:
    """A compiled form of a tiny model."""
    return edited(build(model), lambda parts: _compile(parts, minimum_runtime))


def compiled(content: bytes, minimum_runtime: int = 13) -> bytes:
    """A compiled form of any model with one input and one output."""
    return edited(content, lambda parts: _compile(parts, minimum_runtime))


def _compile(parts: Any, minimum_runtime: int) -> None:
    graph = parts.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = EDGETPU, 1
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = list(graph.inputs), list(graph.outputs)
    operator.customOptions = np.frombuffer(program(minimum_runtime), np.uint8)
    kept = [*graph.inputs, *graph.outputs]
    graph.tensors = [graph.tensors[index] for index in kept]
    operator.inputs, operator.outputs = [0], [1]
    graph.inputs, graph.outputs = [0], [1]
    graph.operators, parts.operatorCodes = [operator], [code]


def program(minimum_runtime: int) -> bytes:
    """Custom options with a package in it, as libedgetpu's executable.fbs has them."""
    builder = flatbuffers.Builder(256)
    builder.StartObject(2)
    builder.PrependInt32Slot(0, minimum_runtime, 0)
    builder.Finish(builder.EndObject(), b"DWN1")
    return b"1\x004\x00" + bytes(builder.Output()) + b"\x01"
