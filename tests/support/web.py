"""Clients of our web server: polite ones, and those that no browser is."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.support.patience import patience

HANGS_S: Final = 30.0  # whatever takes longer never comes
# What stands behind a picture of an MJPEG stream.
BOUNDARY: Final = b"\r\n--edgecls-frame\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


def fetch(
    port: int,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    **headers: str,
) -> Answer:
    """Ask as a browser would; `_` in the name of a header stands for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANGS_S)
    with contextlib.closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, found, reply.read())


def post(port: int, path: str, body: bytes, **headers: str) -> Answer:
    """Send JSON as a page of the server itself does."""
    origin = f"http://127.0.0.1:{port}"
    named = {"Content_Type": "application/json", "Origin": origin, **headers}
    return fetch(port, path, "POST", body, **named)


def connect(port: int) -> socket.socket:
    """A connection on which nothing has been said."""
    return socket.create_connection(("127.0.0.1", port), HANGS_S)


def talk(port: int, content: bytes) -> bytes:
    """Send these bytes, and read until the server closes the connection or keeps it."""
    with connect(port) as client:
        client.sendall(content)
        return read_reply(client)


def read_reply(client: socket.socket) -> bytes:
    """One whole reply with its length; less where the connection ends."""
    got = b""
    while b"\r\n\r\n" not in got and (more := client.recv(65536)):
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            while len(body) < int(value) and (more := client.recv(65536)):
                body += more
    return head + b"\r\n\r\n" + body


def status_of(reply: bytes) -> int:
    """Of a raw reply; 0 where there is none."""
    return int(reply[9:12]) if reply.startswith(b"HTTP/1.1 ") else 0


def is_closed(client: socket.socket, seconds: float = 5.0) -> bool:
    """Whether the server ends this connection, sooner or later."""
    client.settimeout(patience(seconds))
    with contextlib.suppress(ConnectionError):
        try:
            while client.recv(65536):
                pass
        except TimeoutError:
            return False
    return True


@contextlib.contextmanager
def half_open(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections on which half a request was said."""
    clients: list[socket.socket] = []
    try:
        for _ in range(count):
            clients.append(connect(port))
            with contextlib.suppress(ConnectionError):  # the server may have had enough of us
                clients[-1].sendall(b"GET / HTTP/1.1\r\nHost: local")
        yield clients
    finally:
        for client in clients:
            client.close()


@contextlib.contextmanager
def strangers(port: int, said: bytes, *, count: int, addresses: int) -> Iterator[None]:
    """From each of some addresses of loopback, connections that say this and read nothing."""
    clients: list[socket.socket] = []
    try:
        for number in range(count * addresses):
            clients.append(socket.socket())
            clients[-1].settimeout(HANGS_S)
            clients[-1].bind((f"127.0.1.{1 + number % addresses}", 0))
            clients[-1].connect(("127.0.0.1", port))
            with contextlib.suppress(ConnectionError):  # the server may have had enough of us
                clients[-1].sendall(said)
        yield
    finally:
        for client in clients:
            client.close()


def read_part(stream: Any) -> bytes:
    """The next picture of an MJPEG stream, and the head of the one after, read as they come."""
    content = b""
    while not content.endswith(BOUNDARY):
        line = stream.readline()
        assert line, "the stream has ended"
        content += line
    read_head(stream)
    return content.removesuffix(BOUNDARY)


def read_head(stream: Any) -> dict[str, str]:
    """The headers of a part, up to the empty line."""
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(": ")
        headers[name] = value.strip()
    return headers


def read_page_part(stream: Any) -> tuple[dict[str, Any], bytes]:
    """The next frame as pages are given it: what belongs to it, and its picture."""
    lengths = bytes(8)
    while lengths == bytes(8):  # a sign of life
        lengths = stream.read(8)
    facts_bytes, jpeg_bytes = struct.unpack(">II", lengths)
    facts: dict[str, Any] = json.loads(stream.read(facts_bytes))
    return facts, stream.read(jpeg_bytes)


@contextlib.contextmanager
def looking_at_frames(port: int) -> Iterator[Iterator[tuple[dict[str, Any], bytes]]]:
    """One who looks at the frames that pages are given, as they come."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANGS_S)
    with contextlib.closing(connection):
        connection.request("GET", "/frames")
        with connection.getresponse() as reply:
            assert reply.status == 200
            yield (read_page_part(reply) for _ in iter(int, 1))


def seconds_for(port: int, path: str = "/") -> float:
    """How long a page takes to come."""
    started = time.monotonic()
    assert fetch(port, path).status == 200
    return time.monotonic() - started
