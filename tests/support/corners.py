"""Pictures with a mark of its own colour in each corner, and what of them a screen shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.opencv import cv2

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

# (height, width)
SHAPES: Final = {
    "portrait": (640, 480),
    "square": (480, 480),
    "16 to 9": (360, 640),
    "1 to 3": (600, 200),
    "3 to 1": (200, 600),
}
# Top left, top right, bottom left, bottom right; none of them is a colour of the pages.
COLOURS: Final = {
    "red": (255, 0, 0),
    "lime": (0, 255, 0),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
}
_GRAY: Final = 128
# Of the shorter side.
_MARK: Final = 0.3
# Colours run a little in a JPEG and at the rims of a picture that is scaled.
_TOLERANCE: Final = 90
_MOST_LOOKS: Final = 10


def marked(shape: tuple[int, int]) -> Frame:
    """A gray frame (uint8 RGB) with a square in each corner."""
    frame = np.full((*shape, 3), _GRAY, np.uint8)
    side = round(_MARK * min(shape))
    for corner, colour in zip(_corners(side), COLOURS.values(), strict=True):
        frame[corner] = colour
    return frame


def marked_jpeg(shape: tuple[int, int]) -> bytes:
    """`marked` as a file."""
    picture = cv2.cvtColor(marked(shape), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def shares_seen(page: Page, box: Locator, shape: tuple[int, int]) -> dict[str, float]:
    """How much of each mark can be seen in an element's box, in a screenshot of the page.

    Args:
        page: As a person sees it; it is scrolled to the box.
        box: The picture's element, or one around it.
        shape: Of the whole picture, in pixels.

    Returns:
        By colour: 1 where the whole mark is there, as large as the picture fits into the box.
    """
    place, screen = _still(page, box)
    window = page.viewport_size
    assert window is not None
    assert place["width"] > 1
    assert place["y"] >= -1
    assert place["y"] + place["height"] <= window["height"] + 1, "it does not fit on the screen"
    dots = screen.shape[1] / window["width"]
    top, left = (max(0, round(place[side] * dots)) for side in ("y", "x"))
    bottom = round((place["y"] + place["height"]) * dots)
    right = round((place["x"] + place["width"]) * dots)
    seen = screen[top:bottom, left:right].astype(int)
    scale = _scale_of(seen, shape)
    whole = (round(_MARK * min(shape)) * scale) ** 2
    return {
        name: float((np.abs(seen - colour).max(axis=2) < _TOLERANCE).sum() / whole)
        for name, colour in COLOURS.items()
    }


def _still(page: Page, box: Locator) -> tuple[FloatRect, Frame]:
    """Where a box is, and a screenshot of the moment when it is there.

    A line that appears above the box, such as what a press did, moves it; then it is looked anew.
    """
    for _ in range(_MOST_LOOKS):
        box.scroll_into_view_if_needed()
        before = box.bounding_box()
        screen = decode(page.screenshot(animations="disabled"))
        if before is not None and before == box.bounding_box():
            return before, screen
    raise AssertionError("the page does not come to rest")


def is_whole(shares: dict[str, float]) -> bool:
    """Whether all four marks are there, up to what runs at their rims."""
    return all(0.75 < share < 1.3 for share in shares.values())


def _scale_of(
    seen: np.ndarray[tuple[int, ...], np.dtype[np.int_]], shape: tuple[int, int]
) -> float:
    """How large the picture is shown, as its four marks say, which span all of it."""
    is_mark = np.zeros(seen.shape[:2], bool)
    for colour in COLOURS.values():
        is_mark |= np.abs(seen - colour).max(axis=2) < _TOLERANCE
    rows, columns = np.flatnonzero(is_mark.any(axis=1)), np.flatnonzero(is_mark.any(axis=0))
    if not len(rows):
        return 1e-3
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    # Of a picture that is cut one side is too short for the other, and its marks look too small.
    return float(max(height / shape[0], width / shape[1]))


def _corners(side: int) -> list[tuple[slice, slice]]:
    first, last = slice(0, side), slice(-side, None)
    return [(first, first), (first, last), (last, first), (last, last)]
