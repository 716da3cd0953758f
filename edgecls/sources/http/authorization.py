"""How a camera that wants a password gets it: Basic and Digest (RFC 7617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from typing import Final

from edgecls.sources.address import Address

_HASHES: Final = {"MD5": "md5", "SHA-256": "sha256"}
_FIELD: Final = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


def authorize(address: Address, challenges: Sequence[str]) -> str:
    """The header `Authorization` that answers a 401; empty if there is no answer.

    Digest is preferred, since it never sends the password.

    Args:
        address: With user and password.
        challenges: The values of the headers `WWW-Authenticate`.
    """
    if not (address.user or address.password):
        return ""
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "digest":
            fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(rest)}
            if answer := _digest(address, fields):
                return answer
    if any(challenge.strip().lower().startswith("basic") for challenge in challenges):
        login = f"{address.user}:{address.password}".encode()
        return "Basic " + base64.b64encode(login).decode()
    return ""


def _digest(address: Address, fields: dict[str, str], client_nonce: str = "") -> str:
    algorithm = fields.get("algorithm", "MD5").upper()
    offered = [word.strip().lower() for word in fields.get("qop", "").split(",") if word.strip()]
    if algorithm not in _HASHES or (offered and "auth" not in offered):
        return ""

    def digest(text: str) -> str:
        return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
    login = digest(f"{address.user}:{realm}:{address.password}")
    request = digest(f"GET:{address.target}")
    parts = [
        f'username="{address.user}"',
        f'realm="{realm}"',
        f'nonce="{nonce}"',
        f'uri="{address.target}"',
        f"algorithm={algorithm}",
    ]
    if offered:
        client_nonce = client_nonce or secrets.token_hex(8)
        response = digest(f"{login}:{nonce}:00000001:{client_nonce}:auth:{request}")
        parts += ["qop=auth", "nc=00000001", f'cnonce="{client_nonce}"']
    else:
        response = digest(f"{login}:{nonce}:{request}")
    if "opaque" in fields:
        parts.append(f'opaque="{fields["opaque"]}"')
    return "Digest " + ", ".join([*parts, f'response="{response}"'])
