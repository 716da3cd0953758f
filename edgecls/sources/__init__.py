"""Where frames come from: one interface, chosen by what the user wrote after `--source`."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from edgecls.errors import SourceError
from edgecls.imaging.decode import Frame


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """A frame and what is known of it.

    Args:
        pixels: uint8 RGB, (height, width, 3).
        index: Its number at the source, from 0; a frame that was dropped keeps its number.
        media_s: Where it stands in a recording, in seconds; for a live source the time since start.
        captured_s: `time.monotonic()` when the source had it.
        decode_ms: What turning it into pixels took.
        name: The file it came from; empty for a stream.
        truth: Its right label; empty where it is not known.
    """

    pixels: Frame
    index: int
    media_s: float
    captured_s: float = field(default_factory=time.monotonic)
    decode_ms: float = 0.0
    name: str = ""
    truth: str = ""


class Source(Protocol):
    """An open source. A live one must be drained, or its frames grow old."""

    name: str
    is_live: bool
    is_sequence: bool  # whether one frame says something of the next

    def read(self) -> CapturedFrame | None:
        """The next frame; None at the end.

        Raises:
            SourceError: The source is lost; opening it again may help.
            PictureError: This one frame cannot be decoded; the next may.
        """

    def close(self) -> None:
        """Let go of the hardware; may be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        wrong: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Closing:
    """Makes a source usable in a `with` statement."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        wrong: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to let go of."""


# Name -> (module that has `open_source`, how it is written).
SOURCES: Final = {
    "camera": ("edgecls.sources.camera", "0 or /dev/video0 (a V4L2 or USB camera)"),
    "video": ("edgecls.sources.video", "FILE.mp4 (a video file)"),
    "images": ("edgecls.sources.images", "FILE.jpg or FOLDER (pictures)"),
    "fake": ("edgecls.sources.fake", "fake:digits or fake:colors (made-up frames)"),
}
_PICTURE_SUFFIXES: Final = frozenset(
    ".jpg .jpeg .png .bmp .webp .gif .tif .tiff .avif .ppm .pgm .heic".split()
)


def open_source(text: str) -> Source:
    """Open what the user wrote after `--source`.

    Raises:
        SourceError: No such source, or it cannot be opened; the hint names the others.
    """
    opened: Source = importlib.import_module(SOURCES[_kind_of(text)][0]).open_source(text)
    return opened


def known_sources() -> str:
    """How the sources are written, for hints."""
    return ", ".join(written for _, written in SOURCES.values())


def _kind_of(text: str) -> str:
    if text.startswith("fake:"):
        return "fake"
    if text.isdecimal() or text.startswith("/dev/video"):
        return "camera"
    path = Path(text)
    if text and path.is_dir():
        return "images"
    if path.is_file():
        return "images" if path.suffix.lower() in _PICTURE_SUFFIXES else "video"
    if text and path.exists():
        raise SourceError(
            f"{text!r} is a pipe, a socket or a device that is no camera",
            hint=f"known sources: {known_sources()}",
        )
    raise SourceError(
        f"there is no source {text!r}: no such file, and not a way a source is written",
        hint=f"known sources: {known_sources()}",
    )
