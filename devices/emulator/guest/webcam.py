"""A USB webcam in software: plugged in when it starts, pulled when it is killed.

Started in the emulated machine: python3 webcam.py WIDTH HEIGHT FPS FRAME.jpg...
It answers as a device of the USB video class 1.0 (MJPEG, bulk transfers) through the kernel's
USB/IP host (vhci_hcd), so that uvcvideo drives it like any other. SIGUSR1 makes it silent, SIGUSR2
lets it send again. Frames are shown in turn.

Source:
    USB Device Class Definition for Video Devices 1.0a; Linux, Documentation/usb/usbip_protocol.rst.
"""

from __future__ import annotations

import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

HOST = Path("/sys/devices/platform/vhci_hcd.0")
PAYLOAD = 32 * 512  # what uvcvideo asks for at a time
ENDPOINT = 0x81
HIGH_SPEED = 3
SUBMIT, UNLINK = 1, 2
STALLED, UNLINKED = -32, -104


class Webcam:
    """The device: what it says of itself, and its stream."""

    def __init__(self, size: tuple[int, int], fps: int, frames: list[bytes]) -> None:
        self._size = size  # (height, width)
        self._fps = fps
        self._interval = 10_000_000 // fps  # in 100 ns
        self._frames = frames
        self._socket = _plug_in()
        self._waiting: list[int] = []
        self._shown = self._offset = self._toggle = 0
        self._next_s = time.monotonic()
        self._is_silent = False
        signal.signal(signal.SIGUSR1, lambda *_: self._silence(True))
        signal.signal(signal.SIGUSR2, lambda *_: self._silence(False))

    def serve(self) -> None:
        """Answer until the host goes away."""
        received = b""
        while True:
            self._send_what_is_due()
            wait_s = max(0.0, self._next_s - time.monotonic()) if self._waiting else 1.0
            ready, _, _ = select.select([self._socket], [], [], min(wait_s, 1.0))
            if not ready:
                continue
            content = self._socket.recv(65536)
            if not content:
                return
            received = self._answer(received + content)

    def _silence(self, is_silent: bool) -> None:
        self._is_silent = is_silent

    def _send_what_is_due(self) -> None:
        now = time.monotonic()
        if self._is_silent:
            self._next_s = now + 0.1
        while self._waiting and not self._is_silent and (self._offset or now >= self._next_s):
            frame = self._frames[self._shown % len(self._frames)]
            chunk = frame[self._offset : self._offset + PAYLOAD - 2]
            self._offset += len(chunk)
            is_last = self._offset >= len(frame)
            header = bytes((2, 0x80 | self._toggle | (2 if is_last else 0)))
            self._complete(self._waiting.pop(0), header + chunk)
            if is_last:
                self._offset, self._toggle = 0, self._toggle ^ 1
                self._shown += 1
                self._next_s = max(self._next_s + 1 / self._fps, now)

    def _answer(self, received: bytes) -> bytes:
        """Answer every whole request; gives what is left."""
        while len(received) >= 48:
            command, number, _, is_in, endpoint, flags, length = struct.unpack(
                ">IIIIIIi", received[:28]
            )
            end = 48 + (length if command == SUBMIT and not is_in else 0)
            if len(received) < end:
                break
            if command == UNLINK:  # `flags` is then the number of the request to forget
                status = UNLINKED if flags in self._waiting else 0
                if status:
                    self._waiting.remove(flags)
                self._socket.sendall(struct.pack(">IIIIIi24x", 4, number, 0, 0, 0, status))
            elif endpoint:
                self._waiting.append(number)
            else:
                self._control(number, received[40:48], is_in, end - 48)
            received = received[end:]
        return received

    def _control(self, number: int, setup: bytes, is_in: int, sent: int) -> None:
        answer = self._describe(setup)
        if answer is None:
            self._complete(number, status=STALLED)
        elif is_in:
            self._complete(number, answer[: struct.unpack("<H", setup[6:])[0]])
        else:
            self._complete(number, length=sent)

    def _complete(
        self, number: int, content: bytes = b"", status: int = 0, length: int | None = None
    ) -> None:
        done = len(content) if length is None else length
        head = struct.pack(">IIIIIiiiii8x", 3, number, 0, 0, 0, status, done, 0, 0, 0)
        self._socket.sendall(head + content)

    def _describe(self, setup: bytes) -> bytes | None:
        """What a control request gets; None for what the device does not know."""
        kind, request, value, index, _ = struct.unpack("<BBHHH", setup)
        if (kind, request) == (0x80, 6):  # GET_DESCRIPTOR
            return self._descriptor(value >> 8, value & 255)
        if kind == 0xA1 and index & 255 == 1 and value >> 8 in (1, 2):  # probe and commit
            return {0x85: b"\x1a\0", 0x86: b"\3"}.get(request, self._streaming())
        known = {(0x80, 0): b"\0\0", (0x80, 8): b"\1", (0x21, 1): b""}
        if (kind, request) in known:
            return known[kind, request]
        return {0x81: b"\0", 0x00: b"", 0x01: b"", 0x02: b""}.get(kind)

    def _descriptor(self, kind: int, index: int) -> bytes | None:
        if kind == 1:
            numbers = (18, 1, 0x0200, 0xEF, 2, 1, 64, 0x1D6B, 0x0102, 0x0100, 1, 2, 0, 1)
            return struct.pack("<BBHBBBBHHHBBBB", *numbers)
        if kind == 2:
            body = self._interfaces()
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 2, 1, 0, 0x80, 250) + body
        texts = {1: "edgecls", 2: "Webcam in software"}
        if kind == 3 and index == 0:
            return b"\x04\x03\x09\x04"
        if kind == 3 and index in texts:
            text = texts[index].encode("utf-16-le")
            return bytes((2 + len(text), 3)) + text
        return None

    def _interfaces(self) -> bytes:
        height, width = self._size
        most = width * height * 2
        lens = struct.pack("<BBBBHBBHHHB3s", 18, 0x24, 2, 1, 0x0201, 0, 0, 0, 0, 0, 3, bytes(3))
        output = struct.pack("<BBBBHBBB", 9, 0x24, 3, 2, 0x0101, 0, 1, 0)
        total = 13 + len(lens) + len(output)
        control = struct.pack("<BBBHHIBB", 13, 0x24, 1, 0x0100, total, 48_000_000, 1, 1)
        mjpeg = struct.pack("<11B", 11, 0x24, 6, 1, 1, 1, 1, 0, 0, 0, 0)
        rates = (most * 8, most * 8 * 30, most, self._interval, 1, self._interval)
        frame = struct.pack("<BBBBBHHIIIIBI", 30, 0x24, 7, 1, 0, width, height, *rates)
        color = struct.pack("<6B", 6, 0x24, 0x0D, 1, 1, 4)
        formats = mjpeg + frame + color
        head = (14, 0x24, 1, 1, 14 + len(formats), ENDPOINT, 0, 2, 0, 0, 0, 1, 0)
        return b"".join(
            (
                struct.pack("<8B", 8, 11, 0, 2, 0x0E, 3, 0, 2),
                struct.pack("<9B", 9, 4, 0, 0, 0, 0x0E, 1, 0, 2),
                *(control, lens, output),
                struct.pack("<9B", 9, 4, 1, 0, 1, 0x0E, 2, 0, 0),
                struct.pack("<BBBBHBBBBBBBB", *head),
                formats,
                struct.pack("<BBBBHB", 7, 5, ENDPOINT, 2, 512, 0),
            )
        )

    def _streaming(self) -> bytes:
        most = self._size[0] * self._size[1] * 2
        return struct.pack("<HBBIHHHHHII", 1, 1, 1, self._interval, 0, 0, 0, 0, 0, most, PAYLOAD)


def _plug_in() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ports = [line.split() for line in (HOST / "status").read_text().splitlines()[1:]]
    free = next(int(words[1]) for words in ports if words[0] == "hs" and words[2] == "004")
    (HOST / "attach").write_text(f"{free} {theirs.fileno()} {0x10001} {HIGH_SPEED}")
    theirs.close()
    return ours


if __name__ == "__main__":
    width, height, fps = map(int, sys.argv[1:4])
    Webcam((height, width), fps, [Path(name).read_bytes() for name in sys.argv[4:]]).serve()
