"""Random changes to training images, so that a network sees each one differently every time."""

from __future__ import annotations

from edgecls_train.augment.change import augment
from edgecls_train.augment.mixing import mix
from edgecls_train.augment.sheet import draw_sheet, pick_examples

__all__ = ["augment", "draw_sheet", "mix", "pick_examples"]
