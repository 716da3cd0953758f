"""Who may look: by the name in the address, the page that asks, and the token; before all else."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.errors import InvalidValueError
from edgecls.web.listen import Listen, own_names
from edgecls.web.message import Reply, Request
from edgecls.web.token import Token, default_path, load_token

COOKIE: Final = "edgecls"
LOGIN: Final = "/login"
# What the page for the token is made of, which tells nobody anything.
PUBLIC: Final = frozenset((LOGIN, "/style.css", "/icon.svg"))
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
_READS: Final = frozenset(("GET", "HEAD"))
_PASS_AGE_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Access:
    """Who may look at what a server serves.

    Args:
        listen: Where it listens.
        names: Host names that this machine answers to, lower case, beside those of loopback and
            the very address that a client has connected to.
        token: What a client must have; None where everybody who can connect may look.
        wrong_token_s: How long the answer to a wrong token waits.
    """

    listen: Listen
    names: frozenset[str] = frozenset()
    token: Token | None = None
    wrong_token_s: float = 1.0

    def __post_init__(self) -> None:
        if self.token is None and not self.listen.is_loopback:
            raise InvalidValueError(f"listening at {self.listen} needs a token")

    def refuse(self, request: Request) -> Reply | None:
        """What a request is answered that may not come in; None for one that may."""
        host = request.headers["host"]
        # Another site's page can make its own name point here (DNS rebinding), and is then "of the
        # same origin" to the browser: only the name gives it away.
        if not self._is_ours(host, request.local):
            return Reply.of_error(
                403, "this machine does not go by that name", "start it with --host-name NAME"
            )
        if not _is_from_here(request, host):
            return Reply.of_error(403, "the request comes from a page of another site")
        return self._ask_for_token(request)

    def is_for_everybody(self, request: Request) -> bool:
        """Whether a request that may come in tells nothing about who sent it."""
        return self.token is not None and request.path in PUBLIC

    def log_in(self, request: Request) -> Reply:
        """Answer what the page for the token sent: a cookie, or 401 after a while.

        Raises:
            InvalidValueError: It is no form.
        """
        if self.token is None:
            return Reply(303, headers={"Location": "/"})
        if not self.token.fits(request.form.get("token", "").strip()):
            return self._unauthorized("the token is wrong", self.wrong_token_s)
        # No `Secure`: on a local network there is no certificate to have.
        cookie = (
            f"{COOKIE}={self.token.make_pass()}; Path=/; Max-Age={_PASS_AGE_S};"
            " HttpOnly; SameSite=Strict"
        )
        return Reply(303, headers={"Location": "/", "Set-Cookie": cookie})

    def _is_ours(self, authority: str, local: str) -> bool:
        found = _AUTHORITY.fullmatch(authority)
        if found is None:
            return False
        host = (found[1] or found[2]).lower().removesuffix(".")
        if host in _LOCAL_NAMES or host in self.names:
            return True
        try:
            return ipaddress.ip_address(host) == plain_address(local)
        except ValueError:
            return False

    def _ask_for_token(self, request: Request) -> Reply | None:
        if self.token is None or request.path in PUBLIC:
            return None
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if given:
            if kind.lower() == "bearer" and self.token.fits(given.strip()):
                return None
            return self._unauthorized("the token is wrong", self.wrong_token_s)
        if any(self.token.takes_pass(cookie) for cookie in _cookies(request)):
            return None
        return self._unauthorized("a token is needed")

    @staticmethod
    def _unauthorized(problem: str, delay_s: float = 0.0) -> Reply:
        hint = f"open {LOGIN} in a browser, or send 'Authorization: Bearer TOKEN'"
        plain = Reply.of_error(401, problem, hint)
        more = {"WWW-Authenticate": "Bearer"}
        return dataclasses.replace(plain, headers=more, delay_s=delay_s)


def open_access(
    listen: Listen, names: Iterable[str] = (), token_path: Path | None = None
) -> Access:
    """Who may look at what listens there: a token is needed on any address but loopback.

    Args:
        listen: Where.
        names: Host names that people use for this machine, beside its own.
        token_path: Where the token lies; given, it is wanted on loopback, too.

    Raises:
        EdgeclsError: A name is none, or the token can neither be read nor made.
    """
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise InvalidValueError(
                f"{name!r} is no host name", hint="write it without http:// and without a port"
            )
    needs_token = token_path is not None or not listen.is_loopback
    token = load_token(token_path or default_path()) if needs_token else None
    return Access(listen, frozenset((*own_names(), *(name.lower() for name in names))), token)


def _is_from_here(request: Request, host: str) -> bool:
    """Whether a page of this server, or no page at all, asks; what is not GET must say so."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    is_read = request.method in _READS
    if site in ("cross-site", "same-site"):
        # Links from elsewhere may lead here; scripts and pictures of elsewhere may not.
        return is_read and request.headers.get("sec-fetch-mode") == "navigate"
    origin = request.headers.get("origin")
    if origin is None:
        return is_read
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _cookies(request: Request) -> list[str]:
    parts = (part.strip().partition("=") for part in request.headers.get("cookie", "").split(";"))
    return [value for name, _, value in parts if name == COOKIE]


def plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address without its zone, and as IPv4 where it is one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found
