"""The connection to a broker, in a thread of its own: it never gives up and never storms."""

from __future__ import annotations

import contextlib
import os
import random
import select
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from edgecls.console import printable
from edgecls.errors import NotInstalledError, SinkError
from edgecls.sinks.mqtt.outbox import Outbox
from edgecls.sinks.mqtt.settings import MqttSettings

if TYPE_CHECKING:
    from paho.mqtt.client import Client

OFFLINE: Final = b"offline"
ONLINE: Final = b"online"
_CONNACK_TIMEOUT_S: Final = 10.0
_STEP_S: Final = 0.5
# A connection that lasted so long was a good one: the next wait is the shortest again.
_GOOD_S: Final = 30.0
_FLUSH_S: Final = 0.7


class Link:
    """Publishes what is in the outbox whenever there is a broker that takes it.

    A new client for each connection, so that nothing is left of the one before. paho's own loop
    is not used: its queue has no limit for QoS 0, and its wait after a refusal is that after a
    cut cable.

    Args:
        settings: Of the broker.
        outbox: What is to be published.
        will_topic: Gets `offline` from the broker when the connection is lost.
        hears: Called with topic and payload of what comes in.
        listens: Topics to subscribe to.
        tell: Takes a line for people, when the broker is lost and when it is back.
    """

    def __init__(
        self,
        settings: MqttSettings,
        outbox: Outbox,
        will_topic: str,
        hears: Callable[[str, bytes], None],
        listens: tuple[str, ...],
        tell: Callable[[str], None],
    ) -> None:
        self.is_connected = False
        self.attempts = 0
        self._settings = settings
        self._outbox = outbox
        self._will_topic = will_topic
        self._hears = hears
        self._listens = listens
        self._tell = tell
        self._tls = _make_tls(settings)
        self._make_client = _load_paho()
        self._refusal = ""
        self._told = ""
        self._is_closing = threading.Event()
        self._waking, self._wake_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look into the outbox now."""
        with contextlib.suppress(BlockingIOError, OSError):  # it is awake already, or at its end
            os.write(self._wake_end, b"\0")

    def close(self) -> None:
        """Publish what is left, for a moment, and say goodbye."""
        self._is_closing.set()
        self.wake()
        self._thread.join(_FLUSH_S + 0.2)
        if not self._thread.is_alive():
            os.close(self._waking)
            os.close(self._wake_end)

    def _run(self) -> None:
        shortest_s, longest_s = self._settings.retry_s
        wait_s = shortest_s
        while not self._is_closing.is_set():
            self._refusal = ""
            began = time.monotonic()
            reason = self._connect_and_serve()
            if self._is_closing.is_set():
                return
            self._say_lost(reason)
            if self._refusal:  # it would refuse again: asking often is what gets a board banned
                wait_s = longest_s
            elif time.monotonic() - began > _GOOD_S:
                wait_s = shortest_s
            # All boards of a house lose their broker at once, and must not come back at once.
            self._is_closing.wait(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(wait_s * 2, longest_s)

    def _connect_and_serve(self) -> str:
        """One connection from beginning to end; returns why it ended."""
        settings, broker = self._settings, self._settings.broker
        client = self._make_client()
        client.on_connect = self._on_connect
        client.on_message = lambda _client, _data, message: self._on_message(message)
        client.on_publish = lambda _client, _data, number, *_: self._outbox.confirm(number)
        client.will_set(self._will_topic, OFFLINE, qos=1, retain=True)
        if broker.user or settings.password:
            client.username_pw_set(broker.user or None, settings.password or None)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        self.attempts += 1
        try:
            client.connect(broker.host, broker.port, settings.keepalive_s)
            return self._serve(client)
        except (OSError, ValueError) as wrong:  # ValueError: a host that no name can be
            return _reason_of(wrong)
        finally:
            self.is_connected = False
            _drop(client)

    def _serve(self, client: Client) -> str:
        connack_by = time.monotonic() + _CONNACK_TIMEOUT_S
        while (connection := client.socket()) is not None:
            if self._is_closing.is_set():
                self._say_goodbye(client)
                return ""
            if not self.is_connected and time.monotonic() > connack_by:
                return "it does not answer"
            if self.is_connected and not self._publish(client):
                break
            failure = self._step(client, connection, _STEP_S)
            if failure:
                return self._refusal or failure
        return self._refusal or "the connection was closed"

    def _step(self, client: Client, connection: Any, timeout_s: float) -> str:
        """Wait for what comes in, and write what goes out; returns what went wrong."""
        poll = select.poll()
        writes = select.POLLOUT if client.want_write() else 0
        poll.register(connection, select.POLLIN | writes)
        poll.register(self._waking, select.POLLIN)
        is_pending = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        ready = dict(poll.poll(0 if is_pending else timeout_s * 1000))
        if self._waking in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._waking, 4096)
        state = ready.get(connection.fileno(), 0)
        if (state & ~select.POLLOUT or is_pending) and (wrong := client.loop_read()):
            return _error_text(wrong)
        if client.want_write() and (wrong := client.loop_write()):
            return _error_text(wrong)
        wrong = client.loop_misc()
        return _error_text(wrong) if wrong else ""

    def _publish(self, client: Client) -> bool:
        """Publish what is due; returns whether the connection still stands."""
        while client.socket() is not None and (message := self._outbox.take()) is not None:
            info = client.publish(message.topic, message.payload, 1, message.is_retained)
            self._outbox.sent(info.mid, message)
        return client.socket() is not None

    def _say_goodbye(self, client: Client) -> None:
        """Publish what is left and that we are gone: a will is only sent for those who crash."""
        end = time.monotonic() + _FLUSH_S
        if not self.is_connected:
            return
        while not self._outbox.is_empty and time.monotonic() < end:
            is_up = self._publish(client)
            if not is_up or self._step(client, client.socket(), 0.05):
                return
        client.disconnect()

    def _on_connect(self, client: Client, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        if code.is_failure:
            self._refusal = f"it refuses us: {code}"
            return
        self.is_connected = True
        self._outbox.begin()
        for topic in self._listens:
            client.subscribe(topic, 1)
        if self._told:
            self._told = ""
            self._tell(f"mqtt {self._settings.broker}: connected")

    def _on_message(self, message: Any) -> None:
        self._hears(message.topic, bytes(message.payload))

    def _say_lost(self, reason: str) -> None:
        """Once an outage; but that the broker refuses us is told in any case."""
        if not self._told or (self._refusal and reason != self._told):
            self._told = reason
            shown = printable(reason)
            self._tell(f"mqtt {self._settings.broker}: {shown}; classifying goes on, trying again")


def _load_paho() -> Callable[[], Client]:
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as missing:
        raise NotInstalledError(
            "publishing to a broker needs paho-mqtt 2, which is not installed",
            hint="pip install 'edgecls[mqtt]'",
        ) from missing
    # An id of our own: of two boards with the same one, each would throw the other out for ever.
    return lambda: Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"edgecls-{os.urandom(6).hex()}",
        reconnect_on_failure=False,
    )


def _make_tls(settings: MqttSettings) -> ssl.SSLContext | None:
    if not settings.broker.is_tls:
        if settings.ca_file is not None:
            raise SinkError(
                "certificates are given for a broker without TLS", hint="write mqtts:// for mqtt://"
            )
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ValueError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) and wrong.strerror else wrong
        raise SinkError(
            f"the certificates in '{settings.ca_file}' cannot be read: {reason}",
            hint="give a file in PEM form",
        ) from wrong


def _reason_of(wrong: OSError | ValueError) -> str:
    if isinstance(wrong, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {wrong.verify_message} (see --mqtt-ca)"
    if isinstance(wrong, TimeoutError):
        return "it does not answer"
    return str(getattr(wrong, "strerror", None) or wrong)


def _error_text(code: Any) -> str:
    from paho.mqtt.client import error_string

    return error_string(code).rstrip(".").lower()


def _drop(client: Client) -> None:
    """Close the socket: without a goodbye the broker sends our will, as it should."""
    connection = client.socket()
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.close()
