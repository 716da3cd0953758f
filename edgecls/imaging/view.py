"""Which way up a camera hangs, and what part of its frames counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

import numpy as np

from edgecls.errors import InvalidValueError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2

Rotation: TypeAlias = Literal[0, 90, 180, 270]
Flip: TypeAlias = Literal["none", "horizontal", "vertical", "both"]

_ROTATIONS: Final = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_FLIPS: Final = {"horizontal": 1, "vertical": 0, "both": -1}
_HINT: Final = "write x,y,w,h in pixels (160,0,480,480) or as shares of the frame (0.25,0,0.5,1)"


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the upright frame; x and y of its upper left corner, width and height.

    Args:
        is_share: Whether the numbers are shares of the frame (0-1) or whole pixels.
    """

    x: float
    y: float
    width: float
    height: float
    is_share: bool

    def __post_init__(self) -> None:
        numbers = (self.x, self.y, self.width, self.height)
        if not all(0 <= number < 1e6 for number in numbers) or not (self.width and self.height):
            raise InvalidValueError(f"the region {self} has no area or begins outside", hint=_HINT)
        if self.is_share and max(self.x + self.width, self.y + self.height) > 1 + 1e-9:
            raise InvalidValueError(f"the region {self} reaches beyond the frame", hint=_HINT)
        if not self.is_share and any(number != int(number) for number in numbers):
            raise InvalidValueError(f"the region {self} has parts of pixels", hint=_HINT)

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read `x,y,w,h`: shares of the frame where no number is above 1, else pixels."""
        try:
            x, y, width, height = (float(part) for part in text.split(","))
        except ValueError:
            raise InvalidValueError(f"{text!r} is no region", hint=_HINT) from None
        return cls(x, y, width, height, is_share=max(x, y, width, height) <= 1)

    def __str__(self) -> str:
        return f"{self.x:g},{self.y:g},{self.width:g},{self.height:g}"

    def size_in(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) in pixels of this region in an upright frame of a size."""
        if not self.is_share:
            return int(self.height), int(self.width)
        return max(1, round(self.height * size[0])), max(1, round(self.width * size[1]))

    def cut(self, frame: Frame, scale: int) -> Frame:
        """The region of an upright frame that was decoded `scale` times smaller, as a view.

        Raises:
            InvalidValueError: It reaches beyond the frame.
        """
        height, width = frame.shape[:2]
        if self.is_share:
            across, down = float(width), float(height)
        else:
            across = down = 1 / scale
            # A frame that was decoded smaller is rounded up to whole pixels.
            if self.x + self.width > width * scale or self.y + self.height > height * scale:
                raise InvalidValueError(
                    f"the region {self} reaches beyond the frame of"
                    f" {width * scale}x{height * scale} pixels",
                    hint=_HINT,
                )
        top, bottom = _span(self.y * down, self.height * down, height)
        left, right = _span(self.x * across, self.width * across, width)
        return frame[top:bottom, left:right]


@dataclass(frozen=True, slots=True)
class View:
    """What the loop looks at: the frame is turned, then mirrored, then cut.

    Args:
        rotate: Degrees clockwise that make the picture upright.
        flip: `horizontal` exchanges left and right, `vertical` top and bottom, `both` both.
        region: Of the upright frame; None for all of it.
    """

    rotate: Rotation = 0
    flip: Flip = "none"
    region: Region | None = None

    def __post_init__(self) -> None:
        if self.rotate not in get_args(Rotation):
            raise InvalidValueError(f"rotate is {self.rotate!r}, wanted 0, 90, 180 or 270 degrees")
        if self.flip not in get_args(Flip):
            raise InvalidValueError(
                f"there is no flip {self.flip!r}", hint=f"known: {', '.join(get_args(Flip))}"
            )

    @property
    def is_plain(self) -> bool:
        """Whether frames stay as the source gives them."""
        return self.rotate == 0 and self.flip == "none" and self.region is None

    def size_of(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what is looked at, of a frame of (height, width)."""
        upright = (size[1], size[0]) if self.rotate in (90, 270) else size
        return upright if self.region is None else self.region.size_in(upright)

    def look(self, frame: Frame, scale: int = 1) -> Frame:
        """What is looked at.

        Args:
            frame: (height, width, 3), as the source gives it; not changed.
            scale: How many times smaller than the source's it was decoded.

        Returns:
            Upright and cut; rows may be strided, and a plain view gives `frame` itself.

        Raises:
            InvalidValueError: The region reaches beyond the frame.
        """
        if self.region is not None:
            # Only what is looked at is turned: cut as if upright, on views that copy nothing.
            frame = self._lay_back(self.region.cut(self._set_up(frame), scale))
        if self.rotate:
            frame = cast(Frame, cv2.rotate(frame, _ROTATIONS[self.rotate]))
        if self.flip != "none":
            frame = cast(Frame, cv2.flip(frame, _FLIPS[self.flip]))
        return frame

    def _set_up(self, frame: Frame) -> Frame:
        return self._mirror(np.rot90(frame, -self.rotate // 90))

    def _lay_back(self, frame: Frame) -> Frame:
        return np.rot90(self._mirror(frame), self.rotate // 90)

    def _mirror(self, frame: Frame) -> Frame:
        rows = slice(None, None, -1 if self.flip in ("vertical", "both") else 1)
        columns = slice(None, None, -1 if self.flip in ("horizontal", "both") else 1)
        return frame[rows, columns]


WHOLE: Final = View()


def _span(start: float, length: float, limit: int) -> tuple[int, int]:
    """First and last pixel (exclusive), at least one, inside 0 to `limit`."""
    first = min(round(start), limit - 1)
    return first, max(first + 1, min(round(start + length), limit))
