"""The server: one thread for all connections, and a few for handlers."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Self

from edgecls.errors import EdgeclsError, is_strict
from edgecls.web.access import LOGIN, Access
from edgecls.web.app import Handler, Page, WebApp
from edgecls.web.clients import Clients
from edgecls.web.connection import Connection, Target
from edgecls.web.limits import Limits
from edgecls.web.message import Reply, Request
from edgecls.web.workers import Workers

_SWEEP_S: Final = 0.25
_CLOSE_S: Final = 1.0
_LOGIN_BYTES: Final = 2048


class WebServer:
    """Serves an app from a thread of its own, from `start` (or `with`) to `close`.

    Args:
        app: What there is.
        access: Where to listen, and who may look.
        limits: What is taken at most.
        tell: Takes a line for people about what a handler did wrong.

    Raises:
        EdgeclsError: The address is taken, or is none of this machine.
    """

    def __init__(
        self,
        app: WebApp,
        access: Access,
        limits: Limits | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.limits = limits or Limits()
        self.stuck = 0
        self._app = app
        self._access = access
        self._tell = tell
        self._listening = access.listen.open_socket()
        self.port = int(self._listening.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._clients = Clients(self._listening, self._selector, self.limits)
        self._soon: deque[Callable[[], None]] = deque()
        self._late: list[tuple[float, Callable[[], None]]] = []
        self._workers = Workers(self.limits.workers, self.limits.waiting)
        self._slow_workers = Workers(self.limits.workers, self.limits.waiting)
        self._is_over = self._is_woken = False
        self._next_sweep_s = self._next_beat_s = 0.0
        self._waking, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def urls(self) -> list[str]:
        """How people reach it."""
        return [f"http://{host}:{self.port}/" for host in self._access.listen.hosts]

    def start(self) -> Self:
        """Begin to serve."""
        for end in (self._listening, self._waking, self._woken):
            end.setblocking(False)
        self._clients.begin_to_accept()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        for feed in self._app.feeds:
            feed.attach(functools.partial(self.soon, feed.flush))
        self._thread.start()
        return self

    def close(self) -> None:
        """Send what is begun as far as clients take it, and cut all; may be called twice."""
        self.soon(self._end)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        self._workers.close()
        self._slow_workers.close()
        if not self._thread.is_alive():
            for end in (self._listening, self._waking, self._woken):
                end.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_wrong: object) -> None:
        self.close()

    # What connections ask (see `House`).

    def admit(self, client: Connection, request: Request) -> Target | Reply:
        """The one place that every request passes, before anything is looked up for it."""
        refusal = self._access.refuse(request)
        if refusal is not None:
            return self._dress(refusal, request)
        client.is_known = client.is_known or not self._access.is_for_everybody(request)
        if request.path == LOGIN and request.method == "POST":
            if request.length > _LOGIN_BYTES:  # of those who have not shown a token yet
                return Reply.of_error(413, "that is no token")
            return self._log_in
        target = self._app.find(request.method, request.path)
        if isinstance(target, Reply | Page) or callable(target):
            return target
        if self._clients.viewing >= self.limits.viewers:
            return Reply.of_error(503, "too many are looking already")
        return target

    def handle(self, client: Connection, request: Request, target: Target | Reply) -> None:
        """Answer: at once what lies ready, a handler's reply when it is there."""
        if isinstance(target, Reply):
            self._answer(client, request, target)
        elif isinstance(target, Page):
            client.reply(target.reply, request)
        elif not callable(target):
            client.show(target, request)
        elif target == self._log_in:  # compares a token: who has none is given no worker
            self._ask(client, request, target)
        elif not self._workers_of(request).submit(lambda: self._ask(client, request, target)):
            client.reply(Reply.of_error(503, "too busy, try again"), request)
        self.watch(client)

    def watch(self, client: Connection) -> None:
        """Look for what the connection waits for."""
        self._clients.watch(client)

    def forget(self, client: Connection) -> None:
        """It is about to be closed."""
        self._clients.forget(client)

    def soon(self, work: Callable[[], None]) -> None:
        """Do something in the server's thread; safe in any thread."""
        self._soon.append(work)
        self._wake()

    def hear(self, client: Connection) -> None:
        """Take what a newcomer has sent; who says at once what he wants is not taken for silent."""
        self._guarded(client.receive, client)

    def _log_in(self, request: Request) -> Reply:
        return self._dress(self._access.log_in(request), request)

    def _workers_of(self, request: Request) -> Workers:
        return self._slow_workers if self._app.is_slow(request.path) else self._workers

    # The thread.

    def _run(self) -> None:
        while not self._is_over:
            for key, mask in sorted(self._selector.select(self._patience_s()), key=_turn):
                if isinstance(key.data, Connection):
                    self._guarded(functools.partial(_serve, key.data, mask), key.data)
                elif key.data is self._clients:
                    self._guarded(lambda: self._clients.accept(self))
                else:
                    self._hear()
            self._catch_up()
            if (now_s := time.monotonic()) >= self._next_sweep_s:
                self._sweep(now_s)
        for client in self._clients:
            client.drop()
        self._selector.close()

    def _end(self) -> None:
        self._is_over = True

    def _patience_s(self) -> float | None:
        """Without clients and without work the thread sleeps until somebody comes."""
        if self._soon:
            return 0.0
        is_idle = not self._clients and not self._late and self._clients.is_accepting
        return None if is_idle else _SWEEP_S

    def _guarded(self, work: Callable[[], None], client: Connection | None = None) -> None:
        """A fault of ours costs one connection, not the server."""
        try:
            work()
        except Exception as wrong:
            if is_strict():
                raise
            self._tell(f"{self._app.name}: the server failed with {wrong!r}")
            if client is not None:
                client.drop()

    def _catch_up(self) -> None:
        for _ in range(len(self._soon)):
            self._guarded(self._soon.popleft())

    def _sweep(self, now_s: float) -> None:
        self._next_sweep_s = now_s + _SWEEP_S
        due = [work for at_s, work in self._late if at_s <= now_s]
        self._late = [(at_s, work) for at_s, work in self._late if at_s > now_s]
        for work in due:
            self._guarded(work)
        for client in self._clients:
            self._guarded(functools.partial(self._check, client, now_s), client)
        self._clients.begin_to_accept()
        if now_s >= self._next_beat_s:
            self._next_beat_s = now_s + self.limits.heartbeat_s
            for feed in self._app.feeds:
                self._guarded(feed.beat)

    def _check(self, client: Connection, now_s: float) -> None:
        self.stuck += client.check_time(now_s)
        self.watch(client)

    def _ask(self, client: Connection, request: Request, handler: Handler) -> None:
        """Call a handler, in a worker's thread."""
        try:
            reply = handler(request)
        except EdgeclsError as wrong:
            reply = Reply.of_error(400, wrong.problem, wrong.hint)
        except Exception as wrong:  # a bug of a page must not end the server
            self._tell(f"{self._app.name}: {request.method} {request.path} failed: {wrong!r}")
            reply = Reply.of_error(500, "the server failed at this")
            if is_strict():
                self.soon(functools.partial(self._answer, client, request, reply))
                raise
        self.soon(functools.partial(self._answer, client, request, reply))

    def _answer(self, client: Connection, request: Request, reply: Reply) -> None:
        if reply.delay_s:
            at_s, plain = time.monotonic() + reply.delay_s, dataclasses.replace(reply, delay_s=0.0)
            self._late.append((at_s, lambda: self._answer(client, request, plain)))
        else:
            client.reply(reply, request)
            self.watch(client)

    def _dress(self, reply: Reply, request: Request) -> Reply:
        """For people in a browser, a refusal for want of a token is the page that asks for it."""
        page = self._app.find("GET", LOGIN)
        is_browser = request.headers.get("sec-fetch-mode") == "navigate"
        if reply.status != 401 or not is_browser or not isinstance(page, Page):
            return reply
        body = page.reply.body
        if reply.delay_s:
            body = body.replace(b' hidden="">', b">").replace(b" hidden>", b">")
        kind = page.reply.content_type
        return Reply(401, body, kind, reply.headers, reply.delay_s)

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(OSError):  # full: it will wake in any case
                self._waking.send(b"\0")

    def _hear(self) -> None:
        self._is_woken = False  # before looking for work, so that what comes now wakes again
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)


def _turn(event: tuple[selectors.SelectorKey, int]) -> int:
    """Who is known first, then newcomers, then strangers."""
    client = event[0].data
    return 1 if not isinstance(client, Connection) else 0 if client.is_known else 2


def _serve(client: Connection, mask: int) -> None:
    if mask & selectors.EVENT_READ:
        client.receive()
    if mask & selectors.EVENT_WRITE:
        client.send()
