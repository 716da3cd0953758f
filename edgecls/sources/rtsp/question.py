"""One question to an RTSP camera, DESCRIBE, which tells a wrong password from a wrong path.

FFmpeg says no more than that there is no picture. And it would tell the password to whomever a
camera sends us on to, so where there is one, this question goes first and redirects end here.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from edgecls.errors import SourceError
from edgecls.sources.address import Address
from edgecls.sources.network.authorization import authorize, explain_401
from edgecls.sources.network.head import MOST_REDIRECTS, REDIRECTS, Head
from edgecls.sources.network.wire import Wire
from edgecls.sources.rtsp.description import Track, parse_description

_MOST_BODY: Final = 64 << 10
_PATHS: Final = (
    "look for its path in the camera's settings or manual: /Streaming/Channels/102 (Hikvision),"
    " /cam/realmonitor?channel=1&subtype=1 (Dahua), /h264Preview_01_sub (Reolink), /stream2 (Tapo)"
)


@dataclass(frozen=True, slots=True)
class Described:
    """What a camera says of itself.

    Args:
        address: Where it is, behind all redirects, with the user and password that it may be told.
        tracks: What it sends.
    """

    address: Address
    tracks: tuple[Track, ...]


def ask(address: Address, limit_s: float, patience_s: float = 0.0) -> Described:
    """Ask a camera what it sends; redirects are followed and it is logged in to.

    Args:
        address: Of the camera.
        limit_s: For everything together.
        patience_s: For everything once there was a first answer, if that is more: some start their
            encoder before they go on.

    Raises:
        SourceError: Why it gives no picture, in words, with what to do.
    """
    started_s = time.monotonic()
    deadline_s, latest_s = started_s + limit_s, started_s + max(limit_s, patience_s)
    asked = address
    try:
        for _ in range(MOST_REDIRECTS + 1):
            with closing(Wire(address, deadline_s)) as wire:
                head = _describe(wire, asked, address, latest_s)
                if head.status not in REDIRECTS:
                    return Described(address, _tracks_of(wire, head, address))
            address = address.follow(head.fields.get("location", ""))
            deadline_s = latest_s
    except TimeoutError as wrong:
        raise SourceError(
            f"the camera does not answer within {limit_s:.3g} s",
            hint="is it on and in this network? a slow one needs a longer --source-timeout",
        ) from wrong
    except OSError as wrong:
        if isinstance(wrong, SourceError):
            raise
        raise SourceError(
            wrong.strerror or str(wrong),
            hint=f"is the camera on, and is {address.port} its RTSP port? most have 554",
        ) from wrong
    raise SourceError(
        f"the camera sends us on more than {MOST_REDIRECTS} times",
        hint="give the address where it ends",
    )


def _describe(wire: Wire, asked: Address, address: Address, latest_s: float) -> Head:
    """The answer to DESCRIBE, or a redirect; logged in where that is wanted."""
    # As FFmpeg does, which would follow a redirect at either with the password in its hand.
    head = _ask_for("OPTIONS", wire, asked, address, latest_s)
    if head.status in REDIRECTS:
        return head
    _pass_over(wire, head)
    return _ask_for("DESCRIBE", wire, asked, address, latest_s)


def _ask_for(method: str, wire: Wire, asked: Address, address: Address, latest_s: float) -> Head:
    head = _request(method, wire, address, "")
    wire.deadline_s = latest_s
    if head.status != 401:
        return head
    answer = authorize(address, head.challenges, method, address.url)
    if not answer:
        raise explain_401(head.challenges, asked, address)
    _pass_over(wire, head)
    return _request(method, wire, address, answer)


def _request(method: str, wire: Wire, address: Address, authorization: str) -> Head:
    wire.send(
        [
            f"{method} {address.url} RTSP/1.0",
            f"CSeq: {wire.next_number()}",
            "User-Agent: edgecls",
            "Accept: application/sdp",
            *([f"Authorization: {authorization}"] if authorization else []),
        ]
    )
    return wire.read_head("RTSP")


def _pass_over(wire: Wire, head: Head) -> None:
    """Read the body of an answer that does not matter."""
    _read(wire, head.length or 0)


def _read(wire: Wire, length: int) -> bytes:
    if length > _MOST_BODY:
        raise SourceError(f"the camera's description has over {_MOST_BODY >> 10} KB")
    body = bytearray(length)
    with memoryview(body) as room:
        filled = 0
        while filled < length and (count := wire.receive(room[filled:])):
            filled += count
    return bytes(body[:filled])


def _tracks_of(wire: Wire, head: Head, address: Address) -> tuple[Track, ...]:
    if head.status != 200:
        raise _refused(head, has_login=address.has_login)
    tracks = parse_description(_read(wire, head.length or 0))
    if tracks and not any(track.is_video for track in tracks):
        kinds = ", ".join(dict.fromkeys(str(track) for track in tracks))
        raise SourceError(
            f"the camera sends no video at this address, only {kinds}",
            hint="give the path of its video stream",
        )
    return tracks


def _refused(head: Head, *, has_login: bool) -> SourceError:
    answered = f"{head.status} {head.reason}".rstrip()
    if head.status in (401, 403) and has_login:
        return SourceError(
            f"the camera refuses this user and password ({answered})",
            hint="check both, and what this user may see; cameras often have a user of their own"
            " for RTSP, and lock for minutes after some wrong tries",
        )
    if head.status in (400, 404, 451, 454):
        return SourceError(f"the camera has no stream at this path ({answered})", hint=_PATHS)
    if head.status in (453, 503):
        return SourceError(
            f"the camera is busy ({answered})",
            hint="is somebody else watching? small cameras serve few viewers at a time",
        )
    return SourceError(
        f"the camera answers {answered}", hint="does the address work with another program?"
    )
