"""A page on which pictures are reviewed, and browsers to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgecls.collect.collection import Collection
from edgecls.review import desk
from edgecls.review.app import ReviewApp
from edgecls.review.found import open_folder
from edgecls.review.review import Review
from edgecls.web import Listen, WebServer, open_access
from tests.review.recording import jpeg_of, record
from tests.support.browser import browser, page, phone
from tests.support.patience import patience

__all__ = ["browser", "page", "phone"]

Shown = Sequence[tuple[str, float, int, float]]


@dataclass(frozen=True, slots=True)
class Desk:
    """A review that is open, and where its page is."""

    folder: Path
    into: Path
    review: Review
    url: str


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Records what is to be shown, and opens its review."""
    with ExitStack() as closing:

        def open_it(
            shown: Shown,
            labels: Sequence[str] = (),
            draw: Callable[[int, int], bytes] = jpeg_of,
            most: int = 5000,
        ) -> Desk:
            folder, into = tmp_path / "seen", tmp_path / "pictures"
            record(folder, shown, draw)
            collection = Collection(into, labels, quota_bytes=0, min_free_bytes=0)
            closing.callback(collection.close)
            opened = open_folder(folder)
            review = Review(opened.root, (), collection)
            closing.callback(review.close)
            supply = desk.Desk(opened, review, most=most)
            closing.callback(supply.close)
            server = WebServer(ReviewApp(supply).web, open_access(Listen.parse("127.0.0.1:0")))
            closing.callback(server.start().close)
            supply.start()
            assert supply.wait_until_ready(patience(30.0))
            return Desk(folder, into, review, f"http://127.0.0.1:{server.port}/")

        yield open_it
