"""A browser, and a server with a page, two handlers and both kinds of feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgecls.errors import InvalidValueError
from edgecls.web import Channel, FrameStream, Listen, Reply, Request, WebApp, WebServer, open_access
from edgecls.web.limits import Limits
from tests.support.browser import browser, page, phone
from tests.web.show import LABELS, Show, show

__all__ = ["browser", "page", "phone"]


@dataclass(slots=True)
class House:
    """A running server and what it serves."""

    server: WebServer
    events: Channel
    pictures: FrameStream
    token_file: Path
    kept: list[Any] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Of the server, on loopback."""
        return self.server.port


@pytest.fixture
def open_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Opens a server; with `has_token` it wants one, `names` are further host names."""
    with ExitStack() as closing:

        def open_it(
            limits: Limits | None = None, *, has_token: bool = False, names: tuple[str, ...] = ()
        ) -> House:
            (tmp_path / "index.html").write_text("<!doctype html><title>home</title>")
            (tmp_path / "secret.txt").write_text("not to be served")
            app = WebApp("test", tmp_path)
            kept: list[Any] = []
            told: list[str] = []
            events = app.add_feed("/events", Channel(lambda: [("state", {"kept": len(kept)})]))
            pictures = FrameStream(a_second=1000.0)
            app.add_feed("/picture", pictures.plain)
            app.add_feed("/frames", pictures.pages)

            def keep(request: Request) -> Reply:
                kept.append(request.json())
                return Reply.of_json({"kept": len(kept)})

            def refuse(_request: Request) -> Reply:
                raise InvalidValueError("the label is empty", hint="name it")

            app.add("POST", "/keep", keep)
            app.add("GET", "/echo", lambda request: Reply.of_json(request.query))
            app.add("GET", "/refuse", refuse)
            app.add("GET", "/broken", lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
            token_file = tmp_path / "state" / "token"
            access = open_access(Listen("127.0.0.1", 0), names, token_file if has_token else None)
            server = closing.enter_context(WebServer(app, access, limits, told.append))
            return House(server, events, pictures, token_file, kept, told)

        yield open_it


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    """A server on loopback that wants no token."""
    return open_house()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Show]:
    """A loop that sees `black`, and what a test puts there."""
    with show(tmp_path, LABELS, records=True) as running:
        yield running
