"""What an RTSP camera says of its streams (SDP, RFC 8866). Text in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Payload types that need no line of their own (RFC 3551, table 5).
_STATIC: Final = {"0": "PCMU", "8": "PCMA", "14": "MPA", "26": "JPEG", "32": "MPV", "33": "MP2T"}
# What carries pictures without being called a video.
_CONTAINERS: Final = ("MP2T", "MP1S", "MP2P")
_MAP: Final = re.compile(r"a=rtpmap:\s*(\d{1,3})\s+([^/\s]{1,40})", re.IGNORECASE)
_MEDIA: Final = re.compile(r"m=(\S{1,40})\s+\S+\s+\S+\s*(\d{1,3})?")
_MOST_TRACKS: Final = 32


@dataclass(frozen=True, slots=True)
class Track:
    """One of a camera's streams.

    Args:
        kind: `video`, `audio`, `application`, as the camera says.
        codec: `H264`, in capitals; empty where it does not say.
    """

    kind: str
    codec: str

    @property
    def is_video(self) -> bool:
        """Whether there are pictures in it."""
        return self.kind == "video" or self.codec in _CONTAINERS

    def __str__(self) -> str:
        return f"{self.kind} ({self.codec})" if self.codec else self.kind


def parse_description(body: bytes) -> tuple[Track, ...]:
    """The streams of a description; none where it is empty or is none at all."""
    tracks: list[Track] = []
    payload = ""
    for line in body.decode("utf-8", "replace").splitlines():
        if (media := _MEDIA.match(line)) is not None:
            if len(tracks) == _MOST_TRACKS:
                break
            payload = media[2] or ""
            tracks.append(Track(media[1].lower(), _STATIC.get(payload, "")))
        elif tracks and (found := _MAP.match(line)) is not None and found[1] == payload:
            tracks[-1] = Track(tracks[-1].kind, found[2].upper())
    return tuple(tracks)
