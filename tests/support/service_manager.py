"""The ear of systemd: a datagram socket that keeps what a service says."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.patience import patience

Message = dict[str, str]


class ServiceManager:
    """Hears a service.

    Args:
        address: A path, or a name in the abstract space after `@`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def hear(self, seconds: float = 0.0) -> Message | None:
        """The next message as its fields; None if none comes so soon."""
        self._socket.settimeout(seconds or 0.001)
        try:
            text = self._socket.recv(65_536).decode()
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in text.split("\n"))

    def hear_all(self) -> list[Message]:
        """What has been said and not been heard yet."""
        messages = []
        while (message := self.hear()) is not None:
            messages.append(message)
        return messages

    def wait_for(self, field: str, part: str = "", seconds: float = 30.0) -> list[Message]:
        """All that is said until a message has this field, with `part` in its value."""
        end, messages = time.monotonic() + patience(seconds), []
        while time.monotonic() < end:
            if (message := self.hear(0.1)) is not None:
                messages.append(message)
                if part in message.get(field, "") and field in message:
                    return messages
        raise AssertionError(f"no {field} with {part!r} among {messages}")

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[ServiceManager]:
    """One at a path, for a while."""
    manager = ServiceManager(str(folder / "notify"))
    try:
        yield manager
    finally:
        manager.close()
