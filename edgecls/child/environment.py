"""What a child process inherits of our environment: everything but secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

# Words between the underscores of names that secrets have, such as EDGECLS_MQTT_PASSWORD or
# CREDENTIALS_DIRECTORY; SSH_ASKPASS and SSH_AUTH_SOCK only say where to ask.
_WORDS: Final = frozenset(
    "PASS PASSWD PASSPHRASE PSWD PW SECRET TOKEN CREDENTIAL CRED KEY PAT JWT BEARER COOKIE".split()
)
_ENDS: Final = ("PASSWORD", "PASSWORT", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY")
_LAST: Final = ("AUTH", "PWD")
_FOLDERS: Final = ("PWD", "OLDPWD")
# An address with a user or password in it, such as that of a proxy, a broker or a database;
# a password that should have been quoted may hold a slash.
_LOGIN: Final = re.compile(r"://([^/?#\s]*|\S*:\S*)@")
# What systemd says to the process that it has started, and to nobody else.
_SERVICE: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")


def without_secrets(
    keep: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment for a child process: no variable in it is a secret, or names one.

    Args:
        keep: Secrets that this child cannot do its work without.
        environment: Ours by default.
    """
    given = os.environ if environment is None else environment
    return {
        name: value
        for name, value in given.items()
        if name in keep
        or not (_is_secret(name) or _LOGIN.search(value) or name.upper() in _SERVICE)
    }


def for_strangers(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a program that a user has chosen: no variable of edgecls, either."""
    kept = without_secrets(environment=environment)
    return {name: value for name, value in kept.items() if not name.startswith("EDGECLS_")}


def _is_secret(name: str) -> bool:
    *_, last = words = [word.strip("0123456789") for word in name.upper().split("_")]
    if any(word in _WORDS or word.removesuffix("S") in _WORDS for word in words):
        return True
    if any(word.removesuffix("S").endswith(_ENDS) for word in words):
        return True
    if any(word.endswith("PASS") and not word.endswith("ASKPASS") for word in words):
        return True
    return last in _LAST and name.upper() not in _FOLDERS
