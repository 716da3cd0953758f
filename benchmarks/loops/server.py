"""A camera on loopback: real pictures as a 1280x720 MJPEG stream over HTTP.

Run: python server.py FOLDER_OF_PICTURES QUALITY

Prints its port, then serves `/stream?fps=N` (0: as fast as they are taken) until its input ends.
`/sent` gives the times (`time.monotonic`) at which the frames of the latest stream were sent.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2

SIZE = (720, 1280)
PICTURES = 40


def encode(path: Path, quality: int) -> bytes:
    """A picture as such a camera would send it."""
    picture = cv2.imread(str(path))
    height, width = picture.shape[:2]
    scale = max(SIZE[0] / height, SIZE[1] / width)
    size = (max(SIZE[1], round(width * scale)), max(SIZE[0], round(height * scale)))
    large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    top, left = (size[1] - SIZE[0]) // 2, (size[0] - SIZE[1]) // 2
    frame = large[top : top + SIZE[0], left : left + SIZE[1]]
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


class Camera(http.server.BaseHTTPRequestHandler):
    """Sends the pictures in turn, as mjpg-streamer does."""

    frames: list[bytes]
    sent_s: list[float] = []  # noqa: RUF012  # of the latest stream, shared on purpose

    def do_GET(self) -> None:
        """`/stream` or `/sent`."""
        url = urlsplit(self.path)
        if url.path == "/sent":
            body = json.dumps(self.sent_s).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        fps = float(parse_qs(url.query).get("fps", ["0"])[0])
        try:
            self._stream(fps)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _stream(self, fps: float) -> None:
        type(self).sent_s = sent_s = []
        started = time.monotonic()
        while True:
            frame = self.frames[len(sent_s) % len(self.frames)]
            if fps:
                time.sleep(max(0.0, started + len(sent_s) / fps - time.monotonic()))
            sent_s.append(time.monotonic())
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
            self.wfile.write(head.encode() + frame + b"\r\n")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main(folder: Path, quality: int) -> None:
    """Serve until standard input ends."""
    Camera.frames = [encode(path, quality) for path in sorted(folder.glob("*.JPEG"))[:PICTURES]]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mean = sum(map(len, Camera.frames)) / len(Camera.frames)
    print(json.dumps({"port": server.server_port, "kilobytes": round(mean / 1e3)}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
