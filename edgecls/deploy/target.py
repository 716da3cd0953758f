"""Which board: what the user writes for it, and the `ssh` command that reaches it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgecls.errors import InvalidValueError, NotInstalledError

# Names, addresses and aliases of ~/.ssh/config; no option, no shell, no space.
_HOST: Final = re.compile(r"(?:[\w.+-]+@)?[\w.:%\[\]-]+", re.ASCII)
_CONNECT_S: Final = 10
# A connection that is dead for 15 s is given up.
_ALIVE_S, _ALIVE_COUNT = 5, 3
_HINT: Final = "such as pi@raspberrypi.local, 192.168.1.20 or a name of ~/.ssh/config"


@dataclass(frozen=True, slots=True)
class Target:
    """A board that `ssh` reaches; who may log in and which host keys hold is ssh's own matter.

    Args:
        host: `user@board`, or a name that ssh knows.
        port: None for ssh's own choice.
        identity: A private key, besides those that ssh finds.
    """

    host: str
    port: int | None = None
    identity: Path | None = None

    def __post_init__(self) -> None:
        user, _, name = self.host.rpartition("@")
        if not _HOST.fullmatch(self.host) or user.startswith("-") or name.startswith("-"):
            raise InvalidValueError(f"{self.host!r} is no board that ssh can reach", hint=_HINT)
        if self.port is not None and not 1 <= self.port <= 65_535:
            raise InvalidValueError(f"port {self.port} is none, wanted 1 to 65535")
        if self.identity is not None and not self.identity.is_file():
            raise InvalidValueError(f"there is no key file {str(self.identity)!r}")

    def command(self, remote: str) -> Sequence[str]:
        """The local command that runs `remote` in the board's login shell.

        Raises:
            NotInstalledError: There is no ssh here.
        """
        program = shutil.which("ssh")
        if program is None:
            raise NotInstalledError(
                "there is no ssh on this machine", hint="sudo apt install openssh-client"
            )
        options = {
            "ConnectTimeout": _CONNECT_S,
            "ServerAliveInterval": _ALIVE_S,
            "ServerAliveCountMax": _ALIVE_COUNT,
        }
        words = [program, "-T"]
        for name, value in options.items():
            words += ["-o", f"{name}={value}"]
        if self.port is not None:
            words += ["-p", str(self.port)]
        if self.identity is not None:
            words += ["-i", str(self.identity)]
        return [*words, "--", self.host, remote]
