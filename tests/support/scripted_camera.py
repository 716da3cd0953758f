"""A camera that shows what a test says: every picture that was kept can be told from all others."""

from __future__ import annotations

import functools
import time
from typing import Final

from edgecls.errors import SourceError
from edgecls.imaging.captured import CapturedFrame
from edgecls.sources import Closing
from tests.support.frames import jpeg_of, scene

FPS: Final = 50.0


class ScriptedCamera(Closing):
    """Sends the same scene until it is told another; with `is_moving` another one each time.

    Frames are JPEGs, so a kept picture is, byte for byte, `picture_of(number)`, or whatever else
    `draw` makes of a number.
    """

    is_live = True
    is_sequence = True
    name = "scripted"

    def __init__(self) -> None:
        self.number = 0
        self.is_moving = False
        self.fps = FPS
        self.is_plugged_in = True
        self.sent = 0
        self.sent_as: dict[int, bytes] = {}  # by the frame's number, while scenes move
        self.draw = picture_of
        self._index = -1

    def open(self) -> ScriptedCamera:
        """As `open_source` does; the camera can be opened again when it was lost."""
        if not self.is_plugged_in:
            raise SourceError("it is not plugged in")
        self._index = -1
        return self

    def read(self) -> CapturedFrame | None:
        time.sleep(1 / self.fps)
        if not self.is_plugged_in:
            raise SourceError("it was unplugged")
        self.number += self.is_moving
        self._index += 1
        self.sent += 1
        jpeg = self.draw(self.number)
        if self.is_moving:
            self.sent_as[self._index] = jpeg
        return CapturedFrame(None, self._index, self._index / FPS, jpeg=jpeg)

    def show(self, number: int) -> None:
        """Show another scene; returns when it was sent."""
        self.number = number
        sent = self.sent
        while self.sent < sent + 2:
            time.sleep(1 / FPS)


@functools.cache
def picture_of(number: int) -> bytes:
    """The file of a scene."""
    return jpeg_of(scene(number, (240, 320)))
