"""The address of a camera in the network, taken apart once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from edgecls.contract.address import host_of, redact_address, redact_url
from edgecls.errors import NoSuchSourceError, SourceError

USER_VARIABLE: Final = "EDGECLS_SOURCE_USER"
PASSWORD_VARIABLE: Final = "EDGECLS_SOURCE_PASSWORD"
PORTS: Final = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
# What a path and a query may hold as they stand; everything else is written as %XX.
_SAFE: Final = "%/:?&=+,;@!$'()*~#[]-._"
_WHOLE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MOST_SHOWN: Final = 200  # letters of an address that is none, which may be of any length


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
        return redact_url(self.url)

    @property
    def authority(self) -> str:
        """Host and port, the latter only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def with_password(self) -> str:
        """The whole address, for a library that logs in by itself; never to be shown."""
        login = f"{_quoted(self.user)}:{_quoted(self.password)}@" if self.has_login else ""
        return f"{self.scheme}://{login}{self.authority}{self.target}"

    @property
    def url(self) -> str:
        """The whole address without user and password, for a request line; never to be shown."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def is_secure(self) -> bool:
        """Whether it is spoken to through TLS."""
        return self.scheme in ("https", "rtsps")

    @property
    def has_login(self) -> bool:
        """Whether there is a user or a password to log in with."""
        return bool(self.user or self.password)

    def follow(self, location: str) -> Address:
        """Where a redirect leads; nobody else is told the password.

        It goes to the same host and port only, and never from TLS into the clear. A user or a
        password in the redirect itself is not used: the camera is not who logs in.

        Args:
            location: The redirect's header `Location`: a whole address, or a part of one.

        Raises:
            SourceError: To another kind of address than this one, to an unreadable one, or to
                nowhere. A camera may answer otherwise later, so it is worth waiting for.
        """
        kinds = ("rtsp", "rtsps") if self.scheme.startswith("rtsp") else ("http", "https")
        try:
            target = parse_address(_join(self, location), kinds)
        except NoSuchSourceError as wrong:
            raise SourceError(
                f"the camera sends us on: {wrong.problem}",
                hint="open the camera's address in a browser, and give the one where it ends",
            ) from wrong
        if not self._trusts(target):
            return replace(target, user="", password="")
        return replace(target, user=self.user, password=self.password)

    def _trusts(self, target: Address) -> bool:
        """Whether whoever answers at `target` is who was meant with this address."""
        if target.host != self.host or target.scheme == self.scheme[:-1]:
            return False
        is_secured = target.scheme == f"{self.scheme}s"
        both = (self.port, target.port)
        return both[0] == both[1] or (
            is_secured and both == (PORTS[self.scheme], PORTS[target.scheme])
        )


def parse_address(text: str, schemes: tuple[str, ...]) -> Address:
    """Take an address apart; what it does not say of user and password, the environment may.

    Raises:
        NoSuchSourceError: No address, or one of another scheme.
    """
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), host_of(parts.hostname or ""), parts.port
    except ValueError as wrong:
        raise _not_an_address(text, "its host or port cannot be read") from wrong
    if scheme not in schemes:
        raise _not_an_address(text, f"wanted {' or '.join(schemes)}")
    if not host:
        raise _not_an_address(text, "it names no host")
    target = _quoted(parts.path or "/", _SAFE)
    if parts.query:
        target += "?" + _quoted(parts.query, _SAFE)
    user = unquote(parts.username or "") or os.environ.get(USER_VARIABLE, "")
    password = unquote(parts.password or "") or os.environ.get(PASSWORD_VARIABLE, "")
    if _CONTROL.search(user + password):
        raise _not_an_address(text, "there is a line break or the like in its user or password")
    return Address(scheme, host, PORTS[scheme] if port is None else port, target, user, password)


def _quoted(text: str, safe: str = "") -> str:
    """Text as addresses have it; bytes of a command line that are not UTF-8 stay what they are."""
    return quote(text, safe=safe, errors="surrogateescape")


def _join(address: Address, location: str) -> str:
    """A redirect's whole address; `urljoin` knows how for the schemes of the web only."""
    if _WHOLE.match(location):
        return location
    try:
        joined = urljoin(f"http://{address.authority}{address.target}", location)
    except ValueError:  # half an IPv6 address, for one
        return location
    return address.scheme + joined.removeprefix("http") if joined[:5] == "http:" else joined


def _not_an_address(text: str, why: str) -> NoSuchSourceError:
    return NoSuchSourceError(
        f"{redact_address(text)[:_MOST_SHOWN]!r} is not the address of a camera: {why}",
        hint="write http://HOST:PORT/PATH or rtsp://HOST:PORT/PATH; a '/', '#', '?' or '@' in a"
        f" password is written %2F, %23, %3F or %40, or put it into {PASSWORD_VARIABLE}",
    )
