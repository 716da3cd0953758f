"""Video files, through OpenCV: every frame, as fast as they are asked for."""

from __future__ import annotations

import math
import os
import shlex
import time
from typing import Final

import numpy as np

from edgecls.errors import SourceError
from edgecls.imaging.opencv import cv2
from edgecls.sources import CapturedFrame, Closing, SourceWishes
from edgecls.sources.ffmpeg import Complaints, ffmpeg_options

# FFmpeg would show a text file as a film of its letters, and go wherever a playlist points.
_OPTIONS: Final = "|".join(
    (
        "format_whitelist;mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,ogg"
        ",flv,asf,h264,hevc,av1,ivf,mjpeg,gif,dv,mxf,nut,yuv4mpegpipe",
        "protocol_whitelist;file",
    )
)


class VideoSource(Closing):
    """A recording; it ends."""

    is_live = False
    is_sequence = True

    def __init__(self, path: str) -> None:
        self.name = path
        with ffmpeg_options(_OPTIONS):
            # From the root, so that no name of a file is taken for a protocol: `concat:a|b`.
            self._capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                f"{path!r} cannot be opened as a video",
                hint="check it with a player; MP4, MKV, AVI and WebM files work",
            )
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._fps = rate if math.isfinite(rate) and 0 < rate <= 1000 else 30.0
        self._index = -1
        self._complaints = Complaints()

    def read(self) -> CapturedFrame | None:
        """The next frame; None at the end, whatever length the file claims.

        Raises:
            SourceError: It is interlaced, or has no frame at all.
        """
        now = time.monotonic()
        with self._complaints.heard():
            arrived, pixels = self._capture.read()
        if problem := self._complaints.problem():
            raise SourceError(
                f"{self.name!r} cannot be shown: {problem}",
                hint=f"make it progressive: ffmpeg -i {shlex.quote(self.name)} -vf yadif new.mp4",
            )
        if not arrived:
            if self._index < 0:
                raise SourceError(
                    f"{self.name!r} is a video without one frame that can be decoded",
                    hint="check it with a player; it may be cut off or of an unusual codec",
                )
            return None
        self._index += 1
        frame = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        decode_ms = (time.monotonic() - now) * 1e3
        return CapturedFrame(frame, self._index, self._index / self._fps, now, decode_ms)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()
        self._complaints.close()


def open_source(text: str, _wishes: SourceWishes | None = None) -> VideoSource:
    """Open a video file by its path."""
    return VideoSource(text)
