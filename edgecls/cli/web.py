"""Options of the commands that serve a page, and the server that they open."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from edgecls.console import printable
from edgecls.storage.targets import TOKEN, Writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.web import WebApp, WebServer

_PANEL: Final = "Page in the browser"

ViewOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--view",
        metavar="[HOST:PORT]",  # optional: see `edgecls.cli.grouped`
        help="Show picture, label and figures as a page; without an address at 127.0.0.1:8080.",
        rich_help_panel=_PANEL,
    ),
]
ListenOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help="Where the page is; other machines see it at 0.0.0.0:8080, with a token.",
        rich_help_panel=_PANEL,
    ),
]
HostNameOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--host-name",
        help="A further name by which browsers reach the page; may be repeated.",
        rich_help_panel=_PANEL,
    ),
]
TokenFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="The page's token, made if it is missing; given, it is wanted on loopback, too.",
        rich_help_panel=_PANEL,
    ),
    Writes(TOKEN),
]


def open_web(
    app: WebApp,
    listen: str,
    host_names: list[str] | None,
    token_file: Path | None,
    tell: Callable[[str], None],
) -> WebServer:
    """Begin to serve, and say where on stderr; close it when done.

    Raises:
        EdgeclsError: The address is none or taken, or there is no token.
    """
    from edgecls.web import Listen, WebServer, open_access

    access = open_access(Listen.parse(listen), host_names or (), token_file)
    server = WebServer(app, access, tell=tell).start()
    for url in server.urls:
        print(f"{app.name}: {url}", file=sys.stderr, flush=True)
    if access.token is not None:
        place = printable(str(access.token.path))
        print(f"{app.name}: its token is in {place}", file=sys.stderr, flush=True)
    return server


def warn(text: str) -> None:
    """Say something on stderr while the page is served."""
    with contextlib.suppress(OSError, ValueError):  # nobody listens: no reason to stop
        print(f"warning: {printable(text)}", file=sys.stderr, flush=True)
