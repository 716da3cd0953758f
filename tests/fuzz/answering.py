"""A camera on loopback that gives the answers that a fuzzer has made up, one after the other."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

# Between two answers; the last one is given again and again.
NEXT: Final = b"\n=== next ===\n"
# In its place stands the port of the server, which is another one at each run.
PORT: Final = b"PORT"


class AnsweringCamera:
    """Listens at a port of its own, in a thread.

    Args:
        hangs_up: Behind each answer, as `Connection: close` asks for.
    """

    def __init__(self, *, hangs_up: bool) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listening.getsockname()[1])
        self._hangs_up = hangs_up
        self._answers: list[bytes] = [b""]
        threading.Thread(target=self._work, daemon=True).start()

    def show(self, content: bytes) -> None:
        """Give these answers from now on."""
        answers = content.replace(PORT, str(self.port).encode()).split(NEXT)
        self._answers = answers[::-1]

    def _work(self) -> None:
        while True:
            client, _ = self._listening.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(1.0)
                while client.recv(65536):
                    last = len(self._answers) == 1
                    client.sendall(self._answers[0] if last else self._answers.pop())
                    if self._hangs_up or last:
                        break


def answer(protocol: str, status: int, *fields: str, body: bytes = b"") -> bytes:
    """One answer; Latin-1, as headers are."""
    lines = [f"{protocol} {status} Some Reason", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + body


# Where a redirect may lead, and what may be wanted of who logs in.
PLACES: Final = (
    "/", "//", "///x", "//127.0.0.1:PORT/b", "?q", "#f", "", "http:", "http://", "http:///x",
    "http://[::1/", "http://[::1]:PORT/", "http://[", "http://]", "http://[v1.x]/",
    "http://127.1:PORT/", "http://127.0.0.1:99999/", "http://127.0.0.1:-1/",
    "http://127.0.0.1:\xb2/", "http://127.0.0.1:0/", "http://u:p@127.0.0.1:PORT/",
    "http://@127.0.0.1:PORT/", "http://\xff.invalid/", "http://.invalid/",
    "http://" + "a" * 64 + ".invalid/", "http://" + "a." * 200 + "invalid/",
    "http://xn--a.invalid/", "https://127.0.0.1:PORT/", "file:///etc/passwd",
    "rtsp://127.0.0.1:PORT/", "rtsp://127.0.0.1:PORT/c", "rtsps://127.0.0.1:PORT/", "rtsp://[",
    "javascript:1", "data:,x", "\\\\x", "http:\\\\127.0.0.1:PORT\\x", "http://127.0.0.1:PORT/%00",
    "http://127.0.0.1:PORT/\t", "http://127.0.0.1%00:PORT/", " /x", "rtsp://127.0.0.1:99999/",
)  # fmt: skip
CHALLENGES: Final = (
    'Basic realm="x"', "Basic", 'Digest realm="x", nonce="y"', "Digest", "Digest nonce=,realm=",
    'Digest realm="\xff", nonce="y", qop="auth", algorithm=SHA-256', 'Digest qop="auth-int"',
    "Negotiate", "", 'Digest realm="x", nonce="y", algorithm=MD5-sess, opaque="\\""',
    'Digest realm="' + "x" * 9000 + '", nonce="y"', 'Digest realm="x", nonce="y", stale=true',
)  # fmt: skip
