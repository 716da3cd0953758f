"""What the user says of a broker: its address, how it is secured, and who asks."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from edgecls.contract.address import host_of, redact_address
from edgecls.contract.files import read_regular_file
from edgecls.errors import InvalidValueError, SinkError

PASSWORD_VARIABLE: Final = "EDGECLS_MQTT_PASSWORD"
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_MAX_TOPIC: Final = 200
_MAX_SECRET_BYTES: Final = 1 << 16
_HINT: Final = "for example: --mqtt mqtt://user@broker.local/edgecls/hall"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where messages go.

    Args:
        host: Name or address.
        port: 1883, or 8883 with TLS, unless said otherwise.
        base: First levels of every topic but those of discovery.
        is_tls: Whether the connection is encrypted and the broker's certificate checked.
        user: Empty for none.
    """

    host: str
    port: int
    base: str
    is_tls: bool = False
    user: str = ""

    def __str__(self) -> str:
        """For messages; a user is not named."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to talk to a broker.

    Args:
        broker: Where it is.
        password: Of the broker's user; never shown.
        ca_file: Certificates that are trusted instead of the system's.
        discovery_prefix: Home Assistant's; empty for no discovery.
        keepalive_s: The broker says `offline` after 1.5 times this silence.
        interval_s: How often score and rate are published while the label stays.
        retry_s: Shortest and longest wait before the broker is tried again.
    """

    broker: Broker
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    discovery_prefix: str = "homeassistant"
    keepalive_s: int = 20
    interval_s: float = 5.0
    retry_s: tuple[float, float] = (1.0, 60.0)

    def __post_init__(self) -> None:
        if self.discovery_prefix:
            check_topic(self.discovery_prefix)
        if not 1 <= self.keepalive_s <= 65_535:
            raise InvalidValueError(f"keepalive is {self.keepalive_s} s, wanted 1 to 65535")
        if self.password and not self.broker.user:
            raise InvalidValueError(
                "there is a password for the broker, but its address names no user", hint=_HINT
            )


def parse_broker(text: str) -> Broker:
    """Read `mqtt[s]://[user@]host[:port]/[base-topic]`.

    Raises:
        SinkError: It is written otherwise; a password in it is never repeated.
    """
    shown = redact_address(text)
    try:
        parts = urlsplit(text)
        host, port = host_of(parts.hostname or ""), parts.port
        has_password = parts.password is not None
    except ValueError as wrong:
        raise SinkError(f"the broker {shown!r} has an odd host or port", hint=_HINT) from wrong
    if parts.scheme not in _PORTS:
        raise SinkError(f"the broker {shown!r} is not mqtt:// or mqtts://", hint=_HINT)
    if has_password:
        raise SinkError(
            "the broker's address has a password in it, which every user of this machine can see",
            hint=f"leave it out, and set {PASSWORD_VARIABLE} or --mqtt-password-file",
        )
    if not host or port == 0 or set(text) & set("?#"):
        raise SinkError(
            f"the broker {shown!r} has no host, no port that can be, or more than a topic",
            hint=_HINT,
        )
    user = unquote(parts.username or "")
    if not user.isprintable():
        raise SinkError(f"the user of the broker {shown!r} has odd letters", hint=_HINT)
    base = unquote(parts.path).strip("/") or f"edgecls/{slug(socket.gethostname()) or 'board'}"
    check_topic(base)
    port = _PORTS[parts.scheme] if port is None else port
    return Broker(host, port, base, parts.scheme == "mqtts", user)


def check_topic(topic: str) -> None:
    """Check that messages can be published below a topic.

    Raises:
        SinkError: It is empty, too long, or has a wildcard or an empty level in it.
    """
    is_odd = re.search(r"[+#\x00-\x1f\x7f\ud800-\udfff\ufffd]|//|^/|/$|^\$", topic) is not None
    if not topic or is_odd or len(topic.encode("utf-8", "replace")) > _MAX_TOPIC:
        raise SinkError(
            f"the topic {topic[:_MAX_TOPIC]!r} cannot be published to",
            hint="levels of letters, digits, - and _, with / between them",
        )


def load_password(
    path: Path | None, environment: Mapping[str, str] = os.environ
) -> tuple[str, str]:
    """The password, and what there is to say about where it lies.

    Args:
        path: A file that holds it and nothing else; None for the environment.
        environment: Holds `EDGECLS_MQTT_PASSWORD`, or names the folder in which systemd has put
            a service's credentials (`CREDENTIALS_DIRECTORY`), `mqtt-password` among them.

    Raises:
        SinkError: The file cannot be read.
    """
    if path is None:
        path = _credential(environment)
    if path is None:
        return environment.get(PASSWORD_VARIABLE, ""), ""
    content = read_regular_file(path, _MAX_SECRET_BYTES, SinkError)
    try:
        password = content.decode().rstrip("\r\n")
    except UnicodeDecodeError as wrong:
        raise SinkError(f"the password in '{path}' is not UTF-8") from wrong
    is_open = bool(path.stat().st_mode & 0o004)
    return password, f"everyone can read '{path}': chmod 600 it" if is_open else ""


def _credential(environment: Mapping[str, str]) -> Path | None:
    """The file that systemd's `LoadCredential=` has made, unless the environment says the word."""
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder or environment.get(PASSWORD_VARIABLE):
        return None
    path = Path(folder) / "mqtt-password"
    return path if path.is_file() else None


def slug(text: str) -> str:
    """Letters, digits and `_` only, in lower case: for ids and levels of topics."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:64]


def slugs_of(labels: tuple[str, ...]) -> dict[str, str]:
    """Each label's own id: its slug, with its number where that would be empty or taken."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for index, label in enumerate(labels):
        name = slug(label)
        if not name or name in taken:
            name = f"{name or 'label'}_{index}"
        while name in taken:
            name += "_"
        taken.add(name)
        found[label] = name
    return found
