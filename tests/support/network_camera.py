"""What network cameras on loopback share: who connects is answered, and cut off at the end."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class NetworkCamera:
    """Takes connections in a thread of its own and answers each in another.

    A subclass defines `_answer`, and calls this `__init__` last: from then on it is asked.
    """

    def __init__(self, port: int = 0) -> None:
        self._clients: list[socket.socket] = []
        self._stopped = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", port))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, name="network camera", daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        """Talk; the connection is closed when it returns, and its errors do not matter."""
        raise NotImplementedError

    def cut(self) -> None:
        """Cut every connection; who comes again is answered."""
        clients, self._clients = self._clients, []
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop, and cut every connection."""
        self._stopped.set()
        for end in (self._listening, *self._clients):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_wrong: object) -> None:
        self.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                self._clients.append(client)
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self._answer(client)
