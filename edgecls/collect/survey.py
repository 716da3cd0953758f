"""Looks after the collection while nobody presses: hints, room on the disk, changes by others."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Final

from edgecls.collect.hints import FEW_MOMENTS, Hint, Share, find_hints
from edgecls.collect.index import Picture
from edgecls.collect.session import Session
from edgecls.errors import EdgeclsError, PictureError

_EVERY_S: Final = 0.5
# Of each label; for more than these the newest speak.
_LOOKED_AT: Final = 60
# For each of these; one that takes longer is there at a later time.
_PATIENCE_S: Final = 0.2
# At a time, so that a start with many pictures does not make the live picture stutter.
_AT_ONCE: Final = 5


class Survey:
    """A thread that looks every half second.

    Args:
        session: What to look after.
        tell: Called when it has looked.
    """

    def __init__(self, session: Session, tell: Callable[[], None]) -> None:
        self.hints: list[Hint] = []
        self._session = session
        self._tell = tell
        self._version = self._seen_version = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="survey", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End; may be called twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def look(self) -> None:
        """Look once."""
        session = self._session
        session.disk.look(session.collection.check_room)
        with contextlib.suppress(OSError, EdgeclsError):  # the folder is gone: the disk says so
            session.collection.refresh()
        is_new = self._look_at_some()
        version = session.collection.version
        if is_new or version != self._version:
            self.hints = find_hints([self._share(label) for label in session.collection.counts])
            self._version = version
        self._tell()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(_EVERY_S)

    def _newest(self, label: str) -> list[Picture]:
        return self._session.collection.pictures(label, _LOOKED_AT)

    def _look_at_some(self) -> bool:
        """Make thumbnails that nobody has asked for yet; returns whether there were any."""
        if self._session.collection.version == self._seen_version:
            return False
        some = list(itertools.islice(self._unknown(), _AT_ONCE))
        for picture in some:
            with contextlib.suppress(OSError, PictureError):
                self._session.gallery.thumbnail(picture, _PATIENCE_S)
        if not some:
            self._seen_version = self._session.collection.version
        return bool(some)

    def _unknown(self) -> Iterator[Picture]:
        gallery = self._session.gallery
        for label in self._session.collection.counts:
            yield from (p for p in self._newest(label) if not gallery.is_known(p))

    def _share(self, label: str) -> Share:
        collection, gallery = self._session.collection, self._session.gallery
        known = [p for p in self._newest(label)[::-1] if gallery.is_known(p)]
        looks = [look for p in known if (look := gallery.look(p)) is not None]
        count = collection.counts[label]
        return Share(
            label, count, collection.moments(label, FEW_MOMENTS), looks, len(known) - len(looks)
        )
