"""Who is connected: coming in, making room, and what the selector looks for on behalf of each."""

from __future__ import annotations

import contextlib
import errno
import functools
import ipaddress
import operator
import selectors
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Final

from edgecls.web.access import plain_address
from edgecls.web.connection import Connection, House, State
from edgecls.web.limits import Limits
from edgecls.web.message import Reply

# At once, before those who are here already have their turn again.
_NEWCOMERS: Final = 16
_PREFIX_BITS: Final = 64  # of IPv6: what one household or office has
_since: Final = operator.attrgetter("since_s")
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
        self._networks: Counter[str] = Counter()

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
        """Let in some of those who wait at the door, and hear at once what they have brought."""
        for _ in range(_NEWCOMERS):
            try:
                sock, address = self._listening.accept()
            except OSError as wrong:
                if wrong.errno in _NOTHING_LEFT and not self._let_go(self._strangers()):
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
        self._networks[client.network] -= 1
        if not self._networks[client.network]:
            del self._networks[client.network]

    def _welcome(self, sock: socket.socket, peer: str, house: House) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        network = network_of(peer)
        if not self._make_room(network):
            with contextlib.suppress(OSError):
                busy = Reply.of_error(503, "too many connections")
                sock.send(busy.to_head(is_last=True, length=len(busy.body)) + busy.body)
            sock.close()
            return
        client = Connection(sock, peer, network, house)
        self._wanted[client] = 0
        self._networks[network] += 1
        self.watch(client)
        house.hear(client)

    def _make_room(self, network: str) -> bool:
        """Whether one more may come, of this network; see `Limits` on who goes for it."""
        count, limits = self._networks[network], self._limits
        if count >= min(limits.strangers_of_one, limits.connections_of_one):
            strangers = [client for client in self._strangers() if client.network == network]
            if count >= limits.connections_of_one:
                return self._let_go_first(strangers) or self._let_go_silent(network)
            if len(strangers) >= limits.strangers_of_one:
                return self._let_go_first(strangers)
        if len(self) < limits.connections:
            return True
        return self._let_go(self._strangers()) or self._let_go_silent()

    def _strangers(self) -> list[Connection]:
        return [client for client in self._wanted if not client.is_known]

    def _let_go(self, strangers: list[Connection]) -> bool:
        """Close the first of the network that has most of them; False where there is none."""
        if not strangers:
            return False
        most = Counter(client.network for client in strangers)
        max(strangers, key=lambda client: (most[client.network], -client.since_s)).drop()
        return True

    def _let_go_silent(self, network: str = "") -> bool:
        """Close who has been silent for longest, of a network or of all; False if nobody is."""
        silent = [
            client
            for client in self._wanted
            if client.state in _SILENT and network in ("", client.network)
        ]
        return self._let_go_first(silent)

    def _let_go_first(self, clients: list[Connection]) -> bool:
        """Close the one that came first; False where there is none."""
        if clients:
            min(clients, key=_since).drop()
        return bool(clients)


@functools.lru_cache(maxsize=64)
def network_of(peer: str) -> str:
    """An address, or of IPv6 the beginning that one customer of a provider has for himself."""
    address = plain_address(peer)
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), _PREFIX_BITS), strict=False))
