"""A frame on its way from a source to the sinks."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field

from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.decode import Frame
from edgecls.imaging.scaled import decode_of_camera
from edgecls.imaging.view import WHOLE, View


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """A frame and what is known of it.

    Args:
        pixels: uint8 RGB, (height, width, 3); None while only `jpeg` is there. Behind `develop`
            they are what `view` looks at, perhaps at the smaller size that the model needs.
        index: Its number at the source, from 0; a frame that was dropped keeps its number.
        media_s: Where it stands in a recording, in seconds; for a live source the time since start.
        captured_s: `time.monotonic()` when the source had it.
        decode_ms: What turning it into pixels took.
        name: The file it came from; empty for a stream.
        truth: Its right label; empty where it is not known.
        jpeg: The frame as the camera sent it, not checked; empty for a source of pixels.
        view: What of it is looked at; `jpeg` is the whole frame, as the camera hangs.
    """

    pixels: Frame | None
    index: int
    media_s: float
    captured_s: float = field(default_factory=time.monotonic)
    decode_ms: float = 0.0
    name: str = ""
    truth: str = ""
    jpeg: bytes = b""
    view: View = WHOLE


def develop(frame: CapturedFrame, preprocessing: Preprocessing, view: View) -> CapturedFrame:
    """Make the frame ready for `prepare`: decoded as far as the model needs it, upright and cut.

    Raises:
        PictureError: It cannot be decoded.
        InvalidValueError: The view's region reaches beyond the frame.
    """
    if frame.pixels is not None and view.is_plain:
        return frame
    started = time.monotonic()
    if frame.pixels is None:
        pixels = decode_of_camera(frame.jpeg, preprocessing, view)
    else:
        pixels = view.look(frame.pixels)
    decode_ms = frame.decode_ms + (time.monotonic() - started) * 1e3
    return dataclasses.replace(frame, pixels=pixels, decode_ms=decode_ms, view=view)
