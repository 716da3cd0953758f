"""Models that make sizes and places out of what they see: one picture may take all the memory.

In nearly every classifier all shapes are known before the first picture, and so is its memory. A
few operators take a size or an index from another tensor. Where that tensor comes from the pixels,
a model that ran well a thousand times may ask for gigabytes at the next, or read out of bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgecls.contract.structure import Operator

_ALL: Final = tuple(range(16))
# Operator -> which of its inputs say how large its result is, or where it reads and writes.
_DECISIVE: Final[dict[str, tuple[int, ...]]] = {
    "BATCH_TO_SPACE_ND": (1, 2),
    "BROADCAST_ARGS": _ALL,
    "BROADCAST_TO": (1,),
    "CONV_3D_TRANSPOSE": (0,),
    "DYNAMIC_UPDATE_SLICE": (2,),
    "EMBEDDING_LOOKUP": (0,),
    "EMBEDDING_LOOKUP_SPARSE": (0, 1, 2),
    "EXPAND_DIMS": (1,),
    "FILL": (0,),
    "GATHER": (1,),
    "GATHER_ND": (1,),
    "HASHTABLE_LOOKUP": (0,),
    "MEAN": (1,),
    "MIRROR_PAD": (1,),
    "MULTINOMIAL": (1,),
    "NON_MAX_SUPPRESSION_V4": (2,),
    "NON_MAX_SUPPRESSION_V5": (2,),
    "ONE_HOT": (1,),
    "PAD": (1,),
    "PADV2": (1,),
    "RANDOM_STANDARD_NORMAL": (0,),
    "RANDOM_UNIFORM": (0,),
    "RANGE": _ALL,
    "REDUCE_ALL": (1,),
    "REDUCE_ANY": (1,),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "REDUCE_PROD": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "REVERSE_SEQUENCE": (1,),
    "REVERSE_V2": (1,),
    "RFFT2D": (1,),
    "SCATTER_ND": (0, 2),
    "SEGMENT_SUM": (1,),
    "SLICE": (1, 2),
    "SPACE_TO_BATCH_ND": (1, 2),
    "SPARSE_TO_DENSE": (0, 1),
    "SPLIT": (0,),
    "SPLIT_V": (1, 2),
    "STABLEHLO_DYNAMIC_SLICE": tuple(range(1, 16)),
    "STABLEHLO_DYNAMIC_UPDATE_SLICE": tuple(range(2, 16)),
    "STABLEHLO_GATHER": (1,),
    "STABLEHLO_SCATTER": (1,),
    "STRIDED_SLICE": (1, 2, 3),
    "SUM": (1,),
    "TILE": (1,),
    "TOPK_V2": (1,),
    "TRANSPOSE": (1,),
    "TRANSPOSE_CONV": (0,),
    "UNIQUE": _ALL,
    "UNSORTED_SEGMENT_MAX": (1, 2),
    "UNSORTED_SEGMENT_MIN": (1, 2),
    "UNSORTED_SEGMENT_PROD": (1, 2),
    "UNSORTED_SEGMENT_SUM": (1, 2),
    "WHERE": _ALL,
}
# Whole numbers cannot be divided by 0.
_DIVISIONS: Final = ("DIV", "FLOOR_DIV", "FLOOR_MOD")
_WHOLE: Final = ("int32", "int64", "int16", "uint32")
# What these give is known before any picture is: the shape of a tensor, as Keras notes it.
_BLIND: Final = ("SHAPE", "RANK")


def is_data_dependent(
    operators: Iterable[Operator], inputs: Sequence[int], dtypes: Sequence[str]
) -> bool:
    """Whether a size or a place in memory depends on the pixels.

    Args:
        operators: In the order in which they run.
        inputs: Tensors of the graph's inputs, by index.
        dtypes: Of all tensors.
    """
    from_pixels = set(inputs)
    for operator in operators:
        if operator.name in _BLIND or not from_pixels.intersection(operator.inputs):
            continue
        decisive = _DECISIVE.get(operator.name, ())
        if any(index in from_pixels for index in _pick(operator.inputs, decisive)):
            return True
        if operator.name in _DIVISIONS and any(
            index in from_pixels and dtypes[index] in _WHOLE
            for index in _pick(operator.inputs, (1,))
        ):
            return True
        from_pixels.update(operator.outputs)
    return False


def _pick(indices: Sequence[int], places: Sequence[int]) -> list[int]:
    return [indices[place] for place in places if place < len(indices)]
