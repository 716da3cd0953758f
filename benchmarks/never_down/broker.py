"""A Mosquitto on loopback that can be killed, frozen and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path


class Broker:
    """A Mosquitto that comes and goes; nothing where it is not installed."""

    def __init__(self, folder: Path) -> None:
        self._program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> list[str]:
        """For `edgecls camera`."""
        return ["--mqtt", f"mqtt://127.0.0.1:{self.port}"] if self._program else []

    def start(self) -> None:
        """Start it."""
        if self._program:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen([self._program, "-c", str(self._config)], **quiet)

    def kill(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: int) -> None:
        """Freeze or thaw it."""
        if self._process is not None:
            self._process.send_signal(number)
