"""Looks after the collection while nobody presses: hints, room on the disk, changes by others."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from edgecls.collect.catalog import Overview
from edgecls.collect.gallery import MOST_LOOKS
from edgecls.collect.hints import FEW_MOMENTS, Hint, Share, find_hints
from edgecls.collect.index import Picture
from edgecls.collect.look import count_alike
from edgecls.collect.session import Session
from edgecls.errors import EdgeclsError, PictureError

_EVERY_S: Final = 0.5
# Of each label; for more than these the newest speak, and fewer of many labels.
_LOOKED_AT: Final = 60
_LEAST_LOOKED_AT: Final = 3
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
        self._overviews: dict[str, Overview] = {}
        self._shares: dict[str, Share] = {}
        # Labels with pictures that were not looked at yet, perhaps.
        self._unseen: dict[str, None] = {}
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
        if session.collection.reading.is_over:
            changed = self._find_changed()
            self._unseen.update(dict.fromkeys(changed))
            if changed := changed | self._look_at_some():
                self._shares |= {label: self._share(label) for label in changed}
                self.hints = find_hints([self._shares[label] for label in self._overviews])
        self._tell()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(_EVERY_S)

    def _find_changed(self) -> set[str]:
        """Labels whose pictures are others than when this was asked before."""
        before = self._overviews
        found = self._session.collection.overview(before)
        self._overviews = {overview.label: overview for overview in found}
        gone = before.keys() - self._overviews.keys()
        for label in gone:
            del self._shares[label]
            self._unseen.pop(label, None)
        changed = {o.label for o in found if before.get(o.label) is not o}
        return changed or (set(self._overviews) if gone else set())

    def _newest(self, label: str) -> list[Picture]:
        most = max(_LEAST_LOOKED_AT, MOST_LOOKS // max(1, len(self._overviews)))
        return self._session.collection.pictures(label, min(_LOOKED_AT, most))

    def _look_at_some(self) -> set[str]:
        """Make thumbnails that nobody has asked for yet; returns of which labels."""
        gallery = self._session.gallery
        looked: set[str] = set()
        left = _AT_ONCE
        for label in list(self._unseen):
            unknown = [p for p in self._newest(label) if not gallery.is_known(p)]
            for picture in unknown[:left]:
                with contextlib.suppress(OSError, PictureError):
                    gallery.thumbnail(picture, _PATIENCE_S)
                looked.add(label)
            left -= len(unknown[:left])
            if not unknown:
                del self._unseen[label]
            if not left:
                break
        return looked

    def _share(self, label: str) -> Share:
        gallery = self._session.gallery
        known = [p for p in self._newest(label)[::-1] if gallery.is_known(p)]
        looks = [look for p in known if (look := gallery.look(p)) is not None]
        return Share(
            label,
            self._overviews[label].count,
            self._session.collection.moments(label, FEW_MOMENTS),
            looks,
            len(known) - len(looks),
            count_alike(looks),
        )
