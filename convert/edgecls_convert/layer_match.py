"""Which operators of two .tflite files are the same layer, and what the user calls it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Any, Final

from edgecls.contract.structure import Operator, Structure

_WEIGHTED: Final = re.compile(r"(convolution|depthwise|MatMul)\d*$")
# These change how values are stored, not what they are.
_CARRIERS: Final = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "CAST")


def match_operators(in_float: Structure, converted: Structure) -> list[tuple[int, int]]:
    """Pairs of tensors, (float, converted), that are the same output of the same layer.

    The converter keeps the names of tensors in both forms, and where it does not, both are in the
    same order: what is left between two names is matched by the kind of operator and the shape.
    """
    before, after = ([o for o in s.operators if _is_layer(o)] for s in (in_float, converted))
    keys = [
        [_key(structure, operator) for operator in operators]
        for structure, operators in ((in_float, before), (converted, after))
    ]
    shared = set(keys[0]) & set(keys[1])
    marks = [[key if key in shared else key[1:] for key in side] for side in keys]
    matcher = difflib.SequenceMatcher(None, marks[0], marks[1], autojunk=False)
    blocks = matcher.get_matching_blocks()
    return [
        (before[block.a + i].outputs[0], after[block.b + i].outputs[0])
        for block in blocks
        for i in range(block.size)
    ]


def layer_name(tensor: str, names: Collection[str]) -> str:
    """What a person would call the layer that a tensor comes from.

    Args:
        tensor: As the converter named it: paths of all that was fused, as in
            `classifier/model/relu_1/Relu;classifier/model/stem_1/convolution`.
        names: Of the Keras layers. Conversion calls each once more, which adds `_1` or the like.

    Returns:
        Empty for a tensor that has no path.
    """
    paths = tensor.split(";")
    # The layer with the weights, and not the normalisation or the ReLU that were fused into it.
    path = next((path for path in paths if _WEIGHTED.match(path.split("/")[-1])), paths[-1])
    parts = path.split("/")
    for part in reversed(parts):
        for name in (re.sub(r"_\d+$", "", part), part):
            if name in names:
                return name
    return parts[-2] if len(parts) > 1 else ""


def _is_layer(operator: Operator) -> bool:
    return operator.name not in _CARRIERS and len(operator.outputs) == 1


def _key(structure: Structure, operator: Operator) -> tuple[Any, ...]:
    tensor = structure.tensors[operator.outputs[0]]
    return tensor.name, operator.name, tensor.shape
