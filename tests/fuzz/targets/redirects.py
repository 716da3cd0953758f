"""What an HTTP camera answers, through redirects and log-ins, up to a picture or an error."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import socket
import threading
from collections.abc import Sequence
from typing import Final

import numpy as np

from edgecls.errors import PictureError
from edgecls.imaging.opencv import cv2
from edgecls.sources import SourceWishes
from edgecls.sources.address import PASSWORD_VARIABLE, USER_VARIABLE
from edgecls.sources.http import open_source
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

# Between the answers to one connection after the other; the last one is given again and again.
_NEXT: Final = b"\n=== next ===\n"
# In its place stands the port of the server, which is another one at each run.
_PORT: Final = b"PORT"
_PLACES: Final = (
    "/", "//", "///x", "//127.0.0.1:PORT/b", "?q", "#f", "", "http:", "http://", "http:///x",
    "http://[::1/", "http://[::1]:PORT/", "http://[", "http://]", "http://[v1.x]/", "http://127.1:PORT/",
    "http://127.0.0.1:99999/", "http://127.0.0.1:-1/", "http://127.0.0.1:\xb2/", "http://127.0.0.1:0/",
    "http://u:p@127.0.0.1:PORT/", "http://@127.0.0.1:PORT/", "http://\xff.invalid/", "http://.invalid/",
    "http://" + "a" * 64 + ".invalid/", "http://" + "a." * 200 + "invalid/", "http://xn--a.invalid/",
    "http://\u2024.invalid/".encode().decode("latin-1"), "https://127.0.0.1:PORT/", "file:///etc/passwd",
    "rtsp://127.0.0.1:PORT/", "javascript:1", "data:,x", "\\\\x", "http:\\\\127.0.0.1:PORT\\x",
    "http://127.0.0.1:PORT/%00", "http://127.0.0.1:PORT/\t", "http://127.0.0.1%00:PORT/", " /x",
)  # fmt: skip
_CHALLENGES: Final = (
    'Basic realm="x"', "Basic", 'Digest realm="x", nonce="y"', "Digest", "Digest nonce=,realm=",
    'Digest realm="\xff", nonce="y", qop="auth", algorithm=SHA-256', 'Digest qop="auth-int"',
    "Negotiate", "", 'Digest realm="x", nonce="y", algorithm=MD5-sess, opaque="\\""',
)  # fmt: skip
_WISHES: Final = SourceWishes(timeout_s=0.5)


def _answer(status: int, *fields: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} Some Reason", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


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
        _NEXT.join(answers)
        for answers in ((picture,), (moved, stream), (login, chunked), (moved, login, picture))
    ]


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    answers = chance.choice(seeds).split(_NEXT)
    for _ in range(chance.randint(0, 2)):
        place = chance.randrange(len(answers) + 1)
        if chance.random() < 0.6:
            status = chance.choice((301, 302, 303, 307, 308))
            new = _answer(status, f"Location: {chance.choice(_PLACES)}")
        else:
            fields = [f"WWW-Authenticate: {chance.choice(_CHALLENGES)}" for _ in range(2)]
            new = _answer(401, *fields)
        answers.insert(place, new)
    content = _NEXT.join(answers)
    return content if chance.random() < 0.4 else mutate(chance, content, seeds, head=200)


class _Camera:
    """Gives one answer after the other, and hangs up behind each."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listening.getsockname()[1])
        self.answers: list[bytes] = []
        threading.Thread(target=self._work, daemon=True).start()

    def show(self, content: bytes) -> None:
        answers = content.replace(_PORT, str(self.port).encode()).split(_NEXT)
        self.answers = answers[::-1]

    def _work(self) -> None:
        while True:
            client, _ = self._listening.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(1.0)
                client.recv(65536)
                client.sendall(self.answers.pop() if len(self.answers) > 1 else self.answers[0])


@functools.cache
def _camera() -> _Camera:
    os.environ[USER_VARIABLE], os.environ[PASSWORD_VARIABLE] = "me", "secret"
    return _Camera()


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
