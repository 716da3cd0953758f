"""What an HTTP camera answers, through redirects and log-ins, up to a picture or an error."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Sequence
from typing import Final

import numpy as np

from edgecls.errors import PictureError
from edgecls.imaging.opencv import cv2
from edgecls.sources import SourceWishes
from edgecls.sources.address import PASSWORD_VARIABLE, USER_VARIABLE
from edgecls.sources.http import open_source
from tests.fuzz.answering import CHALLENGES, NEXT, PLACES, AnsweringCamera, answer
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

_WISHES: Final = SourceWishes(timeout_s=0.5)


def _answer(status: int, *fields: str, body: bytes = b"") -> bytes:
    return answer("HTTP/1.1", status, *fields, body=body)


@functools.cache
def _jpeg() -> bytes:
    return bytes(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1])


def _seeds() -> list[bytes]:
    jpeg = _jpeg()
    picture = _answer(200, "Content-Type: image/jpeg", f"Content-Length: {len(jpeg)}", body=jpeg)
    part = b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n--b\r\n"
    stream = _answer(200, "Content-Type: multipart/x-mixed-replace; boundary=b", body=part)
    chunk = f"{len(jpeg):x}\r\n".encode() + jpeg + b"\r\n0\r\n\r\n"
    chunked = _answer(200, "Content-Type: image/jpeg", "Transfer-Encoding: chunked", body=chunk)
    moved = _answer(302, "Location: http://127.0.0.1:PORT/b", "Content-Length: 0")
    login = _answer(401, 'WWW-Authenticate: Digest realm="cam", nonce="1", qop="auth"')
    return [
        NEXT.join(answers)
        for answers in ((picture,), (moved, stream), (login, chunked), (moved, login, picture))
    ]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    answers = chance.choice(seeds).split(NEXT)
    for _ in range(chance.randint(0, 2)):
        place = chance.randrange(len(answers) + 1)
        if chance.random() < 0.6:
            status = chance.choice((301, 302, 303, 307, 308))
            new = _answer(status, f"Location: {chance.choice(PLACES)}")
        else:
            fields = [f"WWW-Authenticate: {chance.choice(CHALLENGES)}" for _ in range(2)]
            new = _answer(401, *fields)
        answers.insert(place, new)
    content = NEXT.join(answers)
    return content if chance.random() < 0.4 else mutate(chance, content, seeds, head=200)


@functools.cache
def _camera() -> AnsweringCamera:
    os.environ[USER_VARIABLE], os.environ[PASSWORD_VARIABLE] = "me", "secret"
    return AnsweringCamera(hangs_up=True)


def read(content: bytes) -> str:
    """Open it as a camera, and read a picture."""
    camera = _camera()
    camera.show(content)
    with open_source(f"http://127.0.0.1:{camera.port}/a", _WISHES) as source:
        try:
            frame = source.read()
        except PictureError:
            return "no picture"
    if frame is None or not frame.jpeg:
        raise AssertionError("neither a picture nor an error")
    return "a picture"


TARGET: Final = Target("answers and redirects of HTTP cameras", _seeds, _mutate, read, limit_s=20.0,
                       memory_mb=100)  # fmt: skip
