"""One client of the server: bytes in, bytes out, and never a wait."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from edgecls.web.app import Handler, Page
from edgecls.web.feeds import Feed
from edgecls.web.limits import Limits
from edgecls.web.message import BadRequestError, Reply, Request, parse_head

_CHUNK_BYTES: Final = 64 << 10
# What the kernel may hold of a feed: more would be pictures of long ago.
_FEED_BUFFER_BYTES: Final = 64 << 10
_RESET: Final = struct.pack("ii", 1, 0)
Target = Handler | Page | Feed


class State(enum.Enum):
    """What a connection is at."""

    READING = enum.auto()  # a request, or waiting for one
    WORKING = enum.auto()  # a handler has it, or its reply waits
    WRITING = enum.auto()
    VIEWING = enum.auto()  # a feed
    LINGERING = enum.auto()  # answered for the last time, until the client has seen it
    CLOSED = enum.auto()


class House(Protocol):
    """What a connection asks of its server."""

    limits: Limits

    def admit(self, client: Connection, request: Request) -> Target | Reply:
        """What answers a request; a reply if it is refused, before its body is read.

        A client that may come in is known from then on.
        """

    def handle(self, client: Connection, request: Request, target: Target | Reply) -> None:
        """Answer a whole request, now or later."""

    def soon(self, work: Callable[[], None]) -> None:
        """Do something when the others had their turn."""

    def watch(self, client: Connection) -> None:
        """Look again at what the connection waits for."""

    def forget(self, client: Connection) -> None:
        """It is closed."""

    def hear(self, client: Connection) -> None:
        """Take what it has sent."""


class Connection:
    """Reads requests, one after the other, and writes replies.

    Args:
        sock: Connected; does not block.
        peer: The client's address.
        network: Whose connections are counted together with this one.
        house: The server.
    """

    def __init__(self, sock: socket.socket, peer: str, network: str, house: House) -> None:
        self.sock = sock
        self.peer = peer
        self.network = network
        self.is_known = False
        self.local = str(sock.getsockname()[0])
        self.state = State.READING
        self.since_s = time.monotonic()
        self.deadline_s = self.since_s + house.limits.head_s
        self.waiting_bytes = 0
        self.later = b""
        self.feed: Feed | None = None
        self._house = house
        self._inbox = bytearray()
        self._outbox: deque[memoryview] = deque()
        self._progress_s = self.since_s
        self._is_idle = False
        self._is_last = False
        self._pending: tuple[Request, Target, int] | None = None

    @property
    def wants_to_read(self) -> bool:
        """Whether what the client sends matters now."""
        return self.state in (State.READING, State.VIEWING, State.LINGERING)

    @property
    def wants_to_write(self) -> bool:
        """Whether there is something that the client has not taken."""
        return bool(self._outbox)

    def receive(self) -> None:
        """Take what the client has sent."""
        try:
            content = self.sock.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.drop()
            return
        if not content or self.state is State.VIEWING:  # a viewer has nothing to say
            self.drop()
        elif self.state is State.READING:
            self._inbox += content
            self._advance()

    def write(self, content: bytes) -> None:
        """Send this as soon as the client takes it."""
        if self.state is State.CLOSED or not content:
            return
        if not self._outbox:
            self._progress_s = time.monotonic()
        self._outbox.append(memoryview(content))
        self.waiting_bytes += len(content)
        self.send()

    def send(self) -> None:
        """Send as much as the client takes now."""
        try:
            while self._outbox:
                part = self._outbox[0]
                sent = self.sock.send(part)
                self._progress_s = time.monotonic()
                self.waiting_bytes -= sent
                if sent < len(part):
                    self._outbox[0] = part[sent:]
                else:
                    self._outbox.popleft()
                    self._take_later()
        except BlockingIOError:
            pass
        except OSError:
            self.drop()
            return
        if not self._outbox and self.state is State.WRITING:
            self._finish()
        self._house.watch(self)

    def reply(self, reply: Reply, request: Request | None) -> None:
        """Answer; the connection ends with it where the request says so, or there is none."""
        if self.state is State.CLOSED:
            return
        self._is_last = request is None or request.is_last
        self.state = State.WRITING
        head = reply.to_head(is_last=self._is_last, length=len(reply.body))
        is_bare = request is not None and request.method == "HEAD"
        self.write(head if is_bare else head + reply.body)

    def show(self, feed: Feed, request: Request) -> None:
        """Give the client a feed, for as long as it takes it."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _FEED_BUFFER_BYTES)
        # A proxy that waits for more before it passes on what there is would show nothing.
        reply = Reply(content_type=feed.content_type, headers={"X-Accel-Buffering": "no"})
        head = reply.to_head(is_last=True, length=None)
        if request.method == "HEAD":
            self._is_last, self.state = True, State.WRITING
            self.write(head)
            return
        self.state = State.VIEWING
        self.write(head)
        if self.state is State.VIEWING:
            self.feed = feed
            feed.join(self)

    def refuse(self, status: int, problem: str) -> None:
        """Answer with an error, and listen no more."""
        self.reply(Reply.of_error(status, problem), None)

    def drop(self) -> None:
        """Close it now; may be called twice."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        if self.feed is not None:
            self.feed.leave(self)
        if self._outbox:
            # Reset: else the kernel keeps what it has for a client that takes nothing, for minutes.
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._outbox.clear()
        self._house.forget(self)
        self.sock.close()

    def check_time(self, now_s: float) -> bool:
        """Close it, or say that it is too late; whether it was stuck with what it was sent."""
        if self._outbox and now_s - self._progress_s > self._house.limits.stuck_s:
            self.drop()
            return True
        if now_s <= self.deadline_s:
            return False
        if self.state is State.LINGERING or (self.state is State.READING and self._is_idle):
            self.drop()
        elif self.state is State.READING:
            self.refuse(408, "the request took too long")
        return False

    def _take_later(self) -> None:
        """Behind one picture comes the newest, not those that were missed."""
        if not self._outbox and self.later:
            self._outbox.append(memoryview(self.later))
            self.waiting_bytes += len(self.later)
            self.later = b""

    def _finish(self) -> None:
        """The reply is on its way."""
        self.since_s = now_s = time.monotonic()
        limits = self._house.limits
        if self._is_last:
            # Closed at once, with something unread, the client would lose the reply, too.
            self.state = State.LINGERING
            self.deadline_s = now_s + limits.linger_s
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
            return
        self.state = State.READING
        self._is_idle = True
        self.deadline_s = now_s + limits.idle_s
        if self._inbox:
            self._house.soon(self._advance)

    def _advance(self) -> None:
        """Go on with what has come so far."""
        if self.state is not State.READING:
            return
        try:
            if self._pending is None and not self._read_head():
                return
            self._read_body()
        except BadRequestError as wrong:
            self.refuse(wrong.status, wrong.problem)

    def _read_head(self) -> bool:
        """Whether there is a head that may come in; its body comes next."""
        limits = self._house.limits
        while self._inbox[:2] == b"\r\n":  # some clients end a body with it
            del self._inbox[:2]
        if not self._inbox:
            return False
        if self._is_idle:
            self._is_idle = False
            self.since_s = time.monotonic()
            self.deadline_s = self.since_s + limits.head_s
        end = self._inbox.find(b"\r\n\r\n", 0, limits.head_bytes)
        if end < 0:
            if len(self._inbox) >= limits.head_bytes:
                raise BadRequestError(431, "the head is too long")
            return False
        head = bytes(self._inbox[:end])
        del self._inbox[: end + 4]
        request = parse_head(head, limits)
        request = dataclasses.replace(request, peer=self.peer, local=self.local)
        length = request.length
        target = self._house.admit(self, request)
        if isinstance(target, Reply):
            # A body that nobody reads would be taken for the next request.
            is_last = request.is_last or length > 0 or target.status in (401, 403)
            self.state = State.WORKING
            self._house.handle(self, dataclasses.replace(request, is_last=is_last), target)
            return False
        if length > limits.body_bytes:
            raise BadRequestError(413, f"a body has at most {limits.body_bytes} bytes")
        if length and request.method != "POST":
            raise BadRequestError(400, f"{request.method} has no body here")
        self._pending = request, target, length
        self.deadline_s = time.monotonic() + limits.body_s
        return True

    def _read_body(self) -> None:
        assert self._pending is not None
        request, target, length = self._pending
        if len(self._inbox) < length:
            return
        body = bytes(self._inbox[:length])
        del self._inbox[:length]
        self._pending = None
        self.state = State.WORKING
        self._house.handle(self, dataclasses.replace(request, body=body), target)
