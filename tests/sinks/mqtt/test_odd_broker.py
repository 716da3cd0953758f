"""A broker that answers with nonsense: it is tried again, and the loop does not notice."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from edgecls.sinks.mqtt import MqttSink
from edgecls.sinks.mqtt.settings import Broker, MqttSettings
from tests.support.network_camera import NetworkCamera
from tests.support.patience import patience

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed: pip install 'edgecls[mqtt]'")

WELCOME = b"\x20\x02\x00\x00"


class OddBroker(NetworkCamera):
    """Answers each connection with the same bytes, and hangs up."""

    def __init__(self, answer: bytes) -> None:
        self.asked = threading.Semaphore(0)
        self._bytes = answer
        super().__init__()

    def _answer(self, client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(self._bytes)
        self.asked.release()
        time.sleep(0.05)


@pytest.mark.fault(148)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="HTTP"),
        pytest.param(b"\x20\x01\x00", id="a welcome that is cut off"),
        pytest.param(b"\x20\x02\x00\xff", id="a refusal that nobody knows"),
        pytest.param(WELCOME + b"\xf0\x00", id="a kind of packet that does not exist"),
        pytest.param(WELCOME + b"\x30\xff\xff\xff\xff\xff", id="a length without an end"),
        pytest.param(WELCOME + b"\x30\x04\x00\xffab", id="a topic longer than its packet"),
        pytest.param(WELCOME + b"\x30\x05\x00\x02\xff\xfex", id="a topic that is not UTF-8"),
        pytest.param(WELCOME + b"\x30\x01\x00", id="half a message"),
        pytest.param(WELCOME + b"\x90\x01\x00", id="half a confirmation"),
        pytest.param(WELCOME * 3, id="three welcomes"),
    ],
)
def test_it_is_asked_again_after(answer: bytes) -> None:
    with OddBroker(answer) as odd:
        settings = MqttSettings(Broker("127.0.0.1", odd.port, "hall"), retry_s=(0.05, 0.05))
        sink = MqttSink(settings, ["cat", "dog"])
        for _ in range(3):
            assert odd.asked.acquire(timeout=patience(3.0))
        sink.close()
