"""A collection that is served, with a camera that shows what a test says."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgecls.collect.app import CollectApp
from edgecls.collect.collection import Collection
from edgecls.collect.live import Live
from edgecls.collect.session import Session
from edgecls.web import FrameStream, Listen, WebServer, open_access
from tests.support.browser import browser, page, phone
from tests.support.patience import patience
from tests.support.scripted_camera import ScriptedCamera, picture_of

__all__ = ["browser", "page", "phone"]


@dataclass
class Served:
    """Everything of one served collection."""

    url: str
    folder: Path
    camera: ScriptedCamera
    collection: Collection
    session: Session
    app: CollectApp
    said: list[str]

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """What a page would send."""
        return post(self.url, path, **body)

    def get(self, path: str) -> dict[str, Any]:
        """What a page would ask for."""
        with urllib.request.urlopen(self.url + path) as reply:
            found: dict[str, Any] = json.loads(reply.read())
        return found

    def kept(self, label: str) -> list[int]:
        """The scenes of the pictures of a label, in the order of their numbers."""
        return scenes(self.folder / label)


def post(url: str, path: str, **body: Any) -> dict[str, Any]:
    """POST as a page of this address does; the answer, or what was refused with its status."""
    request = urllib.request.Request(
        url + path,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Origin": url.rstrip("/")},
    )
    try:
        with urllib.request.urlopen(request) as reply:
            found: dict[str, Any] = json.loads(reply.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return {"status": refused.code, **json.loads(refused.read())}
    return found


def scenes(folder: Path) -> list[int]:
    """Which scenes the pictures in a folder show; -1 for what is none of the first 100."""
    by_content = {picture_of(number): number for number in range(100)}
    found = []
    with contextlib.suppress(FileNotFoundError):  # the last one was moved, and the folder went
        for file in sorted(folder.glob("*.jpg")):
            with contextlib.suppress(FileNotFoundError):  # it was moved just now
                found.append(by_content.get(file.read_bytes(), -1))
    return found


def wait_until(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    """Until something is so; fails when it does not become so."""
    end = time.monotonic() + patience(seconds)
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pictures"


@pytest.fixture
def collection(root: Path) -> Iterator[Collection]:
    """With the labels cat and dog."""
    opened = Collection(root, ["cat", "dog"])
    yield opened
    opened.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serves a collection with these labels; more settings are those of `Collection`."""
    with ExitStack() as closing:

        def make(*labels: str, **settings: Any) -> Served:
            camera, said = ScriptedCamera(), []
            collection = Collection(tmp_path / "pictures", labels, tell=said.append, **settings)
            closing.callback(collection.close)
            stream = FrameStream()
            live = Live(camera.open, stream)
            live.open()
            session = Session(collection, live, said.append)
            app = CollectApp(session, stream)
            server = WebServer(app.web, open_access(Listen(port=0)), tell=said.append).start()
            closing.callback(server.close)
            closing.callback(live.close)
            closing.callback(app.survey.close)
            live.start()
            app.survey.start()
            url = server.urls[0]
            return Served(url, tmp_path / "pictures", camera, collection, session, app, said)

        yield make


@pytest.fixture
def threads() -> Iterator[None]:
    """Fails when a test leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    wait_until(lambda: set(threading.enumerate()) <= before)
