"""Network cameras over RTSP, through FFmpeg in OpenCV, with an end to every wait."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from edgecls.errors import PictureError, SourceError
from edgecls.imaging.opencv import cv2
from edgecls.sources import CapturedFrame, Closing, SourceWishes
from edgecls.sources.address import PASSWORD_VARIABLE, USER_VARIABLE, Address, parse_address
from edgecls.sources.ffmpeg import ffmpeg_options

# TCP, since a lost UDP packet is a smeared picture; no buffer, since it makes frames old. A camera
# may not send us on to a file or to another protocol. Its rate is not guessed from its first 20
# frames, which takes 0.7 s at 30 a second.
_OPTIONS: Final = "|".join(
    (
        "rtsp_transport;tcp",
        "protocol_whitelist;rtsp,rtsps,rtp,tcp,tls,udp",
        "fflags;nobuffer",
        "flags;low_delay",
        "fpsprobesize;0",
    )
)


class RtspSource(Closing):
    """A network camera that is streaming; it is live, so read it all the time."""

    is_live = True
    is_sequence = True

    def __init__(self, address: Address, wishes: SourceWishes) -> None:
        self.name = str(address)
        self._timeout_s = wishes.silence_s
        self._index = -1
        timeout_ms = max(1, round(self._timeout_s * 1e3))
        with ffmpeg_options(_OPTIONS):
            self._capture = cv2.VideoCapture(
                address.with_password,
                cv2.CAP_FFMPEG,
                [
                    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms),
                    *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms),
                    *(cv2.CAP_PROP_N_THREADS, 1),  # the second would only hold a frame back
                ],
            )
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(
                f"{self.name}: no picture",
                hint="is the camera on, the path right, and are user and password? Set"
                f" {USER_VARIABLE} and {PASSWORD_VARIABLE}, or write rtsp://USER:PASSWORD@HOST",
            )
        self._started_s = time.monotonic()

    def read(self) -> CapturedFrame | None:
        """The next frame; waits for it no longer than the timeout.

        Raises:
            SourceError: The camera hung up or fell silent.
            PictureError: A frame that cannot be decoded.
        """
        arrived = self._capture.grab()
        now = time.monotonic()
        if not arrived:
            raise SourceError(
                f"{self.name}: the stream ended, or sent nothing for {self._timeout_s:g} s",
                hint="is the camera still on and in this network?",
            )
        self._index += 1
        is_whole, pixels = self._capture.retrieve()
        if not is_whole or pixels is None:
            raise PictureError(f"{self.name}: a frame that cannot be decoded")
        frame = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        decode_ms = (time.monotonic() - now) * 1e3
        return CapturedFrame(frame, self._index, now - self._started_s, now, decode_ms)

    def close(self) -> None:
        """Hang up."""
        self._capture.release()


def open_source(text: str, wishes: SourceWishes | None = None) -> RtspSource:
    """Open `rtsp://...` or `rtsps://...`."""
    return RtspSource(parse_address(text, ("rtsp", "rtsps")), wishes or SourceWishes())
