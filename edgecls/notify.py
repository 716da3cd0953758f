"""What a service and systemd tell each other: ready, alive, status, and how often it was started.

Without systemd's environment variables nothing is sent and nothing is waited for.

Source:
    sd_notify(3), sd_watchdog_enabled(3), systemd.exec(5).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edgecls.console import printable

SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
# systemd's end takes a message at once; this is for one that does not.
_SEND_LIMIT_S: Final = 1.0
_MAX_STATUS: Final = 300

# The first start and one more are free; from then on each waits twice as long as the one before.
_FREE_STARTS: Final = 2
_LONGEST_WAIT_S: Final = 60.0
_STARTS_FILE: Final = "starts"


class Notifier:
    """Sends messages to the service manager; one that does not listen is no error.

    Args:
        address: Of its datagram socket: a path, or a name in Linux' abstract space after `@`.
        watchdog_s: After this silence it kills the service; None where it watches nothing.
    """

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_SEND_LIMIT_S)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier | None:
        """The one that systemd has named; None for a command that is no service."""
        address = environment.get(SOCKET_VARIABLE, "")
        if not address.startswith(("/", "@")):
            return None
        return cls(address, _watchdog_s(environment))

    def tell(self, **fields: str | int) -> None:
        """Send fields, such as `READY=1`, in one message; values stay on their line."""
        lines = [f"{name}={printable(str(value))[:_MAX_STATUS]}" for name, value in fields.items()]
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)

    def close(self) -> None:
        """Let go of the socket; may be called twice."""
        self._socket.close()


def tell_status(status: str, environment: Mapping[str, str] = os.environ) -> None:
    """One line for `systemctl status`, from wherever the service is."""
    notifier = Notifier.from_environment(environment)
    if notifier is not None:
        notifier.tell(STATUS=status)
        notifier.close()


class Starts:
    """Counts starts that came to nothing, so that each waits longer than the one before.

    systemd can do that from version 254 on (`RestartSteps=`); Raspberry Pi OS Bookworm has 252.
    The count lies in the service's runtime folder, which systemd keeps when it restarts a service
    and removes when the service is stopped: whoever stops and starts it never waits.

    Args:
        folder: systemd's `RuntimeDirectory=` with `RuntimeDirectoryPreserve=restart`.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _STARTS_FILE

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Starts | None:
        """Where systemd has made the service a runtime folder; None elsewhere."""
        folder = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
        return cls(Path(folder)) if folder and SOCKET_VARIABLE in environment else None

    def count(self) -> tuple[int, float]:
        """Count one more; how many there were in a row, and the seconds to wait before this one."""
        try:
            starts = int(self._file.read_text()) + 1
        except (OSError, ValueError):
            starts = 1
        with contextlib.suppress(OSError):
            self._file.write_text(str(starts))
        late = min(starts - _FREE_STARTS, 10)
        return starts, min(2.0**late, _LONGEST_WAIT_S) if late > 0 else 0.0

    def forget(self) -> None:
        """It runs well: the next start is a first one."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """The silence that systemd allows; None where it watches nothing, or another process."""
    watched = environment.get("WATCHDOG_PID", "")
    if watched and watched != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    is_number = microseconds.isdecimal() and len(microseconds) < 20
    return int(microseconds) / 1e6 if is_number and int(microseconds) else None
