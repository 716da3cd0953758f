"""What an RTSP camera answers to the one question that is asked before FFmpeg gets it."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Sequence
from typing import Final

from edgecls.sources.address import PASSWORD_VARIABLE, USER_VARIABLE, parse_address
from edgecls.sources.rtsp.question import ask
from tests.fuzz.answering import CHALLENGES, NEXT, PLACES, AnsweringCamera, answer
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

_LIMIT_S: Final = 0.4
_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
    "m=audio 0 RTP/AVP 0\r\na=control:track2\r\n"
)
_LINES: Final = (
    "m=", "m=video", "m=audio 0 RTP/AVP 97", "m=video 0 RTP/AVP " + "9" * 500, "a=rtpmap:",
    "a=rtpmap:96 ", "a=rtpmap:99999999999 H264/90000", "a=rtpmap:\xb2 H264", "\0", "\x1b[31m",
    "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000", "m=\x1b[31m 0 X 1",
)  # fmt: skip
_STATUSES: Final = (200, 301, 302, 305, 400, 401, 403, 404, 451, 453, 454, 500, 503, 551)


def _answer(status: int, *fields: str, body: bytes = b"") -> bytes:
    return answer("RTSP/1.0", status, "CSeq: 1", *fields, body=body)


def _described(sdp: str) -> bytes:
    body = sdp.encode("latin-1", "replace")
    length = f"Content-Length: {len(body)}"
    return _answer(200, "Content-Type: application/sdp", length, body=body)


def _seeds() -> list[bytes]:
    found = _described(_SDP)
    login = _answer(
        401, 'WWW-Authenticate: Digest realm="cam", nonce="1"', "WWW-Authenticate: Basic"
    )
    moved = _answer(302, "Location: rtsp://127.0.0.1:PORT/b")
    return [NEXT.join(answers) for answers in ((found,), (login, found), (moved, login, found))]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    answers = chance.choice(seeds).split(NEXT)
    for _ in range(chance.randint(0, 2)):
        answers.insert(chance.randrange(len(answers) + 1), _another(chance))
    content = NEXT.join(answers)
    return content if chance.random() < 0.5 else mutate(chance, content, seeds, head=200)


def _another(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.4:
        lines = _SDP.split("\r\n")
        lines.insert(
            chance.randrange(len(lines)), chance.choice(_LINES) * chance.choice((1, 1, 500))
        )
        return _described("\r\n".join(lines))
    if kind < 0.7:
        return _answer(302, f"Location: {chance.choice(PLACES)}")
    fields = [f"WWW-Authenticate: {chance.choice(CHALLENGES)}" for _ in range(2)]
    length = chance.choice(("-1", "0", "5", "65537", "9" * 400, "1e3", "\xb2", " 1 ", ""))
    return _answer(chance.choice(_STATUSES), *fields, f"Content-Length: {length}")


@functools.cache
def _camera() -> AnsweringCamera:
    os.environ[USER_VARIABLE], os.environ[PASSWORD_VARIABLE] = "me", "secret"
    return AnsweringCamera(hangs_up=False)


def read(content: bytes) -> str:
    """Ask it."""
    camera = _camera()
    camera.show(content)
    address = parse_address(f"rtsp://127.0.0.1:{camera.port}/a", ("rtsp", "rtsps"))
    found = ask(address, _LIMIT_S)
    shown = " ".join(map(str, found.tracks))
    return "described" if shown else "described as nothing"


TARGET: Final = Target("answers of RTSP cameras", _seeds, _mutate, read, limit_s=20.0, memory_mb=50)
