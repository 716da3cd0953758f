"""An HTTP camera on loopback whose every byte and pause a test decides."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from edgecls.imaging.opencv import cv2
from tests.support.network_camera import NetworkCamera

# Sends an answer to a request; the connection is closed when it returns.
Answer = Callable[[socket.socket, bytes], None]


def jpeg_of(color: tuple[int, int, int] = (255, 0, 0), size: tuple[int, int] = (48, 64)) -> bytes:
    """A JPEG of one colour, given as RGB."""
    return cv2.imencode(".jpg", np.full((*size, 3), color[::-1], np.uint8))[1].tobytes()


RED: Final = jpeg_of()
BLUE: Final = jpeg_of((0, 0, 255))
HEAD: Final = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def part(jpeg: bytes, *, has_length: bool = True) -> bytes:
    """One picture of a stream, with the boundary before it."""
    length = b"Content-Length: %d\r\n" % len(jpeg) if has_length else b""
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + jpeg + b"\r\n"


def answer(*pieces: bytes) -> Answer:
    """Always the same bytes, then the end."""

    def send(client: socket.socket, _request: bytes) -> None:
        client.sendall(b"".join(pieces))

    return send


def endless(jpeg: bytes = RED) -> Answer:
    """The same picture for as long as somebody listens, 200 a second."""

    def send(client: socket.socket, _request: bytes) -> None:
        client.sendall(HEAD)
        while True:
            client.sendall(part(jpeg))
            threading.Event().wait(0.005)

    return send


def then_silence(*pieces: bytes) -> Answer:
    """Some bytes, and then nothing, with the connection open until the other side hangs up."""

    def send(client: socket.socket, _request: bytes) -> None:
        client.sendall(b"".join(pieces))
        client.recv(1)

    return send


class MjpegServer(NetworkCamera):
    """Answers each connection with the next answer, and with the last one for ever."""

    def __init__(self, *answers: Answer, port: int = 0) -> None:
        self.requests: list[bytes] = []
        self._is_asked = threading.Event()
        self._answers: Sequence[Answer] = answers
        super().__init__(port)

    def url(self, path: str = "/stream", login: str = "") -> str:
        """The address to open."""
        return f"http://{login}127.0.0.1:{self.port}{path}"

    def wait_for_request(self, seconds: float) -> None:
        """Wait until somebody has asked for the first time."""
        assert self._is_asked.wait(seconds), "nobody has asked for anything"

    def _answer(self, client: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and (more := client.recv(4096)):
            request += more
        self.requests.append(request)
        self._is_asked.set()
        number = min(len(self.requests), len(self._answers)) - 1
        self._answers[number](client, request)
