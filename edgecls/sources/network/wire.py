"""A connection to a camera with an end in sight: every wait counts against one deadline."""

from __future__ import annotations

import socket
import threading
import time
from typing import Final

from edgecls.errors import SourceError
from edgecls.sources.address import Address
from edgecls.sources.network.head import Head, parse_head

_MOST_HEADER: Final = 32 << 10
_AHEAD: Final = 16 << 10


class Wire:
    """A socket with a deadline, and the few bytes that were read ahead of their turn.

    Args:
        address: Whom to connect to; with TLS for `https` and `rtsps`.
        deadline_s: On the clock of `time.monotonic`; may be moved.

    Raises:
        SourceError: A name that nobody knows.
        OSError: Nobody answers there, or not in time (TimeoutError).
    """

    def __init__(self, address: Address, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._ahead = b""
        self._number = 0
        self._socket = _connect(address, deadline_s)

    def send(self, lines: list[str]) -> None:
        """Send the lines of a request, and the empty one behind them."""
        request = "".join(f"{line}\r\n" for line in [*lines, ""])
        self._wait()
        self._socket.sendall(request.encode("latin-1", "replace"))

    def next_number(self) -> int:
        """Of a request, from 1 on, where its protocol numbers them."""
        self._number += 1
        return self._number

    def read_head(self, protocol: str) -> Head:
        """The head of the next answer.

        Raises:
            SourceError: It is of another protocol, or larger than any head.
        """
        lines = [self.read_line()]
        parse_head(lines, protocol)  # what is none may never send an empty line
        size = 0
        while line := self.read_line():
            size += len(line)
            if size > _MOST_HEADER:
                raise SourceError(f"the camera's answer has a header of over {_MOST_HEADER} bytes")
            lines.append(line)
        return parse_head(lines, protocol)

    def read_line(self) -> str:
        """The next line, without its end."""
        while (end := self._ahead.find(b"\n")) < 0:
            if len(self._ahead) >= _AHEAD:
                raise SourceError(f"the camera sent a line of over {_AHEAD} bytes")
            self._wait()
            more = self._socket.recv(4096)
            if not more:
                raise SourceError("the camera closed the connection")
            self._ahead += more
        line, self._ahead = self._ahead[:end], self._ahead[end + 1 :]
        return line.decode("latin-1").rstrip("\r")

    def receive(self, room: memoryview) -> int:
        """Read some bytes into `room`; 0 at their end."""
        if self._ahead:
            count = min(len(self._ahead), len(room))
            room[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
            return count
        self._wait()
        return self._socket.recv_into(room)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _wait(self) -> None:
        self._socket.settimeout(_remaining_s(self.deadline_s))


def _remaining_s(deadline_s: float) -> float:
    remaining_s = deadline_s - time.monotonic()
    if remaining_s <= 0:
        raise TimeoutError("timed out")
    return remaining_s


def _connect(address: Address, deadline_s: float) -> socket.socket:
    """Connect to the first of the host's addresses that answers."""
    problem: OSError = TimeoutError("timed out")
    found = _resolve(address, deadline_s)
    for number, (family, kind, protocol, _, place) in enumerate(found):
        plain = socket.socket(family, kind, protocol)
        try:
            # Each gets its share, so that a dead IPv6 address leaves time for a living IPv4 one.
            plain.settimeout(_remaining_s(deadline_s) / (len(found) - number))
            plain.connect(place)
            return _secure(plain, address, deadline_s) if address.is_secure else plain
        except OSError as wrong:
            plain.close()
            problem = wrong
    raise problem


def _secure(plain: socket.socket, address: Address, deadline_s: float) -> socket.socket:
    import ssl  # 5 MB that most cameras do not need

    plain.settimeout(_remaining_s(deadline_s))
    context = ssl.create_default_context()
    if address.scheme == "rtsps":
        # FFmpeg, which reads the stream, takes any certificate: cameras sign their own.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=address.host)


def _resolve(
    address: Address, deadline_s: float
) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    """Look the host up in a thread, as the system's resolver may take half a minute."""
    found: list[object] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as wrong:
            found.append(wrong)

    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(_remaining_s(deadline_s))
    if not found or isinstance(found[0], Exception):
        raise SourceError(
            f"the name {address.host!r} is not known in this network",
            hint="check the spelling, or give the camera's number, such as 192.168.1.20",
        )
    return found  # type: ignore[return-value]
