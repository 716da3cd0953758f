"""Who is connected: coming in, making room, and what the selector looks for on behalf of each."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Final

from edgecls.web.connection import Connection, House, State
from edgecls.web.limits import Limits
from edgecls.web.message import Reply

BACKLOG: Final = 128
# These may be closed for others: nobody has been promised anything yet.
_SILENT: Final = (State.READING, State.LINGERING)
_NOTHING_LEFT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Clients:
    """All connections of a server; only its own thread has to do with them.

    Args:
        listening: Where they come in.
        selector: Looks for what they wait for; the data of a key is the connection.
        limits: How many there may be.
    """

    def __init__(
        self, listening: socket.socket, selector: selectors.BaseSelector, limits: Limits
    ) -> None:
        self.is_accepting = False
        self._listening = listening
        self._selector = selector
        self._limits = limits
        self._wanted: dict[Connection, int] = {}  # what the selector looks for
        self._peers: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._wanted)

    def __iter__(self) -> Iterator[Connection]:
        """Over those of now; each may be closed on the way."""
        return iter(list(self._wanted))

    @property
    def viewing(self) -> int:
        """How many are given a feed."""
        return sum(client.state is State.VIEWING for client in self._wanted)

    def begin_to_accept(self) -> None:
        """Look for newcomers, if nobody does."""
        if not self.is_accepting:
            self.is_accepting = True
            self._selector.register(self._listening, selectors.EVENT_READ, self)

    def accept(self, house: House) -> None:
        """Let in all who wait at the door; else the kernel would send them away."""
        for _ in range(BACKLOG):
            try:
                sock, address = self._listening.accept()
            except OSError as wrong:
                if wrong.errno in _NOTHING_LEFT:
                    # They stay acceptable: looking again at once would take a whole core.
                    self._selector.unregister(self._listening)
                    self.is_accepting = False
                return
            self._welcome(sock, str(address[0]), house)

    def watch(self, client: Connection) -> None:
        """Look for what a connection waits for now."""
        if client not in self._wanted:
            return
        wanted = selectors.EVENT_READ * client.wants_to_read
        wanted |= selectors.EVENT_WRITE * client.wants_to_write
        known, self._wanted[client] = self._wanted[client], wanted
        if wanted == known:
            return
        if not known:
            self._selector.register(client.sock, wanted, client)
        elif not wanted:
            self._selector.unregister(client.sock)
        else:
            self._selector.modify(client.sock, wanted, client)

    def forget(self, client: Connection) -> None:
        """It is about to be closed."""
        if self._wanted.pop(client, 0):
            self._selector.unregister(client.sock)
        self._peers[client.peer] -= 1
        if not self._peers[client.peer]:
            del self._peers[client.peer]

    def _welcome(self, sock: socket.socket, peer: str, house: House) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._make_room(peer):
            with contextlib.suppress(OSError):
                busy = Reply.of_error(503, "too many connections")
                sock.send(busy.to_head(is_last=True, length=len(busy.body)) + busy.body)
            sock.close()
            return
        client = Connection(sock, peer, house)
        self._wanted[client] = 0
        self._peers[peer] += 1
        self.watch(client)

    def _make_room(self, peer: str) -> bool:
        """Whether one more may come; who has been silent for longest goes for it."""
        is_full_of_one = self._peers[peer] >= self._limits.connections_of_one
        if not is_full_of_one and len(self) < self._limits.connections:
            return True
        silent = [
            client
            for client in self._wanted
            if client.state in _SILENT and (not is_full_of_one or client.peer == peer)
        ]
        if not silent:
            return False
        min(silent, key=lambda client: client.since_s).drop()
        return True
