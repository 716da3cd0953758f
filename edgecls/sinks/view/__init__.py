"""The live view: what the loop sees and says as a page, for as long as somebody looks at it."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from edgecls.contract.events import Event, PredictionEvent
from edgecls.errors import EdgeclsError, InvalidValueError, PictureError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.shown import to_shown_jpeg
from edgecls.sinks import Sink
from edgecls.sinks.record import to_jpeg
from edgecls.sinks.view.pace import Pace
from edgecls.sinks.view.story import Story
from edgecls.web import Channel, FrameStream, Reply, Request, WebApp

# A second: pictures where somebody sees them, predictions where somebody reads them, and what the
# last minute will be drawn from while nobody looks.
PICTURES_A_SECOND: Final = 15.0
PREDICTIONS_A_SECOND: Final = 10.0
SAMPLES_A_SECOND: Final = 4.0
_FIGURES_S: Final = 1.0
_SNAPSHOT_S: Final = 3.0


class Recorder(Protocol):
    """What the page may switch: whether pictures are kept."""

    is_on: bool

    @property
    def counts(self) -> Mapping[str, int]:
        """`recorded` among them."""


class ViewSink(Sink):
    """Tells pages what happens; makes pictures only while somebody looks, each once for all.

    Args:
        model: Its file.
        labels: Of the model.
        recorder: The sink that keeps pictures; None where none is kept.
        clock: Of what is told of the past, in seconds that only grow.
    """

    name = "view"
    wants_frames = True

    def __init__(
        self,
        model: str,
        labels: Sequence[str],
        recorder: Recorder | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Set by who has them: the loop's counts and latencies so far, and the end of the server.
        self.figures: Callable[[], dict[str, Any]] = dict
        self.stop_serving: Callable[[], None] = lambda: None
        self._story = Story(model, labels, clock)
        self._recorder = recorder
        self._pace = Pace()
        self._figures_s = 0.0
        self._unreadable = 0
        self._shots: deque[queue.SimpleQueue[CapturedFrame]] = deque()
        self.app = WebApp("view", Path(__file__).parent / "static")
        self._events = self.app.add_feed("/events", Channel(self._hello))
        self._pictures = self.app.add_feed("/picture", FrameStream())
        self.app.add("GET", "/snapshot", self._snapshot)
        self.app.add("POST", "/recording", self._switch)

    def wants(self, event: Event) -> bool:
        """All but predictions beyond what anybody could follow, and those that nobody reads."""
        if not isinstance(event, PredictionEvent):
            return True
        is_due = self._pace.is_due(self._a_second)
        if self._events.is_watched or self._pictures.is_watched or self._shots:
            return is_due or bool(self._shots)
        if is_due:  # noted here, which costs less than to wake a thread for it
            self._story.predict(event)
        return False

    def handle(self, event: Event, frame: CapturedFrame | None = None) -> None:
        """Tell whoever looks."""
        if not isinstance(event, PredictionEvent):
            told = self._story.note(event)
            self._events.send("event", told)
        else:
            self._story.predict(event)
            if self._events.is_watched:
                self._events.send("now", self._story.now())
                self._tell_figures()
            if frame is not None:
                self._show(frame)

    def close(self) -> None:
        """Say that it is over, and serve no more."""
        self.stop_serving()

    @property
    def counts(self) -> Mapping[str, int]:
        """Frames that could not be shown."""
        return {"unreadable": self._unreadable}

    @property
    def viewers(self) -> dict[str, int]:
        """How many look at `events` and at `pictures`."""
        return {"events": self._events.viewers, "pictures": self._pictures.viewers}

    @property
    def _a_second(self) -> float:
        if self._pictures.is_watched:
            return PICTURES_A_SECOND
        return PREDICTIONS_A_SECOND if self._events.is_watched else SAMPLES_A_SECOND

    def _show(self, frame: CapturedFrame) -> None:
        while self._shots:
            self._shots.popleft().put(frame)
        if self._pictures.is_watched:
            try:
                self._pictures.publish(to_shown_jpeg(frame))
            except (PictureError, InvalidValueError):
                self._unreadable += 1

    def _tell_figures(self) -> None:
        now_s = time.monotonic()
        if now_s - self._figures_s >= _FIGURES_S:
            self._figures_s = now_s
            self._events.send("figures", self._to_figures())

    def _to_figures(self) -> dict[str, Any]:
        return {
            **self.figures(),
            "fps": round(self._pace.fps, 1),
            "viewers": self._events.viewers,
            "recording": self._to_recording(),
        }

    def _to_recording(self) -> dict[str, Any] | None:
        if self._recorder is None:
            return None
        return {"on": self._recorder.is_on, "recorded": self._recorder.counts.get("recorded", 0)}

    def _hello(self) -> list[tuple[str, Any]]:
        return [("state", self._story.to_json()), ("figures", self._to_figures())]

    def _snapshot(self, _request: Request) -> Reply:
        """The next frame, as large as the camera sends it."""
        shot: queue.SimpleQueue[CapturedFrame] = queue.SimpleQueue()
        self._shots.append(shot)
        try:
            frame = shot.get(timeout=_SNAPSHOT_S)
        except queue.Empty:
            raise EdgeclsError("no frame comes", hint="see the state of the source") from None
        return Reply.of_jpeg(to_jpeg(frame), time.strftime("edgecls-%Y%m%d-%H%M%S.jpg"))

    def _switch(self, request: Request) -> Reply:
        """Keep pictures, or keep none."""
        is_on = request.json().get("on")
        if not isinstance(is_on, bool):
            raise InvalidValueError('wanted {"on": true} or {"on": false}')
        if self._recorder is None:
            raise EdgeclsError("no pictures are kept here", hint="start it with --record DIR")
        self._recorder.is_on = is_on
        self._events.send("figures", self._to_figures())
        return Reply.of_json({"recording": self._to_recording()})
