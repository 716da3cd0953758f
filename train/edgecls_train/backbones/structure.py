"""What every backbone is made as: a Keras trunk from raw pixels to features, with places to cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """A backbone without its classes.

    Args:
        image: Keras tensor, float32 (N, height, width, channels) with 0..255.
        features: Keras tensor, (N, features).
        entries: What flows into each block, by block number: where training may begin.
    """

    image: Any
    features: Any
    entries: tuple[Any, ...] = ()
