"""Frame -> image: crop, antialiased resize and colour, the same bytes on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import ShapeError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2

Image = npt.NDArray[np.uint8]


def prepare(frame: Frame, preprocessing: Preprocessing, out: Image | None = None) -> Image:
    """Turn a frame into the image that a model expects.

    Every side is halved (exact mean of neighbours) while it is at least twice the wanted one, and
    finished with OpenCV's exact bilinear: antialiased, and bit-identical on x86-64 and Arm,
    which INTER_AREA is not.

    Args:
        frame: uint8 RGB, (height, width, 3); rows may be strided, it is not changed.
        preprocessing: The model's wish.
        out: Where to write, uint8 of `preprocessing.shape`, such as a view of the input tensor.

    Returns:
        `out`, or a new array: uint8, `preprocessing.shape`.

    Raises:
        ShapeError: The frame or `out` is not as described.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ShapeError(
            f"a frame is uint8 (height, width, 3), this one is {frame.dtype} {frame.shape}"
        )
    if out is None:
        out = np.empty(preprocessing.shape, np.uint8)
    elif out.dtype != np.uint8 or out.shape != preprocessing.shape:
        raise ShapeError(
            f"the image is uint8 {preprocessing.shape}, 'out' is {out.dtype} {out.shape}"
        )
    if preprocessing.crop == "pad":
        _prepare_padded(frame, preprocessing, out)
        return out
    if preprocessing.crop == "center":
        frame = crop_center(frame, preprocessing.size, preprocessing.crop_fraction)
    _resize_into(frame, out)
    return out


def crop_center(frame: Frame, size: tuple[int, int], fraction: float) -> Frame:
    """The middle of a frame with the aspect ratio of `size`, as a view.

    Args:
        frame: (height, width, 3).
        size: (height, width) that it will be resized to.
        fraction: Of the largest such middle, in (0, 1].
    """
    top, left, height, width = _center_box(frame.shape[:2], size, fraction)
    return frame[top : top + height, left : left + width]


def kept_part(
    frame_size: tuple[int, int], preprocessing: Preprocessing
) -> tuple[float, float, float, float]:
    """What of a frame reaches the model: x, y, width and height as shares of the frame (0-1).

    Args:
        frame_size: (height, width) of the frame that `prepare` is given.
        preprocessing: The model's wish.
    """
    if preprocessing.crop != "center":
        return 0.0, 0.0, 1.0, 1.0
    box = _center_box(frame_size, preprocessing.size, preprocessing.crop_fraction)
    (top, left, height, width), (rows, columns) = box, frame_size
    return left / columns, top / rows, width / columns, height / rows


def _center_box(
    frame_size: tuple[int, ...], size: tuple[int, int], fraction: float
) -> tuple[int, int, int, int]:
    """Top, left, height and width in pixels."""
    height, width = frame_size
    scale = min(height / size[0], width / size[1]) * fraction
    crop_height = max(1, round(size[0] * scale))
    crop_width = max(1, round(size[1] * scale))
    return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width


def _prepare_padded(frame: Frame, preprocessing: Preprocessing, out: Image) -> None:
    height, width = preprocessing.size
    scale = min(height / frame.shape[0], width / frame.shape[1])
    inner_height = max(1, round(frame.shape[0] * scale))
    inner_width = max(1, round(frame.shape[1] * scale))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    out[:] = 0
    inner = np.empty((inner_height, inner_width, preprocessing.depth), np.uint8)
    _resize_into(frame, inner)
    out[top : top + inner_height, left : left + inner_width] = inner


def _resize_into(frame: Frame, out: Image) -> None:
    height, width, depth = out.shape
    frame = _halve_towards(frame, height, width)
    if depth == 3:
        _finish(frame, (height, width), out)
        return
    color = frame if frame.shape[:2] == (height, width) else _finish(frame, (height, width), None)
    cv2.cvtColor(color, cv2.COLOR_RGB2GRAY, dst=out[:, :, 0])


def _halve_towards(frame: Frame, height: int, width: int) -> Frame:
    """Halve each side while it stays at least `height` or `width`, by the mean of neighbours."""
    rows, columns = frame.shape[0] // height, frame.shape[1] // width
    row_halvings, column_halvings = rows.bit_length() - 1, columns.bit_length() - 1
    if row_halvings <= 0 and column_halvings <= 0:
        return frame
    # Only whole groups of pixels are averaged; what is trimmed is less than one pixel of the image.
    frame = _trim(frame, 1 << max(row_halvings, 0), 1 << max(column_halvings, 0))
    while row_halvings > 0 or column_halvings > 0:
        size = (
            frame.shape[1] // (2 if column_halvings > 0 else 1),
            frame.shape[0] // (2 if row_halvings > 0 else 1),
        )
        # INTER_AREA at exactly one half is an integer mean, and so the same everywhere.
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        row_halvings -= 1
        column_halvings -= 1
    return frame


def _trim(frame: Frame, rows: int, columns: int) -> Frame:
    height, width = frame.shape[0] // rows * rows, frame.shape[1] // columns * columns
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    return frame[top : top + height, left : left + width]


def _finish(frame: Frame, size: tuple[int, int], out: Image | None) -> Image:
    height, width = size
    result = cv2.resize(frame, (width, height), dst=out, interpolation=cv2.INTER_LINEAR_EXACT)
    return result.astype(np.uint8, copy=False)
