"""What must hold for every converted model, checked on the bytes before any engine runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgecls.contract.flatbuffer import Table
from edgecls.contract.modelfile import ModelFile
from edgecls.contract.quantization import QuantParams
from edgecls.contract.structure import Structure, Tensor
from edgecls.errors import ModelFileError
from edgecls_convert.forms import INT8, Target

# Activations and weights are 8 bits; biases and shapes 32.
_INTEGERS: Final = ("uint8", "int8", "int32")
# A byte of the picture is a stored value, and the other way round.
_RAW_BYTES: Final = {
    "uint8": QuantParams(1.0, 0, "uint8"),
    "int8": QuantParams(1.0, -128, "int8"),
    "float32": None,
}


def check_rules(model: ModelFile, target: Target = INT8) -> None:
    """Refuse a model that boards would run slowly, wrongly or not at all.

    Args:
        model: As converted.
        target: What was asked for; forms that are not integer have fewer rules.

    Raises:
        ModelFileError: The first rule that is broken, in words.
    """
    for broken in _broken_rules(model, target):
        raise ModelFileError(
            f"the converted model breaks a rule: {broken}",
            hint=f"the layer is not one that converts to {target.form}; replace it and train again",
        )


def _broken_rules(model: ModelFile, target: Target) -> Iterator[str]:
    yield from _broken_input(model.input, target)
    if model.output.dtype != target.output_type:
        yield f"its output is {model.output.dtype}, wanted {target.output_type}"
    if target.is_integer:
        yield from _broken_integers(model.structure)
    yield from _broken_dense_layers(model.structure)
    yield from _open_shapes(model.flatbuffer)


def _broken_input(image: Tensor, target: Target) -> Iterator[str]:
    wanted = _RAW_BYTES[target.input_type]
    if image.dtype != target.input_type or image.to_quant_params() != wanted:
        written = f" with scale {wanted.scale} and zero point {wanted.zero_point}" if wanted else ""
        yield (
            f"its input is {image.dtype} with {_quantization(image)},"
            f" wanted {target.input_type}{written}"
        )


def _broken_integers(structure: Structure) -> Iterator[str]:
    # A float image is quantized first and float scores are dequantized last, where they are wanted.
    ends = {*structure.inputs, *structure.outputs}
    for operator in structure.operators:
        for index in (*operator.inputs, *operator.outputs):
            if index < 0 or index in ends:
                continue
            if structure.tensors[index].dtype not in _INTEGERS:
                tensor = structure.tensors[index]
                yield f"a {operator.name} works on {tensor.dtype} (tensor {tensor.name!r:.80})"


def _broken_dense_layers(structure: Structure) -> Iterator[str]:
    # Runtimes from before 2.10 take the first scale for all channels, and answer at chance.
    for operator in structure.operators:
        if operator.name == "FULLY_CONNECTED":
            weights = structure.tensors[operator.inputs[1]]
            if len(weights.scales) > 1 or (weights.dtype == "int8" and not weights.scales):
                yield (
                    f"a FULLY_CONNECTED has weights with {len(weights.scales)} scales, wanted one"
                )


def _open_shapes(flatbuffer: bytes) -> Iterator[str]:
    graph = Table.root(flatbuffer).tables(2)[0]
    for tensor in graph.tables(0):
        signature = tensor.integers(7)  # `shape_signature`: -1 where a side may vary
        if any(side < 1 for side in signature):
            yield f"tensor {tensor.text(3)!r:.80} has the open shape {signature}"


def _quantization(tensor: Tensor) -> str:
    return f"scale {list(tensor.scales)} and zero point {list(tensor.zero_points)}"
