"""People who look at a live view: `python viewers.py PORT COUNT`, until standard input ends.

Each reads frames as a page does, as fast as they come. Printed at the end, as JSON: how many
pictures each of them saw, and how many different ones there were.
"""

from __future__ import annotations

import hashlib
import json
import selectors
import socket
import struct
import sys

_HEAD = b"GET /frames HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Viewer:
    """One of them."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(_HEAD)
        self.seen: list[bytes] = []
        self._got = b""
        self._is_begun = False

    def read(self) -> None:
        """Take what is there; keep a digest of each whole picture."""
        self._got += self.socket.recv(1 << 18)
        if not self._is_begun and b"\r\n\r\n" in self._got:
            _, _, self._got = self._got.partition(b"\r\n\r\n")
            self._is_begun = True
        while self._is_begun and len(self._got) >= 8:
            facts_bytes, jpeg_bytes = struct.unpack_from(">II", self._got)
            begin, end = 8 + facts_bytes, 8 + facts_bytes + jpeg_bytes
            if len(self._got) < end:
                return
            if jpeg_bytes:  # else a sign of life
                picture = self._got[begin:end]
                self.seen.append(hashlib.blake2b(picture, digest_size=8).digest())
            self._got = self._got[end:]


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
