"""People who look at a live view: `python viewers.py PORT COUNT`, until standard input ends.

Each reads the stream of pictures as fast as it comes. Printed at the end, as JSON: how many
pictures each of them saw, and how many different ones there were.
"""

from __future__ import annotations

import hashlib
import json
import selectors
import socket
import sys

_HEAD = b"GET /picture HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Viewer:
    """One of them."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(_HEAD)
        self.seen: list[bytes] = []
        self._got = b""

    def read(self) -> None:
        """Take what is there; keep a digest of each whole picture."""
        self._got += self.socket.recv(1 << 18)
        while (start := self._got.find(b"Content-Length: ")) >= 0:
            end = self._got.find(b"\r\n\r\n", start)
            if end < 0:
                return
            length = int(self._got[start + 16 : end])
            picture = self._got[end + 4 : end + 4 + length]
            if len(picture) < length:
                return
            self.seen.append(hashlib.blake2b(picture, digest_size=8).digest())
            self._got = self._got[end + 4 + length :]


def main() -> None:
    """Look until nobody wants to know any more."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    with selectors.DefaultSelector() as selector:
        viewers = [Viewer(port) for _ in range(count)]
        for viewer in viewers:
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        selector.register(sys.stdin, selectors.EVENT_READ, None)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    different = len({digest for viewer in viewers for digest in viewer.seen})
                    counts = [len(viewer.seen) for viewer in viewers]
                    print(json.dumps({"seen": counts, "different": different}))
                    return
                key.data.read()


if __name__ == "__main__":
    main()
