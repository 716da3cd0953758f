"""The address that a server listens at: `HOST:PORT`, `HOST`, `PORT` or nothing at all."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final, Self

from edgecls.errors import EdgeclsError, InvalidValueError

DEFAULT_PORT: Final = 8080
_BACKLOG: Final = 512  # whoever finds it full tries again after a whole second
_HINT: Final = "for example: 127.0.0.1:8080 (this machine only), 0.0.0.0:8080 (all networks)"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen.

    Args:
        host: An address of this machine, `0.0.0.0` or `::` for all of them.
        port: 0 for any that is free.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT

    def __post_init__(self) -> None:
        if not 0 <= self.port < 1 << 16:
            raise InvalidValueError(f"the port is {self.port}, wanted 0 to 65535", hint=_HINT)
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            raise InvalidValueError(
                f"{self.host!r} is no address of this machine", hint=_HINT
            ) from None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`, `[HOST]:PORT`, `HOST` or `PORT`; empty for loopback and port 8080.

        Raises:
            InvalidValueError: It is none of these.
        """
        text = text.strip()
        if text.isascii() and text.isdecimal():
            return cls(port=_to_port(text))
        found = re.fullmatch(r"(?:\[([^][]*)\]|([^:]*))(?::([0-9]*))?", text)
        if found is None:
            if _is_address(text):  # an IPv6 address alone
                return cls(text)
            raise InvalidValueError(f"{text!r} is no address to listen at", hint=_HINT)
        host = found[1] or found[2] or "127.0.0.1"
        port = _to_port(found[3]) if found[3] else DEFAULT_PORT
        return cls("127.0.0.1" if host == "localhost" else host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4 or IPv6."""
        is_6 = ipaddress.ip_address(self.host).version == 6
        return socket.AF_INET6 if is_6 else socket.AF_INET

    @property
    def hosts(self) -> list[str]:
        """How people write it in an address; of all networks, the machine's name."""
        if self.host in ("0.0.0.0", "::"):
            return [own_names()[-1]]
        return [f"[{self.host}]" if ":" in self.host else self.host]

    def open_socket(self) -> socket.socket:
        """Begin to listen.

        Raises:
            EdgeclsError: The address is taken, or is none of this machine.
        """
        try:
            with contextlib.ExitStack() as closing:
                sock = closing.enter_context(socket.socket(self.family, socket.SOCK_STREAM))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((self.host, self.port))
                sock.listen(_BACKLOG)
                closing.pop_all()
                return sock
        except OSError as wrong:
            raise EdgeclsError(
                f"cannot listen at {self}: {wrong.strerror}",
                hint="another program listens there: name another port"
                if wrong.errno == errno.EADDRINUSE
                else "wanted an address of this machine and a port above 1023",
            ) from wrong

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _to_port(text: str) -> int:
    return int(text) if len(text) < 6 else 1 << 16


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def own_names() -> tuple[str, ...]:
    """What this machine is called; last its name in multicast DNS, which phones know."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return tuple(dict.fromkeys((name, short, f"{short}.local")))
