"""How a camera that wants a password gets it: Basic and Digest (RFC 7617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Final

from edgecls.errors import SourceError
from edgecls.sources.address import PASSWORD_VARIABLE, USER_VARIABLE, Address

_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}
_FIELD: Final = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_MOST_SHOWN: Final = 40


def authorize(
    address: Address, challenges: Sequence[str], method: str = "GET", target: str = ""
) -> str:
    """The header `Authorization` that answers a 401; empty if there is no answer.

    Digest is preferred, since it never sends the password.

    Args:
        address: With user and password.
        challenges: The values of the headers `WWW-Authenticate`, whatever is in them.
        method: Of the request.
        target: As the request line has it; empty for that of `address`.
    """
    if not address.has_login:
        return ""
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "digest":
            fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(rest)}
            if answer := _digest(address, fields, method, target or address.target):
                return answer
    if any(challenge.strip().lower().startswith("basic") for challenge in challenges):
        login = f"{address.user}:{address.password}"
        return "Basic " + base64.b64encode(_bytes_of(login)).decode()
    return ""


def explain_401(challenges: Sequence[str], asked: Address, address: Address) -> SourceError:
    """Why there is no answer to a 401.

    Args:
        challenges: As for `authorize`.
        asked: What was asked for first.
        address: Who wants a password, with what it may be told: less, where a redirect led there.
    """
    if address.has_login:
        methods = (challenge.strip().partition(" ")[0][:_MOST_SHOWN] for challenge in challenges)
        named = ", ".join(dict.fromkeys(method for method in methods if method))
        return SourceError(
            "the camera wants a login of a kind that is not known here (401):"
            f" {named or 'it does not say which'}",
            hint="let it take Basic or Digest (MD5 or SHA-256) in its settings",
        )
    if asked.has_login:
        return SourceError(
            f"the camera sends us on to {address}, which wants a user and a password (401);"
            " it is not told those of another host or port",
            hint="give that address itself, if it is the camera's",
        )
    return SourceError(
        "the camera wants a user and a password (401)",
        hint=f"set {USER_VARIABLE} and {PASSWORD_VARIABLE},"
        f" or write {address.scheme}://USER:PASSWORD@HOST",
    )


def _digest(address: Address, fields: dict[str, str], method: str, target: str) -> str:
    algorithm = fields.get("algorithm", "MD5").upper()
    offered = [word.strip().lower() for word in fields.get("qop", "").split(",") if word.strip()]
    if algorithm not in _HASHES or (offered and "auth" not in offered):
        return ""

    def digest(content: bytes) -> str:
        return hashlib.new(_HASHES[algorithm], content, usedforsecurity=False).hexdigest()

    realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
    # What the camera sent is given back byte for byte: headers were read as Latin-1.
    shown_realm = re.sub(r"\\(.)", r"\1", realm).encode("latin-1", "replace")
    login = digest(b":".join((_bytes_of(address.user), shown_realm, _bytes_of(address.password))))
    request = digest(_bytes_of(f"{method}:{target}"))
    parts = [
        f'username="{_escaped(address.user)}"',
        f'realm="{realm}"',
        f'nonce="{nonce}"',
        f'uri="{target}"',
        f"algorithm={algorithm}",
    ]
    if offered:
        client_nonce = secrets.token_hex(8)
        proof = f"{login}:{nonce}:00000001:{client_nonce}:auth:{request}"
        parts += ["qop=auth", "nc=00000001", f'cnonce="{client_nonce}"']
    else:
        proof = f"{login}:{nonce}:{request}"
    response = digest(proof.encode("latin-1", "replace"))
    if "opaque" in fields:
        parts.append(f'opaque="{fields["opaque"]}"')
    return "Digest " + ", ".join([*parts, f'response="{response}"'])


def _bytes_of(text: str) -> bytes:
    """UTF-8, and what came from the environment as other bytes, as it came."""
    return text.encode("utf-8", "surrogateescape")


def _escaped(user: str) -> str:
    """A user inside the quotes of a header that is sent as Latin-1: its bytes, a letter each."""
    return re.sub(r'(["\\])', r"\\\1", _bytes_of(user).decode("latin-1"))
