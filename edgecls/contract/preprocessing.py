"""How a frame becomes the image that a model expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from edgecls.errors import InvalidValueError

Channels = Literal["RGB", "GRAY"]
Crop = Literal["center", "stretch", "pad"]

# The one resize there is; a card that names another was made by a newer edgecls.
RESIZE: Final = "halve-linear"
MAX_SIDE = 4096


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Geometry and colour of a model's image; `imaging.prepare` is the only code that obeys it.

    Args:
        size: (height, width) of the image, in pixels.
        channels: `RGB` (three) or `GRAY` (one; ITU-R BT.601 luma).
        crop: `center` keeps the middle with the image's aspect ratio, `stretch` keeps everything
            and its shape not, `pad` keeps everything and fills the rest with black.
        crop_fraction: For `center`: how much of the largest such middle is kept, 0 < f <= 1.
        resize: The algorithm's name.
    """

    size: tuple[int, int]
    channels: Channels = "RGB"
    crop: Crop = "center"
    crop_fraction: float = 1.0
    resize: str = RESIZE

    def __post_init__(self) -> None:
        if len(self.size) != 2 or not all(
            type(side) is int and 1 <= side <= MAX_SIDE for side in self.size
        ):
            raise InvalidValueError(
                f"image size {self.size!r} is not (height, width) with 1 to {MAX_SIDE} pixels each"
            )
        if self.channels not in get_args(Channels):
            raise InvalidValueError(f"channels {self.channels!r} is neither 'RGB' nor 'GRAY'")
        if self.crop not in get_args(Crop):
            raise InvalidValueError(
                f"crop {self.crop!r} is none of {', '.join(map(repr, get_args(Crop)))}"
            )
        if not 0.0 < self.crop_fraction <= 1.0:
            raise InvalidValueError(f"crop fraction {self.crop_fraction!r} is not in (0, 1]")
        if self.crop != "center" and self.crop_fraction != 1.0:
            raise InvalidValueError(
                f"crop fraction {self.crop_fraction} goes with crop 'center', not {self.crop!r}"
            )
        if self.resize != RESIZE:
            raise InvalidValueError(
                f"resize {self.resize!r} is unknown here, this edgecls knows {RESIZE!r}",
                hint="the model was made by a newer edgecls; in a checkout: git pull &&"
                " pip install .",
            )

    @property
    def depth(self) -> int:
        """Number of colour channels: 3 or 1."""
        return 3 if self.channels == "RGB" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, depth) of the image."""
        return (*self.size, self.depth)
