"""Network cameras over RTSP, through FFmpeg in OpenCV, with an end to every wait."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from edgecls.errors import PictureError, SourceError
from edgecls.imaging.opencv import cv2
from edgecls.sources import CapturedFrame, Closing, SourceWishes
from edgecls.sources.address import Address, parse_address
from edgecls.sources.arrivals import FIRST_PATIENCE_S
from edgecls.sources.ffmpeg import Complaints, ffmpeg_options
from edgecls.sources.rtsp.question import Described, ask

# How long packets may come without one picture: a stream is joined at a keyframe, and "smart"
# codecs send one every 12 s and more. Plain OpenCV waits for 30 s.
PICTURE_LIMIT_S: Final = 60.0
# A camera may not send us on to a file or to another protocol, and its sound is not asked for. Its
# rate is not guessed from its first 20 frames, which takes 0.7 s at 30 a second. `nobuffer` would
# save 14 ms of age, and throws away what comes while the stream is looked at: often the one
# keyframe that a picture needs.
_OPTIONS: Final = (
    "protocol_whitelist;rtsp,rtsps,rtp,tcp,tls,udp",
    "allowed_media_types;video",
    "fflags;discardcorrupt",
    "flags;low_delay",
    "fpsprobesize;0",
    # In microseconds. Silence is ended sooner by who counts packets: see `isolated_main`.
    f"timeout;{FIRST_PATIENCE_S * 1e6:.0f}",
)
# How long that look is. Most cameras describe their stream beforehand; of one that does not, the
# next keyframe tells its size, where it is of one of these kinds.
_LOOK_S: Final = 0.5
_LONG_LOOK_S: Final = 30.0
_SIZED_LATE: Final = ("H264", "H265", "MP4V-ES")
# TCP, since a lost UDP packet is a smeared picture; FFmpeg goes on to UDP where the camera says
# that it has no TCP (461). Some say so in other words.
_TRANSPORTS: Final = ("rtsp_flags;prefer_tcp", "rtsp_transport;udp")

# For the question why there is no picture, when the opening took all there was.
_LEAST_QUESTION_S: Final = 0.1


class RtspSource(Closing):
    """A network camera that is streaming; it is live, so read it all the time."""

    is_live = True
    is_sequence = True

    def __init__(self, address: Address, wishes: SourceWishes) -> None:
        self.name = str(address)
        self._silence_s = wishes.silence_s
        self._opened_by_s = time.monotonic() + wishes.timeout_s
        self._index = -1
        self._complaints = Complaints()
        self._capture = self._open(address)
        self._started_s = time.monotonic()

    def read(self) -> CapturedFrame | None:
        """The next frame; waits for it as long as packets come, but for no more than a minute.

        Raises:
            SourceError: The camera hung up, fell silent, or sends nothing that becomes a picture.
            PictureError: A frame that cannot be decoded.
        """
        begun_s = time.monotonic()
        arrived = self._capture.grab()
        now = time.monotonic()
        if not arrived:
            raise self._lost(now - begun_s)
        self._index += 1
        with self._complaints.heard():
            is_whole, pixels = self._capture.retrieve()
        if not is_whole or pixels is None or pixels.size == 0:
            raise PictureError(f"{self.name}: a frame that cannot be decoded")
        if problem := self._complaints.problem():
            raise SourceError(
                f"{self.name}: {problem}",
                hint="choose a progressive stream in the camera's settings, such as 720p for 1080i",
            )
        frame = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        decode_ms = (time.monotonic() - now) * 1e3
        return CapturedFrame(frame, self._index, now - self._started_s, now, decode_ms)

    def close(self) -> None:
        """Hang up."""
        self._capture.release()
        self._complaints.close()

    def _open(self, address: Address) -> cv2.VideoCapture:
        # FFmpeg follows redirects with the password in its hand: where there is one, they end here.
        described = self._ask(address) if address.has_login else None
        for transport in _TRANSPORTS:
            for look_s in (_LOOK_S, _LONG_LOOK_S):
                address = described.address if described else address
                capture = self._try(address, transport, look_s)
                if capture is not None:
                    return capture
                described = described or self._ask(address)
                if not any(track.codec in _SIZED_LATE for track in described.tracks):
                    break
        sent = ", ".join(str(track) for track in described.tracks) if described else ""
        raise SourceError(
            f"{self.name}: the camera answers, and promises {sent or 'a stream'}, but no picture"
            " of it came",
            hint="does another program show it? a slow camera needs a longer --source-timeout;"
            " an unusual codec is changed in its settings (H.264 works)",
        )

    def _ask(self, address: Address) -> Described:
        left_s = self._opened_by_s - time.monotonic()
        limit_s = max(_LEAST_QUESTION_S, min(self._silence_s, left_s))
        try:
            return ask(address, limit_s, FIRST_PATIENCE_S)
        except SourceError as wrong:
            raise SourceError(f"{self.name}: {wrong.problem}", hint=wrong.hint) from wrong

    def _try(self, address: Address, transport: str, look_s: float) -> cv2.VideoCapture | None:
        """What FFmpeg opens; None if it cannot, or does not know its frames' size."""
        look = f"analyzeduration;{look_s * 1e6:.0f}"
        limit_ms = round(PICTURE_LIMIT_S * 1e3)
        with ffmpeg_options("|".join((transport, *_OPTIONS, look))):
            capture = cv2.VideoCapture(
                address.with_password,
                cv2.CAP_FFMPEG,
                [
                    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms),
                    *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms),
                    *(cv2.CAP_PROP_N_THREADS, 1),  # the second would only hold a frame back
                ],
            )
        if capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_WIDTH) > 0:
            return capture
        capture.release()
        return None

    def _lost(self, waited_s: float) -> SourceError:
        if waited_s >= PICTURE_LIMIT_S:
            return SourceError(
                f"{self.name}: packets come, but no picture in {PICTURE_LIMIT_S:g} s",
                hint="set a keyframe (I-frame) interval of 1 or 2 s in the camera's settings",
            )
        if self._index < 0:
            return SourceError(
                f"{self.name}: the camera answers, but no picture came in {waited_s:.3g} s",
                hint="does another program show it? start the camera again",
            )
        return SourceError(
            f"{self.name}: the stream ended, or sent nothing for {self._silence_s:g} s",
            hint="is the camera still on and in this network?",
        )


def open_source(text: str, wishes: SourceWishes | None = None) -> RtspSource:
    """Open `rtsp://...` or `rtsps://...`."""
    return RtspSource(parse_address(text, ("rtsp", "rtsps")), wishes or SourceWishes())
