"""The page of a collection: what it is told, and what it may do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from edgecls.collect.collection import MAX_AT_ONCE
from edgecls.collect.disk import NotKeptError, StillReadingError, reason_of
from edgecls.collect.history import Change
from edgecls.collect.session import Kept, Seen, Session
from edgecls.collect.state import State
from edgecls.collect.survey import Survey
from edgecls.errors import EdgeclsError, InvalidValueError, PictureError, SourceError
from edgecls.imaging.recent import FrameGoneError
from edgecls.web import Channel, FrameStream, Reply, Request, WebApp, take, take_texts
from edgecls.web.app import Handler

_MOST_PICTURES: Final = 2000
_MOST_HINTS: Final = 20


class CollectApp:
    """Serves the page; what it answers to a POST is done, and on the disk.

    Args:
        session: What it is about; the app's `screen` is its camera's.
        stream: Where the live picture goes.
    """

    def __init__(self, session: Session, stream: FrameStream) -> None:
        self.web = WebApp("collect", Path(__file__).parent / "static")
        self.survey = Survey(session, self._update)
        self._session = session
        self._collection = session.collection
        self._lock = threading.Lock()
        self._state = State()
        self._events = Channel(hello=lambda: [self._state.hello()])
        self.web.add_feed("/events", self._events)
        self.web.add_feed("/frames", stream.pages)
        self.web.add_feed("/stream", stream.plain)
        for path, look in (
            ("/state", self._get_state),
            ("/pictures", self._get_pictures),
            ("/thumbnail", self._get_thumbnail),
            ("/picture", self._get_picture),
        ):
            self.web.add("GET", path, _guarded(look), is_slow=path in ("/thumbnail", "/picture"))
        for path, act in (
            ("/press", self._press),
            ("/hold", self._hold),
            ("/relabel", self._relabel),
            ("/discard", self._discard),
            ("/undo", self._undo),
            ("/empty-trash", self._empty_trash),
            ("/add-label", self._add_label),
            ("/remove-label", self._remove_label),
        ):
            self.web.add("POST", path, _guarded(self._then_tell(act)))
        self._update()

    def _then_tell(self, act: Callable[[Request], Mapping[str, Any]]) -> Handler:
        """A handler after which all pages are told how things stand."""

        def handle(request: Request) -> Reply:
            try:
                return Reply.of_json(act(request))
            finally:
                self._update()

        return handle

    def _press(self, request: Request) -> Mapping[str, Any]:
        body = request.json()
        return _to_json(self._session.press(take(body, "label", str), _seen(body)))

    def _hold(self, request: Request) -> Mapping[str, Any]:
        body = request.json()
        burst, label = take(body, "burst", str), take(body, "label", str)
        return _to_json(self._session.hold(burst, label, _seen(body)))

    def _relabel(self, request: Request) -> Mapping[str, Any]:
        body = request.json()
        return _changed(self._session.relabel(take_texts(body, "ids"), take(body, "label", str)))

    def _discard(self, request: Request) -> Mapping[str, Any]:
        return _changed(self._session.discard(take_texts(request.json(), "ids")))

    def _undo(self, _request: Request) -> Mapping[str, Any]:
        change = self._session.undo()
        return {"kind": "", "count": 0, "missing": 0} if change is None else _changed(change)

    def _empty_trash(self, _request: Request) -> Mapping[str, Any]:
        return {"deleted": self._session.empty_trash()}

    def _add_label(self, request: Request) -> Mapping[str, Any]:
        return {"label": self._collection.add_label(take(request.json(), "label", str))}

    def _remove_label(self, request: Request) -> Mapping[str, Any]:
        label = take(request.json(), "label", str)
        self._collection.remove_label(label)
        return {"label": label}

    def _get_state(self, _request: Request) -> Reply:
        self._update()
        return Reply.of_json(self._state.whole())

    def _get_pictures(self, request: Request) -> Reply:
        query = request.query
        label = query.get("label", "")
        self._collection.check_label(label)
        self._collection.wait_in_turn()
        count = min(_number(query.get("count", "60")), _MOST_PICTURES)
        skip = _number(query.get("skip", "0"))
        total = self._collection.count(label)
        shown = [
            {"id": picture.id, "name": picture.file_name, "version": picture.version}
            for picture in self._collection.pictures(label, count, skip)
        ]
        return Reply.of_json({"label": label, "total": total, "skip": skip, "pictures": shown})

    def _get_thumbnail(self, request: Request) -> Reply:
        picture = self._collection.find(request.query.get("id", ""))
        return Reply.of_jpeg(self._session.gallery.thumbnail(picture))

    def _get_picture(self, request: Request) -> Reply:
        picture = self._collection.find(request.query.get("id", ""))
        return Reply.of_jpeg(self._session.gallery.whole(picture))

    def _update(self) -> None:
        """Tell the pages how things stand, if that has changed."""
        with self._lock:
            labels = self._collection.overview(self._state.overviews)
            event = self._state.update(self._describe(), labels)
            if event is not None:
                self._events.send(*event)

    def _describe(self) -> dict[str, Any]:
        session, collection, live = self._session, self._collection, self._session.live
        last, reading = collection.last, collection.reading
        hints = self.survey.hints
        return {
            "hints": [hint.to_json() for hint in hints[:_MOST_HINTS]],
            "more_hints": max(0, len(hints) - _MOST_HINTS),
            "source": {
                "name": live.name,
                "state": live.state,
                "problem": live.problem,
                "fps": round(live.fps),
                "unreadable": live.unreadable,
                "troubles": list(live.troubles.values()),
            },
            "disk": session.disk.problem,
            "undo": last and {"kind": last.kind, "label": last.label, "count": last.count},
            "trash": collection.trash_bytes,
            "alike": session.counts.alike,
            "folder": str(collection.folder),
            "most": MAX_AT_ONCE,
            # Until that is over, the counts of the labels are too low.
            "reading": None
            if reading.is_over
            else {"read": reading.read, "expected": reading.expected},
        }


def _guarded(handler: Handler) -> Handler:
    """A handler whose errors become the right status."""

    def handle(request: Request) -> Reply:
        try:
            return handler(request)
        except FrameGoneError as wrong:
            return Reply.of_error(409, wrong.problem, wrong.hint)
        except NotKeptError as wrong:
            return Reply.of_error(507, wrong.problem, wrong.hint)
        except (SourceError, StillReadingError) as wrong:
            return Reply.of_error(503, wrong.problem, wrong.hint)
        except PictureError as wrong:
            return Reply.of_error(404, wrong.problem, wrong.hint)
        except EdgeclsError:
            raise
        except OSError as wrong:
            return Reply.of_error(404, reason_of(wrong))

    return handle


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InvalidValueError(f"{text!r} is no number of pictures")
    return int(text)


def _seen(body: Mapping[str, Any]) -> Seen | None:
    """The frame that was on the screen; None from a program that has none."""
    if "frame" not in body and "run" not in body:
        return None
    if isinstance(body.get("frame"), bool):
        raise InvalidValueError("'frame' is no number of a frame")
    return Seen(take(body, "run", str), take(body, "frame", int))


def _to_json(kept: Kept) -> dict[str, Any]:
    picture = kept.picture
    found = {} if picture is None else {"id": picture.id, "name": picture.name}
    return {"burst": kept.burst, "kept": picture is not None, "alike": kept.is_alike, **found}


def _changed(change: Change) -> dict[str, Any]:
    return {"kind": change.kind, "count": change.count, "missing": change.missing}
