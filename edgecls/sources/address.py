"""The address of a camera in the network, taken apart once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from edgecls.contract.address import redact_url
from edgecls.errors import NoSuchSourceError

USER_VARIABLE: Final = "EDGECLS_SOURCE_USER"
PASSWORD_VARIABLE: Final = "EDGECLS_SOURCE_PASSWORD"
PORTS: Final = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
# What a path and a query may hold as they stand; everything else is written as %XX.
_SAFE: Final = "%/:?&=+,;@!$'()*~#[]-._"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a camera is; its text shows neither user nor password.

    Args:
        scheme: `http`, `https`, `rtsp` or `rtsps`.
        host: Name or number, without brackets.
        port: Of the address, or the scheme's own.
        target: Path and query, as they are sent.
        user: From the address or the environment; empty for none.
        password: As `user`.
    """

    scheme: str
    host: str
    port: int
    target: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return redact_url(f"{self.scheme}://{self.authority}{self.target}")

    @property
    def authority(self) -> str:
        """Host and port, the latter only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def with_password(self) -> str:
        """The whole address, for a library that logs in by itself; never to be shown."""
        login = ""
        if self.user or self.password:
            login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        return f"{self.scheme}://{login}{self.authority}{self.target}"

    def follow(self, location: str) -> Address:
        """Where a redirect leads; only the same host is told the password.

        Raises:
            NoSuchSourceError: To something that is neither HTTP nor HTTPS, or to nowhere.
        """
        base = f"{self.scheme}://{self.authority}{self.target}"
        target = parse_address(urljoin(base, location), ("http", "https"))
        is_downgrade = self.scheme == "https" and target.scheme == "http"
        if target.host != self.host or is_downgrade:
            return replace(target, user="", password="")
        return replace(target, user=self.user, password=self.password)


def parse_address(text: str, schemes: tuple[str, ...]) -> Address:
    """Take an address apart; what it does not say of user and password, the environment may.

    Raises:
        NoSuchSourceError: No address, or one of another scheme.
    """
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError as wrong:
        raise _not_an_address(text, "its host or port cannot be read") from wrong
    if scheme not in schemes:
        raise _not_an_address(text, f"wanted {' or '.join(schemes)}")
    if not host or any(letter.isspace() or not letter.isprintable() for letter in host):
        raise _not_an_address(text, "it names no host")
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE)
    user = unquote(parts.username or "") or os.environ.get(USER_VARIABLE, "")
    password = unquote(parts.password or "") or os.environ.get(PASSWORD_VARIABLE, "")
    return Address(scheme, host, PORTS[scheme] if port is None else port, target, user, password)


def _not_an_address(text: str, why: str) -> NoSuchSourceError:
    return NoSuchSourceError(
        f"{redact_url(text)!r} is not the address of a camera: {why}",
        hint="write http://HOST:PORT/PATH or rtsp://HOST:PORT/PATH; a '/', '#', '?' or '@' in a"
        f" password is written %2F, %23, %3F or %40, or put it into {PASSWORD_VARIABLE}",
    )
