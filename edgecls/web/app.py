"""What an app serves: a table of files, handlers and feeds, made before the first request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from edgecls.errors import InvalidValueError
from edgecls.web.feeds import Feed
from edgecls.web.message import Reply, Request

SHARED: Final = Path(__file__).parent / "static"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_PATHS: Final = {"index.html": "/", "login.html": "/login"}

Handler: TypeAlias = Callable[[Request], Reply]
_Feed = TypeVar("_Feed", bound=Feed)


@dataclass(frozen=True, slots=True)
class Page:
    """A file, read when the app was made, so that no path of a request ever reaches the disk."""

    reply: Reply


class WebApp:
    """What there is.

    Args:
        name: For messages.
        folder: The app's own files, each served under its name; `index.html` as `/`.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.name = name
        self._table: dict[str, dict[str, Handler | Page | Feed]] = {}
        self._slow: set[str] = set()
        for place in (SHARED, *([folder] if folder is not None else [])):
            for file in sorted(place.iterdir()):
                if file.suffix in _KINDS:
                    self._add_file(file)

    def add(self, method: str, path: str, handler: Handler, *, is_slow: bool = False) -> None:
        """Answer a path with a handler; see `edgecls.web` on what it may do.

        Args:
            method: `GET` (it answers HEAD, too) or `POST`.
            path: Exact, such as `/keep`.
            handler: Called in a worker thread.
            is_slow: Whether it may take seconds. Such handlers have threads of their own, so that
                nothing else waits for them.

        Raises:
            InvalidValueError: There is such a path already.
        """
        if method not in ("GET", "POST"):
            raise InvalidValueError(f"a handler of {method}, wanted GET or POST")
        self._put(method, path, handler)
        if is_slow:
            self._slow.add(path)

    def is_slow(self, path: str) -> bool:
        """Whether the handler of a path may take seconds."""
        return path in self._slow

    def add_feed(self, path: str, feed: _Feed) -> _Feed:
        """Serve a feed to whoever asks for a path with GET; returns it."""
        self._put("GET", path, feed)
        return feed

    @property
    def feeds(self) -> list[Feed]:
        """All feeds."""
        found = (target for methods in self._table.values() for target in methods.values())
        return [target for target in found if not isinstance(target, Page) and not callable(target)]

    def find(self, method: str, path: str) -> Handler | Page | Feed | Reply:
        """What answers a request; a reply of 404 or 405 where nothing does."""
        methods: Mapping[str, Handler | Page | Feed] | None = self._table.get(path)
        if methods is None:
            return Reply.of_error(404, "there is no such page")
        target = methods.get("GET" if method == "HEAD" else method)
        if target is None:
            allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
            plain = Reply.of_error(405, "that cannot be done here")
            return Reply(405, plain.body, plain.content_type, {"Allow": allowed})
        return target

    def _add_file(self, file: Path) -> None:
        page = Page(Reply(200, file.read_bytes(), _KINDS[file.suffix]))
        self._put("GET", _PATHS.get(file.name, f"/{file.name}"), page)

    def _put(self, method: str, path: str, target: Handler | Page | Feed) -> None:
        methods = self._table.setdefault(path, {})
        if method in methods:
            raise InvalidValueError(f"{self.name} has {method} {path} twice")
        methods[method] = target
