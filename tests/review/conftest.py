"""A page on which pictures are reviewed, and browsers to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgecls.collect.collection import Collection
from edgecls.collect.gallery import Gallery
from edgecls.console import progress
from edgecls.review.app import ReviewApp
from edgecls.review.found import find_pictures
from edgecls.review.groups import group_candidates
from edgecls.review.look import labels_of, look_at_all, reader
from edgecls.review.review import Review
from edgecls.web import Listen, WebServer, open_access
from tests.review.recording import jpeg_of, record
from tests.support.browser import browser, page, phone

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
            shown: Shown, labels: Sequence[str] = (), draw: Callable[[int, int], bytes] = jpeg_of
        ) -> Desk:
            folder, into = tmp_path / "seen", tmp_path / "pictures"
            record(folder, shown, draw)
            collection = Collection(into, labels, quota_bytes=0, min_free_bytes=0)
            closing.callback(collection.close)
            found = find_pictures(folder)
            gallery = Gallery(reader(found.root))
            seen = look_at_all(found, gallery, None, progress)
            groups = group_candidates(found.root, seen)
            review = Review(found.root, groups, collection)
            closing.callback(review.close)
            app = ReviewApp(review, gallery, labels_of(seen.candidates))
            server = WebServer(app.web, open_access(Listen.parse("127.0.0.1:0"))).start()
            closing.callback(server.close)
            return Desk(folder, into, review, f"http://127.0.0.1:{server.port}/")

        yield open_it
