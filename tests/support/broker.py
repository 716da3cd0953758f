"""A real Mosquitto on loopback, and somebody who listens to everything it says."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.patience import patience

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that came in; `is_retained` if it was there before we listened."""

    topic: str
    payload: bytes
    is_retained: bool


class Mosquitto:
    """A broker that can be stopped, frozen and started again at the same port.

    Args:
        folder: For its configuration.
        lines: More of it; `{port}` in them is the port.
        is_open: Whether it lets everybody in.
    """

    def __init__(self, folder: Path, *lines: str, is_open: bool = True) -> None:
        found = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        if found is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        self._program = found
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        access = f"allow_anonymous {'true' if is_open else 'false'}"
        text = [f"listener {self.port} {HOST}", access, "user root", *lines]
        self._config.write_text("\n".join(text) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config), "-v"],
            stdout=subprocess.DEVNULL,
            stderr=(self._config.parent / "mosquitto.log").open("ab"),
        )
        wait_until(lambda: can_connect(self.port), "mosquitto listens")
        return self

    def stop(self) -> None:
        """End it; what was retained is forgotten."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self._config.parent / "mosquitto.log").read_text("utf-8", "replace")


class Listener:
    """Listens to everything."""

    def __init__(self, port: int, **security: Any) -> None:
        client = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
        self.heard: list[Heard] = []
        self._has_subscribed = threading.Event()
        self._client = client.Client(client.CallbackAPIVersion.VERSION2)
        if "user" in security:
            self._client.username_pw_set(security["user"], security["password"])
        self._client.on_connect = lambda ours, *_: ours.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: self._has_subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            Heard(message.topic, bytes(message.payload), message.retain)
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(HOST, port)
        self._client.loop_start()
        assert self._has_subscribed.wait(patience(5.0))

    def publish(self, topic: str, payload: str) -> None:
        """Say something ourselves."""
        self._client.publish(topic, payload, 1)

    def payloads(self, topic: str) -> list[bytes]:
        """What was said about a topic, in order."""
        return [heard.payload for heard in self.heard if heard.topic == topic]

    def wait_for(self, topic: str, payload: bytes | None = None, seconds: float = 5.0) -> bytes:
        """The newest message of a topic, once there is one (with that payload)."""

        def is_there() -> bool:
            found = self.payloads(topic)
            return bool(found) and (payload is None or found[-1] == payload)

        wait_until(is_there, f"{topic} {payload!r}", seconds)
        return self.payloads(topic)[-1]

    def wait_for_part(self, topic: str, part: bytes, seconds: float = 5.0) -> bytes:
        """The newest message of a topic, once it has `part` in it."""
        wait_until(lambda: part in b"".join(self.payloads(topic)[-1:]), f"{part!r}", seconds)
        return self.payloads(topic)[-1]

    def close(self) -> None:
        """Listen no more."""
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def listening(port: int, **security: Any) -> Iterator[Listener]:
    """A listener for a while."""
    listener = Listener(port, **security)
    try:
        yield listener
    finally:
        listener.close()


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 5.0) -> None:
    """Wait for something to come true, a little longer on a busy machine."""
    end = time.monotonic() + patience(seconds)
    while not is_so():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listened to a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def can_connect(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
