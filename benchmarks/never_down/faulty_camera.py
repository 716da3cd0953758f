"""An MJPEG camera on loopback that does what can go wrong with one, and counts what it sent."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

_HEAD: Final = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n"
NOT_FOUND: Final = b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"
PAGE: Final = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>booting</html>"
# Takes connections, and never says a word.
MUTE: Final = b"\0"
_VARIETY: Final = 32
SIZE: Final = (480, 640)
OTHER_SIZE: Final = (360, 480)
# All that was sent before a cut has been read by then, so that sent is received.
_DRAIN_S: Final = 0.7
_SPAN: Final = 20


def noisy_jpegs(size: tuple[int, int], level: int | None = None) -> list[bytes]:
    """Pictures of one scene (or of one gray level), each with noise of its own."""
    random = np.random.default_rng(0)
    scene = np.full((*size, 3), level or 0, np.uint8)
    if level is None:
        for _ in range(30):
            at = random.integers(0, size[::-1], 2)
            color = tuple(int(value) for value in random.integers(40, 255, 3))
            cv2.circle(scene, (int(at[0]), int(at[1])), int(random.integers(10, 90)), color, -1)
    noise = 6 if level is None else 3
    return [
        cv2.imencode(".jpg", cv2.add(scene, random.integers(0, noise, scene.shape, np.uint8)))[
            1
        ].tobytes()
        for _ in range(_VARIETY)
    ]


class FaultyCamera:
    """Streams to whoever connects.

    Args:
        fps: Pictures a second.
        port: 0 for any.
    """

    def __init__(self, fps: float = 30.0, port: int = 0) -> None:
        self.fps = fps
        self.sent = 0  # whole parts, pictures or not
        self.connections = 0
        self.changed_s = 0.0  # when the latest fault, or its end, really took place
        self.is_paused = False
        self._pictures = {
            "scene": noisy_jpegs(SIZE),
            "resized": noisy_jpegs(OTHER_SIZE),
            "black": noisy_jpegs(SIZE, 2),
            "frozen": noisy_jpegs(SIZE)[:1],
        }
        self._shown = "scene"
        self._rate = fps
        self._answer = b""  # instead of a stream
        self._fault: str = ""
        self._is_over = False
        self._lock = threading.Lock()
        self._listening: socket.socket | None = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, args=(self._listening,), daemon=True).start()

    @property
    def url(self) -> str:
        """Of the stream."""
        return f"http://127.0.0.1:{self.port}/stream"

    def inject(self, fault: str) -> None:
        """Do something wrong before the next picture: one of `FAULTS`."""
        with self._lock:
            self._fault = fault

    def show(self, what: str, rate: float | None = None) -> None:
        """From now on `scene`, `resized`, `black` or `frozen`, so many a second."""
        self._shown, self._rate = what, self.fps if rate is None else rate
        self.note()

    def answer_with(self, answer: bytes) -> None:
        """From now on this instead of a stream, and the end of the one that runs; empty: well."""
        self._answer = answer
        self.note()
        if answer:
            self.inject("close")

    def refuse(self) -> None:
        """Take no connection any more."""
        listening, self._listening = self._listening, None
        if listening is not None:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        self.inject("close")

    def accept(self) -> None:
        """Take connections again, at the same port."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self.note()
        threading.Thread(target=self._serve, args=(self._listening,), daemon=True).start()

    def note(self) -> None:
        """This is the moment of the fault."""
        self.changed_s = time.monotonic()

    def close(self) -> None:
        """The end."""
        self._is_over = True
        self.refuse()

    def _serve(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self._is_over:
                client = listening.accept()[0]
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(4096)
            self.connections += 1
            if self._answer:
                if self._answer == MUTE:
                    client.recv(1)  # until the other side hangs up
                client.sendall(self._answer)
                return
            client.sendall(_HEAD)
            self._stream(client)

    def _stream(self, client: socket.socket) -> None:
        number, due_s = 0, time.monotonic()
        while not self._is_over:
            due_s = max(due_s + 1 / self._rate, time.monotonic() - 1)
            time.sleep(max(0.0, due_s - time.monotonic()))
            while self.is_paused:
                time.sleep(0.05)
            with self._lock:
                fault, self._fault = self._fault, ""
            if fault and not FAULTS[fault](self, client):
                return
            pictures = self._pictures[self._shown]
            self.send(client, pictures[number % len(pictures)])
            number += 1

    def send(self, client: socket.socket, content: bytes) -> None:
        """One part of the stream, and count it."""
        client.sendall(_part(content))
        self.sent += 1


def _part(content: bytes) -> bytes:
    head = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(content)
    return head + content + b"\r\n"


def _close(camera: FaultyCamera, _client: socket.socket) -> bool:
    time.sleep(_DRAIN_S)
    camera.note()
    return False


def _reset(camera: FaultyCamera, client: socket.socket) -> bool:
    time.sleep(_DRAIN_S)
    camera.note()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _half(camera: FaultyCamera, client: socket.socket) -> bool:
    time.sleep(_DRAIN_S)
    camera.note()
    client.sendall(_part(camera._pictures["scene"][0])[:5000])
    return False


def _stall(camera: FaultyCamera, client: socket.socket) -> bool:
    camera.note()
    client.recv(1)  # until the other side hangs up
    return False


def _stall_in_picture(camera: FaultyCamera, client: socket.socket) -> bool:
    client.sendall(_part(camera._pictures["scene"][0])[:5000])
    return _stall(camera, client)


def _drip(camera: FaultyCamera, client: socket.socket) -> bool:
    camera.note()
    client.settimeout(1.0)
    for byte in _part(camera._pictures["scene"][0]):
        client.sendall(bytes((byte,)))
        with contextlib.suppress(TimeoutError):
            client.recv(1)
            return False
    return False


def _not_jpeg(camera: FaultyCamera, client: socket.socket) -> bool:
    for _ in range(_SPAN):
        camera.send(client, b"this is no JPEG, it is a fault" * 40)
        camera.note()
        time.sleep(1 / camera.fps)
    return True


def _flipped(camera: FaultyCamera, client: socket.socket) -> bool:
    """Damaged in the middle: it may look odd, or not be readable at all."""
    for number in range(_SPAN):
        content = bytearray(camera._pictures["scene"][number])
        content[2000:2400] = bytes(400)
        content[200:204] = b"\xff\xff\x13\x37"
        camera.send(client, bytes(content))
        time.sleep(1 / camera.fps)
    return True


def _garbage(camera: FaultyCamera, client: socket.socket) -> bool:
    for _ in range(16):
        client.sendall(b"what is this?\r\n" * 300)
    camera.note()
    return True


FAULTS: Final[dict[str, Callable[[FaultyCamera, socket.socket], bool]]] = {
    "close": _close,
    "reset": _reset,
    "half a picture": _half,
    "stall": _stall,
    "stall in a picture": _stall_in_picture,
    "one byte a second": _drip,
    "no JPEG": _not_jpeg,
    "damaged JPEG": _flipped,
    "garbage": _garbage,
}
