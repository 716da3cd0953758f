"""What some runtimes would answer wrongly, without an error: read from the file, not run."""

from __future__ import annotations

from typing import Final

from edgecls.contract.structure import Operator, Structure

# From this version on, runtimes that cannot do it refuse the operator.
_PER_CHANNEL_DENSE_VERSION: Final = 12


def find_pitfalls(structure: Structure) -> tuple[str, ...]:
    """Each pitfall in words, with the runtimes that fall into it; empty where there is none."""
    layers = sum(_is_silently_wrong(structure, operator) for operator in structure.operators)
    if not layers:
        return ()
    many = layers > 1
    return (
        f"{layers} FULLY_CONNECTED {'layers have' if many else 'layer has'} one scale a channel but"
        f" {'claim versions' if many else 'claims a version'} below {_PER_CHANNEL_DENSE_VERSION}:"
        " tflite-runtime 2.5 to 2.9 and edgetpu_compiler 16 take the first scale for all channels,"
        " and answer at chance without an error; tflite-runtime 2.14 and LiteRT answer rightly",
    )


def _is_silently_wrong(structure: Structure, operator: Operator) -> bool:
    return (
        operator.name == "FULLY_CONNECTED"
        and operator.version < _PER_CHANNEL_DENSE_VERSION
        and len(structure.tensors[operator.inputs[1]].scales) > 1
    )
