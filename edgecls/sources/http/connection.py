"""One HTTP request with an end in sight: every wait counts against one deadline."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edgecls.errors import SourceError
from edgecls.sources.address import Address

_MOST_HEADER: Final = 32 << 10
_AHEAD: Final = 16 << 10


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header of an answer; header names are in lower case."""

    status: int
    reason: str
    fields: Mapping[str, str]
    challenges: tuple[str, ...] = field(default=())

    @property
    def content_type(self) -> str:
        """Without its parameters, in lower case; empty if the camera does not say."""
        return self.fields.get("content-type", "").partition(";")[0].strip().lower()


class Connection:
    """A socket with a deadline, and the few bytes that were read ahead of their turn."""

    def __init__(self, address: Address, deadline_s: float) -> None:
        self.deadline_s = deadline_s  # on the clock of `time.monotonic`
        self._ahead = b""
        self._left: int | None = None  # of the body or, in a chunked one, of the chunk
        self._is_chunked = False
        self._is_over = False
        self._socket = _connect(address, deadline_s)

    def request(self, address: Address, authorization: str) -> Head:
        """Send GET and read the head of the answer."""
        lines = [
            f"GET {address.target} HTTP/1.1",
            f"Host: {address.authority}",
            "User-Agent: edgecls",
            "Accept: multipart/x-mixed-replace, image/jpeg, */*;q=0.5",
            "Connection: close",
            *([f"Authorization: {authorization}"] if authorization else []),
        ]
        self._socket.settimeout(self._remaining_s())
        self._socket.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
        return self._read_head()

    def receive(self, room: memoryview) -> int:
        """Read some of the body into `room`; 0 at its end."""
        if self._is_over:
            return 0
        if self._is_chunked and not self._left and not self._next_chunk():
            return 0
        if self._left is not None:
            room = room[: self._left]
        count = self._receive(room) if room else 0
        if self._left is not None:
            self._left -= count
        self._is_over = count == 0
        return count

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _read_head(self) -> Head:
        version, _, rest = self._read_line().partition(" ")
        status, _, reason = rest.partition(" ")
        if not version.startswith("HTTP/") or not (status.isascii() and status.isdecimal()):
            raise SourceError(
                "the camera does not answer in HTTP", hint="is it the right port? try rtsp://"
            )
        size, fields, challenges = 0, {}, []
        while line := self._read_line():
            size += len(line)
            if size > _MOST_HEADER:
                raise SourceError(f"the camera's answer has a header of over {_MOST_HEADER} bytes")
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
            if name.strip().lower() == "www-authenticate":
                challenges.append(value.strip())
        head = Head(int(status[:9]), reason.strip(), fields, tuple(challenges))
        self._is_chunked = "chunked" in fields.get("transfer-encoding", "").lower()
        length = fields.get("content-length", "")
        # A stream has no length; some cameras state one all the same.
        if not (self._is_chunked or head.content_type.startswith("multipart/")):
            self._left = int(length[:15]) if length.isascii() and length.isdecimal() else None
        return head

    def _next_chunk(self) -> bool:
        if self._left == 0:
            self._read_line()  # the one that ends the chunk before
        size = self._read_line().partition(";")[0].strip()
        try:
            self._left = int(size[:15], 16)
        except ValueError:
            raise SourceError("the camera's chunks are damaged") from None
        if self._left < 0:
            raise SourceError("the camera's chunks are damaged")
        self._is_over = self._left == 0
        return not self._is_over

    def _read_line(self) -> str:
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

    def _receive(self, room: memoryview) -> int:
        if self._ahead:
            count = min(len(self._ahead), len(room))
            room[:count] = self._ahead[:count]
            self._ahead = self._ahead[count:]
            return count
        self._wait()
        return self._socket.recv_into(room)

    def _wait(self) -> None:
        self._socket.settimeout(self._remaining_s())

    def _remaining_s(self) -> float:
        return _remaining_s(self.deadline_s)


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
            return _secure(plain, address, deadline_s) if address.scheme == "https" else plain
        except OSError as wrong:
            plain.close()
            problem = wrong
    raise problem


def _secure(plain: socket.socket, address: Address, deadline_s: float) -> socket.socket:
    import ssl  # 5 MB that most cameras do not need

    plain.settimeout(_remaining_s(deadline_s))
    return ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)


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
