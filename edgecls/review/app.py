"""The page of a review: what it is told, and what it may do."""

from __future__ import annotations

import string
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edgecls.collect.collection import MAX_AT_ONCE
from edgecls.collect.disk import StillReadingError, reason_of
from edgecls.errors import EdgeclsError, InvalidValueError, PictureError
from edgecls.review.desk import Desk
from edgecls.review.groups import Group
from edgecls.review.look import Candidate
from edgecls.review.review import Change
from edgecls.web import Reply, Request, WebApp, take, take_texts
from edgecls.web.app import Handler

# The other letters do something else: accept, back, later, new, undo, reject.
KEYS: Final = string.digits[1:] + "".join(c for c in string.ascii_lowercase if c not in "ablnux")
_HINT: Final = "free some space; emptying the trash helps, if there is something in it"


class ReviewApp:
    """Serves the page; what it answers to a POST is done, and on the disk.

    Args:
        desk: What it is about.
    """

    def __init__(self, desk: Desk) -> None:
        self.web = WebApp("review", Path(__file__).parent / "static")
        self._desk = desk
        self._review = desk.review
        self._gallery = desk.gallery
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        for path, look in (
            ("/state", lambda _: Reply.of_json(self._describe())),
            ("/group", self._get_group),
            ("/thumbnail", self._get_thumbnail),
            ("/picture", self._get_picture),
        ):
            self.web.add("GET", path, _guarded(look), is_slow=path in ("/thumbnail", "/picture"))
        for path, act in (
            ("/accept", lambda body: desk.need().accept(_ids(body))),
            ("/relabel", lambda body: desk.need().relabel(_ids(body), take(body, "label", str))),
            ("/reject", lambda body: desk.need().reject(_ids(body))),
            ("/undo", lambda _: desk.need().undo()),
        ):
            self.web.add("POST", path, _guarded(self._then_tell(act)))
        self.web.add("POST", "/empty-trash", _guarded(self._empty_trash))

    def _then_tell(self, act: Callable[[Mapping[str, Any]], Change | None]) -> Handler:
        """A handler that answers with what was done, and how things stand."""

        def handle(request: Request) -> Reply:
            change = act(request.json())
            if change is not None and change.problem and not change.count:
                return Reply.of_error(507, f"not done: {change.problem}", _HINT)
            is_undo = request.path == "/undo"
            with self._lock:
                if change is not None:
                    self.done[change.kind] += -change.count if is_undo else change.count
            return Reply.of_json({"change": _to_json(change), "state": self._describe()})

        return handle

    def _empty_trash(self, request: Request) -> Reply:
        request.json()
        deleted = self._desk.need().empty_trash()
        return Reply.of_json({"deleted": deleted, "state": self._describe()})

    def _get_group(self, request: Request) -> Reply:
        self._desk.wait_in_turn()
        groups = self._review.groups
        wanted = request.query.get("skip", "0")
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 10):
            raise InvalidValueError(f"{wanted!r} is no number of groups")
        if not groups:
            return Reply.of_json({"groups": 0, "skip": 0, "group": None})
        skip = int(wanted) % len(groups)
        group = _describe_group(*groups[skip])
        return Reply.of_json({"groups": len(groups), "skip": skip, "group": group})

    def _get_thumbnail(self, request: Request) -> Reply:
        picture = self._review.find(request.query.get("id", ""))
        return Reply.of_jpeg(self._gallery.thumbnail(picture))

    def _get_picture(self, request: Request) -> Reply:
        picture = self._review.find(request.query.get("id", ""))
        return Reply.of_jpeg(self._gallery.whole(picture))

    def _describe(self) -> dict[str, Any]:
        review = self._review
        last = review.last
        counts = dict(review.collection.counts)
        labels = [*counts, *(label for label in self._desk.labels if label not in counts)]
        stage = self._desk.stage
        return {
            "folder": str(review.root),
            "into": str(review.collection.folder),
            "total": review.total + review.waiting,
            "left": review.left,
            "unseen": review.unseen,
            "labels": [
                {
                    "label": label,
                    "count": counts.get(label, 0),
                    "key": KEYS[number] if number < len(KEYS) else "",
                }
                for number, label in enumerate(labels)
            ],
            "undo": last and {"kind": last.kind, "count": len(last.moves)},
            "trash": review.trash,
            "most": MAX_AT_ONCE,
            # Until that is over, there are no groups.
            "reading": None if stage is None else stage.to_json(),
        }


def _describe_group(group: Group, left: Sequence[Candidate]) -> dict[str, Any]:
    return {
        "id": group.id,
        "pictures": [
            {
                "id": candidate.picture.id,
                "name": candidate.picture.file_name,
                "guess": candidate.guess.label,
                "score": round(candidate.guess.score, 4),
            }
            for candidate in left
        ],
    }


def _guarded(handler: Handler) -> Handler:
    """A handler whose errors become the right status."""

    def handle(request: Request) -> Reply:
        try:
            return handler(request)
        except StillReadingError as wrong:
            return Reply.of_error(503, wrong.problem, wrong.hint)
        except PictureError as wrong:
            return Reply.of_error(404, wrong.problem, wrong.hint)
        except OSError as wrong:
            if isinstance(wrong, EdgeclsError):
                raise
            status = 404 if request.method == "GET" else 507
            return Reply.of_error(status, reason_of(wrong), "" if status == 404 else _HINT)

    return handle


def _ids(body: Mapping[str, Any]) -> list[str]:
    return take_texts(body, "ids")


def _to_json(change: Change | None) -> dict[str, Any]:
    if change is None:
        return {"kind": "", "count": 0, "missing": 0, "labels": [], "problem": ""}
    return {
        "kind": change.kind,
        "count": change.count,
        "missing": change.missing,
        "labels": list(change.labels),
        "problem": change.problem,
    }
