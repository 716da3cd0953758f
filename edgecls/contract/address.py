"""Addresses of cameras and brokers: their hosts, and how they are shown without a password."""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = "***"
# One slash, or three: what is mistyped is shown in an error, too.
_ADDRESS: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*:/+)([^\s'\"<>]*)")
# What cameras call a secret in a query: `/videostream.cgi?user=admin&pwd=123`.
_SECRET: Final = re.compile(
    r"(?<=[?&;])((?:[\w-]*(?:pass|pwd|token|secret|auth|key|sig)[\w-]*|usr|user|login)=)[^&;#]*",
    re.IGNORECASE,
)


def redact_url(text: str) -> str:
    """Any text with the user, the password and the tokens of every address in it cut out.

    It errs on the side of hiding: a password with a `/`, `?` or `#` in it, which no address may
    have, is hidden, too.
    """
    return _ADDRESS.sub(lambda found: found[1] + _redact(found[2]), text)


def redact_address(text: str) -> str:
    """One address without user, password and tokens, whatever it is written with.

    In a text, an address ends at the first space or quote; one that stands alone may have a
    password with such letters, or no scheme.
    """
    if _ADDRESS.fullmatch(text) or "@" not in text:
        return redact_url(text)
    scheme = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:[/\\]+", text)
    shown = f"{scheme[0] if scheme else ''}{_HIDDEN}@{text.rpartition('@')[2]}"
    return _SECRET.sub(lambda found: found[1] + _HIDDEN, shown)


def host_of(name: str) -> str:
    """A host as the network knows it: in ASCII, the zone of an IPv6 address unquoted.

    Args:
        name: As an address has it, without brackets; empty stays empty.

    Raises:
        ValueError: No host can be called like that.
    """
    if ":" in name:
        from urllib.parse import unquote  # most boards have a camera that needs no address

        host = unquote(name)
    else:
        host = name if name.isascii() and len(name) < 64 else name.encode("idna").decode()
    if ".." in f".{host}" or any(not letter.isprintable() or letter == " " for letter in host):
        raise ValueError("a part of the name is empty, or cannot be shown")
    return host


def _redact(rest: str) -> str:
    """What stands behind the slashes of a scheme."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    _, colon, port = authority.rpartition(":")
    is_plain = "@" not in authority and not (colon and not port.isdecimal())
    if not is_plain or ("@" in authority):
        # An odd port is the beginning of a password that was cut at its own slash.
        end = len(authority) if "@" in authority and _is_whole(authority) else len(rest)
        at = rest.rfind("@", 0, end)
        if at >= 0:
            rest = f"{_HIDDEN}@{rest[at + 1 :]}"
    return _SECRET.sub(lambda found: found[1] + _HIDDEN, rest)


def _is_whole(authority: str) -> bool:
    """Whether what follows the last `@` is a host, so that nothing of the user is behind it."""
    host = authority.rpartition("@")[2]
    return re.fullmatch(r"(\[[0-9a-fA-F:.%]+\]|[^:]+)(:\d*)?", host) is not None
