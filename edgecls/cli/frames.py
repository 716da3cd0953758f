"""Options about frames: what a source is asked for, what of it is looked at, and how often."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, TypeAlias

import typer

if TYPE_CHECKING:
    from edgecls.gating import MotionSettings
    from edgecls.imaging.view import View
    from edgecls.sources import SourceWishes

_PANEL: Final = "Frames"

RotateOption: TypeAlias = Annotated[
    int,
    typer.Option(
        help="Turn frames clockwise by 90, 180 or 270 degrees, for a camera that hangs otherwise.",
        rich_help_panel=_PANEL,
    ),
]
FlipOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Mirror frames, after turning: horizontal (left and right), vertical, or both.",
        rich_help_panel=_PANEL,
    ),
]
RoiOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Look only at x,y,w,h of the upright frame: pixels, or shares (0.25,0,0.5,1).",
        rich_help_panel=_PANEL,
    ),
]
SizeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Frame size to ask the camera for: 1280x720.", rich_help_panel=_PANEL),
]
CameraFpsOption: TypeAlias = Annotated[
    float | None,
    typer.Option(help="Frames a second to ask the camera for.", rich_help_panel=_PANEL),
]
PixelFormatOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="How a USB camera sends frames: auto, MJPG or YUYV.",
        show_default="auto",
        rich_help_panel=_PANEL,
    ),
]
MotionOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--motion",
        help="Classify what moves, and --idle-fps frames a second of what does not.",
        rich_help_panel=_PANEL,
    ),
]
MotionThresholdOption: TypeAlias = Annotated[
    float,
    typer.Option(
        help="Gray levels (of 255) by which a part of the frame must change to have moved.",
        rich_help_panel=_PANEL,
    ),
]
IdleFpsOption: TypeAlias = Annotated[
    float,
    typer.Option(
        help="With --motion: frames classified a second where nothing moves.",
        rich_help_panel=_PANEL,
    ),
]


class FrameChoices(NamedTuple):
    """What the user chose of the options above, as written."""

    rotate: Any = 0
    flip: Any = "none"
    roi: str | None = None
    size: str | None = None
    camera_fps: float | None = None
    pixel_format: Any = "auto"
    has_motion: bool = False
    motion_threshold: float = 10.0
    idle_fps: float = 1.0

    def to_view(self) -> View:
        """What of a frame is looked at.

        Raises:
            InvalidValueError: One of the options makes no sense.
        """
        from edgecls.imaging.view import Region, View

        return View(self.rotate, self.flip, Region.parse(self.roi) if self.roi else None)

    def to_wishes(self, model_size: tuple[int, int] | None) -> SourceWishes:
        """What the source is asked for; see `to_view` for errors."""
        from edgecls.sources import SourceWishes

        size = _parse_size(self.size) if self.size else None
        return SourceWishes(size, self.camera_fps, self.pixel_format or "auto", model_size)

    def to_motion(self) -> MotionSettings | None:
        """When to classify; see `to_view` for errors."""
        from edgecls.gating import MotionSettings

        settings = MotionSettings(self.motion_threshold, self.idle_fps)
        return settings if self.has_motion else None


def _parse_size(text: str) -> tuple[int, int]:
    """(height, width) of `WIDTHxHEIGHT`, as cameras are sold."""
    from edgecls.errors import InvalidValueError

    found = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    if found is None:
        raise InvalidValueError(
            f"{text!r} is no frame size", hint="write WIDTHxHEIGHT: --size 1280x720"
        )
    return int(found[2]), int(found[1])
