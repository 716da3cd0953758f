"""Where frames come from: one interface, chosen by what the user wrote after `--source`."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, Self, TypeAlias, get_args

from edgecls.contract.address import redact_address
from edgecls.errors import InvalidValueError, NoSuchSourceError
from edgecls.imaging.captured import CapturedFrame

__all__ = [
    "SOURCES",
    "CapturedFrame",
    "Closing",
    "PixelFormat",
    "Source",
    "SourceWishes",
    "can_come_back",
    "known_sources",
    "open_here",
    "open_source",
]

PixelFormat: TypeAlias = Literal["auto", "MJPG", "YUYV"]


# Of the timeout: closing and opening again must fit into it as well, and on the smallest boards a
# process that reads a camera takes over a second to start.
_SILENT_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class SourceWishes:
    """What the user would like of a source; a source that cannot gives what it has.

    Args:
        size: (height, width) of its frames, in pixels; None for the source's own choice.
        fps: Frames a second; None for the source's own choice.
        pixel_format: How a V4L2 camera sends them; `auto` prefers MJPG, as USB is slow.
        model_size: (height, width) of the image that the model takes, for cameras that can resize.
        timeout_s: For connecting, and between two frames.
        memory_mb: What the process of a source may take that is read by one, in 10^6 bytes.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    pixel_format: PixelFormat = "auto"
    model_size: tuple[int, int] | None = None
    timeout_s: float = 5.0
    memory_mb: float = 400.0

    def __post_init__(self) -> None:
        if self.size is not None and not all(1 <= side <= 1 << 14 for side in self.size):
            raise InvalidValueError(
                f"the frame size is {self.size[1]}x{self.size[0]}, wanted 1 to {1 << 14} each"
            )
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise InvalidValueError(f"the camera's fps is {self.fps}, wanted 0 to 1000")
        if self.pixel_format not in get_args(PixelFormat):
            raise InvalidValueError(
                f"there is no pixel format {self.pixel_format!r}",
                hint=f"known: {', '.join(get_args(PixelFormat))}",
            )
        if not 0 < self.timeout_s <= 3600:
            raise InvalidValueError(f"the timeout is {self.timeout_s} s, wanted 0 to 3600")
        if not 0 < self.memory_mb <= 1e6:
            raise InvalidValueError(f"the memory of a source is {self.memory_mb} MB, wanted more")

    @property
    def silence_s(self) -> float:
        """How long it may say nothing; what is left of the timeout is for opening it again."""
        return self.timeout_s * _SILENT_SHARE


class Source(Protocol):
    """An open source. A live one must be drained, or its frames grow old."""

    name: str
    is_live: bool
    is_sequence: bool  # whether one frame says something of the next
    warnings: tuple[str, ...]  # what was asked for and not given, a line each
    rate: float  # frames a second that it says it gives; 0 where it does not say

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

    warnings: tuple[str, ...] = ()
    rate: float = 0.0

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
    "picamera": ("edgecls.sources.picamera", "picamera:0 (a Raspberry Pi camera)"),
    "http": ("edgecls.sources.http", "http://HOST/PATH (an MJPEG stream or snapshots)"),
    "rtsp": ("edgecls.sources.rtsp", "rtsp://HOST/PATH (a network camera)"),
    "video": ("edgecls.sources.video", "FILE.mp4 (a video file)"),
    "images": ("edgecls.sources.images", "FILE.jpg or FOLDER (pictures)"),
    "fake": ("edgecls.sources.fake", "fake:digits or fake:colors (made-up frames)"),
}
# Everything else that FFmpeg or a redirect could open (`concat:`, `file:`, `tcp:`) stays shut.
_SCHEMES: Final = {
    "fake": "fake",
    "picamera": "picamera",
    "http": "http",
    "https": "http",
    "rtsp": "rtsp",
    "rtsps": "rtsp",
}
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_PICTURE_SUFFIXES: Final = frozenset(
    ".jpg .jpeg .png .bmp .webp .gif .tif .tiff .avif .ppm .pgm .heic".split()
)


# Read by libraries that a thread cannot be ended in: FFmpeg and libcamera.
_ISOLATED: Final = frozenset(("rtsp", "picamera"))
# What may be absent now and there later.
_DEVICES: Final = frozenset(("camera", "picamera", "http", "rtsp", "fake"))


def open_source(text: str, wishes: SourceWishes | None = None) -> Source:
    """Open what the user wrote after `--source`, in a process of its own where that is safer.

    Raises:
        SourceError: No such source, or it cannot be opened; the hint names the others.
    """
    kind = _kind_of(text)
    if kind not in _ISOLATED:
        return open_here(kind, text, wishes or SourceWishes())
    from edgecls.sources.isolated import IsolatedSource

    return IsolatedSource(kind, text, wishes or SourceWishes())


def open_here(kind: str, text: str, wishes: SourceWishes) -> Source:
    """Open a source of a known kind in this process; see `open_source` for errors."""
    opened: Source = importlib.import_module(SOURCES[kind][0]).open_source(text, wishes)
    return opened


def can_come_back(text: str) -> bool:
    """Whether this is a camera, which may be absent now and there later.

    Raises:
        NoSuchSourceError: It is nothing that could ever be opened.
    """
    return _kind_of(text) in _DEVICES


def known_sources() -> str:
    """How the sources are written, for hints."""
    return ", ".join(written for _, written in SOURCES.values())


def _kind_of(text: str) -> str:
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[1].lower() in _SCHEMES:
        return _SCHEMES[scheme[1].lower()]
    if text.isdecimal() or text.startswith("/dev/video"):
        return "camera"
    path = Path(text)
    if text and path.is_dir():
        return "images"
    if path.is_file():
        return "images" if path.suffix.lower() in _PICTURE_SUFFIXES else "video"
    if text and path.exists():
        raise NoSuchSourceError(
            f"{text!r} is a pipe, a socket or a device that is no camera",
            hint=f"known sources: {known_sources()}",
        )
    if scheme is not None:
        raise NoSuchSourceError(
            f"sources of the kind '{scheme[1]}:' are refused: {redact_address(text)!r}",
            hint=f"known sources: {known_sources()}",
        )
    raise NoSuchSourceError(
        f"there is no source {text!r}: no such file, and not a way a source is written",
        hint=f"known sources: {known_sources()}",
    )
