"""A contact sheet of augmented images, so that people see what training sees."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.errors import EdgeclsError
from edgecls.imaging.opencv import cv2
from edgecls.storage.kinds import mark_drawing
from edgecls_train.augment.change import augment
from edgecls_train.augment.mixing import mix
from edgecls_train.losses import to_shares
from edgecls_train.recipe import Recipe

Images = npt.NDArray[np.uint8]

_ROWS: Final = 8
_CHANGED_COLUMNS: Final = 9
_GAP: Final = 4
# Between the originals, on the left, and what is made of them.
_WIDE_GAP: Final = 16
# Small images are enlarged by whole pixels, so that nothing is smoothed.
_LEAST_SIDE: Final = 96


def draw_sheet(images: Images, recipe: Recipe) -> bytes:
    """Draw each image on the left, and nine random changes of it beside.

    Args:
        images: (N, height, width, channels), RGB or gray; one row each.
        recipe: Whose augmentation and seed are shown.

    Returns:
        A PNG file.
    """
    columns = [images, *(_change(images, recipe, draw) for draw in range(_CHANGED_COLUMNS))]
    scale = max(1, -(-_LEAST_SIDE // max(images.shape[1:3])))
    cells = np.stack(columns, axis=1).repeat(scale, axis=2).repeat(scale, axis=3)
    rows = [_join(list(row), vertically=False) for row in cells]
    sheet = _join(rows, vertically=True)
    code = cv2.COLOR_RGB2BGR if sheet.shape[2] == 3 else cv2.COLOR_GRAY2BGR
    is_encoded, content = cv2.imencode(".png", cv2.cvtColor(sheet, code))
    if not is_encoded:
        raise EdgeclsError("the sheet of augmented images cannot be encoded as PNG")
    return mark_drawing(bytes(content))


def pick_examples(targets: npt.NDArray[np.int64], count: int = _ROWS) -> list[int]:
    """Positions of some images, of as many classes as can be."""
    members = [np.flatnonzero(targets == target) for target in np.unique(targets)]
    longest = max(map(len, members))
    rounds = [int(of[turn]) for turn in range(longest) for of in members if turn < len(of)]
    return rounds[:count]


def _change(images: Images, recipe: Recipe, draw: int) -> Images:
    random = np.random.default_rng((recipe.seed, draw))
    changed = augment(images, recipe.augmentation, random)
    if recipe.augmentation.is_mixing:
        # To whom an image belongs is not shown, so any answers will do.
        shares = to_shares(np.zeros(len(images), np.int64), 1)
        mixed, _ = mix(changed.astype(np.float32), shares, recipe.augmentation, random)
        changed = mixed.round().astype(np.uint8)
    return changed


def _join(cells: list[Images], *, vertically: bool) -> Images:
    """Put images in a row or a column, with white between them."""
    parts: list[Images] = []
    for number, cell in enumerate(cells):
        gap = _WIDE_GAP if number == 1 and not vertically else _GAP
        if number:
            height, width, channels = cell.shape
            shape = (gap, width, channels) if vertically else (height, gap, channels)
            parts.append(np.full(shape, 255, np.uint8))
        parts.append(cell)
    return np.concatenate(parts, axis=0 if vertically else 1)
