"""An RTSP camera on loopback: JPEG over RTP, inside the RTSP connection (RFC 2326, RFC 2435)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from edgecls.imaging.opencv import cv2
from edgecls.sources.jpeg import find_scan
from tests.support.network_camera import NetworkCamera

SIZE: Final = (48, 64)
_PACKET: Final = 1200
_CLOCK_HZ: Final = 90_000


def picture(color: tuple[int, int, int]) -> bytes:
    """A JPEG of one colour, given as RGB, with the 4:2:0 chroma that RTP's type 1 stands for."""
    return cv2.imencode(".jpg", np.full((*SIZE, 3), color[::-1], np.uint8))[1].tobytes()


class RtspServer(NetworkCamera):
    """Plays one picture.

    Args:
        color: Of the picture, as RGB.
        fps: How often a second.
        frames: After how many it falls silent; 0 for never.
        hangs_up: Whether it closes the connection then.
        is_mute: Whether it takes connections and says nothing at all.
        login: The value of `Authorization` that it wants; empty for none.
        answers: Method -> the whole answer that is given instead, with `{cseq}` for its number.
    """

    def __init__(
        self,
        color: tuple[int, int, int] = (255, 0, 0),
        *,
        fps: float = 50.0,
        frames: int = 0,
        hangs_up: bool = False,
        is_mute: bool = False,
        login: str = "",
        answers: Mapping[str, str] | None = None,
    ) -> None:
        self.requests: list[str] = []
        self.silent_s = 0.0  # when it first fell silent, on the clock of `time.monotonic`
        self._packets = _packets_of(picture(color))
        self._fps = fps
        self._frames = frames
        self._hangs_up = hangs_up
        self._is_mute = is_mute
        self._login = login
        self._answers = answers or {}
        self._moved: dict[str, str] = {}
        super().__init__()

    def url(self, login: str = "") -> str:
        """The address to open."""
        return f"rtsp://{login}127.0.0.1:{self.port}/live"

    def send_on_from(self, path: str, other: str) -> None:
        """Send whoever asks for one path on to another one of the same camera."""
        self._moved[path] = other

    def _answer(self, client: socket.socket) -> None:
        if self._is_mute:
            self._stopped.wait()
            return
        text = ""
        while more := client.recv(4096):
            text += more.decode("latin-1")
            while "\r\n\r\n" in text:
                request, _, text = text.partition("\r\n\r\n")
                self.requests.append(request)
                if self._reply(client, request):
                    self._play(client)
                    return

    def _reply(self, client: socket.socket, request: str) -> bool:
        """Answer one request; returns whether to play now."""
        method = request.split(maxsplit=1)[0]
        fields = dict(line.split(": ", 1) for line in request.split("\r\n")[1:])
        if method in self._answers:
            client.sendall(
                self._answers[method].replace("{cseq}", fields.get("CSeq", "0")).encode("latin-1")
            )
            return False
        head, body = ["RTSP/1.0 200 OK", f"CSeq: {fields.get('CSeq', 0)}"], ""
        if self._login and fields.get("Authorization") != self._login:
            head[0] = "RTSP/1.0 401 Unauthorized"
            head.append('WWW-Authenticate: Basic realm="camera"')
            method = ""
        path = "/" + request.split()[1].split("/", 3)[-1]
        if method == "DESCRIBE" and path in self._moved:
            head[0] = "RTSP/1.0 302 Found"
            head.append(f"Location: rtsp://127.0.0.1:{self.port}{self._moved[path]}")
            method = ""
        if method == "OPTIONS":
            head.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
                "m=video 0 RTP/AVP 26\r\na=control:track1\r\n"
            )
            head += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        elif method == "SETUP" and "TCP" not in fields.get("Transport", ""):
            head[0] = "RTSP/1.0 461 Unsupported Transport"
        elif method == "SETUP":
            head += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
        elif method == "PLAY":
            head += ["Session: 1", "Range: npt=0.000-"]
        client.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        return method == "PLAY"

    def _play(self, client: socket.socket) -> None:
        sequence, frame = 0, 0
        while not self._frames or frame < self._frames:
            for number, payload in enumerate(self._packets):
                is_last = number == len(self._packets) - 1
                header = struct.pack(
                    ">BBHII",
                    0x80,
                    26 | is_last << 7,
                    sequence & 0xFFFF,
                    round(frame * _CLOCK_HZ / self._fps),
                    1,
                )
                client.sendall(struct.pack(">cBH", b"$", 0, len(header) + len(payload)))
                client.sendall(header + payload)
                sequence += 1
            frame += 1
            if self._stopped.wait(1 / self._fps):
                return
        self.silent_s = self.silent_s or time.monotonic()
        if not self._hangs_up:
            self._stopped.wait()


def _packets_of(jpeg: bytes) -> list[bytes]:
    """The payloads of RFC 2435: scan data in pieces, the tables of quantization in the first."""
    tables, position = b"", jpeg.find(b"\xff\xdb")
    while jpeg[position : position + 2] == b"\xff\xdb":
        length = int.from_bytes(jpeg[position + 2 : position + 4], "big")
        tables += jpeg[position + 5 : position + 2 + length]
        position += 2 + length
    scan = find_scan(jpeg, 0, len(jpeg))
    data = jpeg[scan:-2]
    packets = []
    for offset in range(0, len(data), _PACKET):
        height, width = SIZE
        header = struct.pack(
            ">B3sBBBB", 0, offset.to_bytes(3, "big"), 1, 255, width // 8, height // 8
        )
        if not offset:
            header += struct.pack(">BBH", 0, 0, len(tables)) + tables
        packets.append(header + data[offset : offset + _PACKET])
    return packets
