"""A camera's JPEG -> frame, decoded no larger than the model needs."""

from __future__ import annotations

from typing import Final

from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import PictureError
from edgecls.imaging.decode import Frame, check_claims, decode, decode_rgb, is_quick
from edgecls.imaging.header import Header, read_header
from edgecls.imaging.scans import BASELINE, CAMERA_VISITS, check_jpeg_scans
from edgecls.imaging.view import WHOLE, View

REDUCTIONS: Final = (8, 4, 2)
# EXIF can turn a picture; its part stands at the very beginning (CIPA DC-008, 4.5.4).
_EXIF: Final = (b"Exif\0\0", 64)


def decode_of_camera(jpeg: bytes, preprocessing: Preprocessing, view: View = WHOLE) -> Frame:
    """`decode_scaled` for the camera loop, which may wait for no picture.

    Raises:
        PictureError: It cannot be decoded, or might take longer than a camera's frame may.
        InvalidValueError: The view's region reaches beyond the frame.
    """
    header = read_header(jpeg)
    if header.format != "JPEG" and not is_quick(header):
        raise PictureError(
            f"a camera's frame is a {header.format} that may take long to decode",
            hint="let it send JPEG",
        )
    if header.format == "JPEG" and jpeg[header.frame_at + 1] != BASELINE:
        check_jpeg_scans(jpeg, header.frame_at, CAMERA_VISITS)
    return decode_scaled(jpeg, preprocessing, view, header)


def decode_scaled(
    jpeg: bytes,
    preprocessing: Preprocessing,
    view: View = WHOLE,
    header: Header | None = None,
) -> Frame:
    """Decode a camera's frame at 1/1, 1/2, 1/4 or 1/8 of its size, and look at it.

    The smallest size is taken at which what the model keeps is still at least as large as its
    image: the decoder then does the first halvings of `prepare`, in the frequency domain, and
    skips the work for pixels that would be averaged away. Bit-identical on x86-64 and Arm.

    Args:
        jpeg: A whole JPEG; another kind of picture is decoded at its full size.
        preprocessing: What the model wants.
        view: Which part of the frame counts, and which way up.
        header: Of `jpeg`, where it was read before.

    Returns:
        uint8 RGB, (height, width, 3): what `view` looks at.

    Raises:
        PictureError: See `decode`.
        InvalidValueError: The view's region reaches beyond the frame.
    """
    header = header or read_header(jpeg)
    reduction = 1 if _is_turned(jpeg) else find_reduction(header, preprocessing, view)
    if reduction == 1:
        return view.look(decode(jpeg))
    check_claims(header, jpeg)
    frame = decode_rgb(jpeg, reduction)
    if frame is None:
        raise PictureError("the JPEG is cut off, damaged or too large")
    return view.look(frame, reduction)


def find_reduction(header: Header, preprocessing: Preprocessing, view: View = WHOLE) -> int:
    """How many times smaller a JPEG is decoded: 1, 2, 4 or 8."""
    if header.format != "JPEG" or header.size is None:
        return 1
    height, width = view.size_of(header.size)
    ratios = (height / preprocessing.size[0], width / preprocessing.size[1])
    if preprocessing.crop == "pad":
        ratio = max(ratios)
    else:
        ratio = min(ratios) * preprocessing.crop_fraction
    return next((reduction for reduction in REDUCTIONS if reduction <= ratio), 1)


def _is_turned(jpeg: bytes) -> bool:
    return jpeg.find(_EXIF[0], 0, _EXIF[1]) >= 0
