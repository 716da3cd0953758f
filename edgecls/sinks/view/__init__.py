"""The live view: what the loop sees and says as a page, for as long as somebody looks at it."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from edgecls.contract.events import Event, PredictionEvent
from edgecls.errors import EdgeclsError, InvalidValueError, PictureError, SinkError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.prepare import kept_part
from edgecls.imaging.recent import FrameGoneError, Recent
from edgecls.imaging.shown import to_shown_jpeg
from edgecls.sinks import Sink
from edgecls.sinks.record import to_jpeg
from edgecls.sinks.view.pace import Pace
from edgecls.sinks.view.story import Story
from edgecls.web import Channel, FrameStream, Reply, Request, Shown, WebApp

# A second: pictures where somebody sees them, predictions where somebody reads them, and what the
# last minute will be drawn from while nobody looks.
PICTURES_A_SECOND: Final = 15.0
PREDICTIONS_A_SECOND: Final = 10.0
SAMPLES_A_SECOND: Final = 4.0
_FIGURES_S: Final = 1.0
_SNAPSHOT_S: Final = 3.0
# Of frames that were shown, for snapshots of what was seen: on a board with 512 MB beside a model.
KEPT_BYTES: Final = 32 << 20
# For the last picture to reach those who look, when the loop has ended.
_LAST_S: Final = 0.5


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
        self._recent = Recent(KEPT_BYTES)
        self.app = WebApp("view", Path(__file__).parent / "static")
        self._events = self.app.add_feed("/events", Channel(self._hello))
        self._frames = FrameStream(PICTURES_A_SECOND)
        self.app.add_feed("/frames", self._frames.pages)
        self.app.add_feed("/picture", self._frames.plain)
        self.app.add("GET", "/snapshot", self._snapshot)
        self.app.add("POST", "/recording", self._switch)

    def wants(self, event: Event, frame: CapturedFrame | None = None) -> bool:
        """All but predictions beyond what anybody could follow, and those that nobody reads."""
        if not isinstance(event, PredictionEvent):
            return True
        if frame is not None:
            self._offer(event, frame)
        is_due = self._pace.is_due(self._a_second)
        if self._events.is_watched:
            return is_due
        if is_due:  # noted here, which costs less than to wake a thread for it
            self._story.predict(event)
        return False

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
        """Tell whoever reads.

        Raises:
            SinkError: Pictures could not be made, for a reason of ours.
        """
        if self._frames.failure is not None:
            raise SinkError(f"pictures cannot be shown: {self._frames.failure!r}")
        if not isinstance(event, PredictionEvent):
            told = self._story.note(event)
            self._events.send("event", told)
            return
        self._story.predict(event)
        if self._events.is_watched:
            self._events.send("now", self._story.now())
            self._tell_figures()

    def close(self) -> None:
        """Serve no more; who looks has been given the last picture."""
        self._frames.settle(_LAST_S)
        self.stop_serving()

    @property
    def counts(self) -> Mapping[str, int]:
        """Frames that could not be shown."""
        return {"unreadable": self._unreadable}

    @property
    def viewers(self) -> dict[str, int]:
        """How many look at `events` and at `pictures`."""
        return {"events": self._events.viewers, "pictures": self._frames.viewers}

    @property
    def _a_second(self) -> float:
        return PREDICTIONS_A_SECOND if self._events.is_watched else SAMPLES_A_SECOND

    def _offer(self, event: PredictionEvent, frame: CapturedFrame) -> None:
        """This is the newest frame; it is made only where somebody looks."""
        self._frames.offer(lambda: self._make(event, frame))
        while self._shots:
            self._shots.popleft().put(frame)
        if self._recent.size_bytes and not self._frames.is_watched:
            self._recent.expire(self._frames.made_s)

    def _make(self, event: PredictionEvent, frame: CapturedFrame) -> Shown | None:
        """A picture, and what belongs to it."""
        try:
            jpeg = to_shown_jpeg(frame)
        except (PictureError, InvalidValueError):
            self._unreadable += 1
            return None
        self._recent.add(frame)
        facts: dict[str, Any] = {"run": self._recent.run, "frame": frame.index}
        facts["now"] = self._story.now_of(event)
        if event.preprocessing is not None and frame.pixels is not None:
            height, width = frame.pixels.shape[:2]
            part = kept_part((height, width), event.preprocessing)
            facts["kept"] = [round(share, 5) for share in part]
        return Shown(jpeg, facts, self._recent.least_s(frame))

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

    def _snapshot(self, request: Request) -> Reply:
        """A frame as large as the camera sends it: the one that was seen, else the next."""
        query = request.query
        try:
            is_named = "frame" in query or "run" in query
            frame = self._find(query) if is_named else self._wait_for_next()
        except FrameGoneError as gone:
            return Reply.of_error(409, gone.problem, gone.hint)
        return Reply.of_jpeg(to_jpeg(frame), time.strftime("edgecls-%Y%m%d-%H%M%S.jpg"))

    def _find(self, query: Mapping[str, str]) -> CapturedFrame:
        text = query.get("frame", "")
        if not (text.isascii() and text.isdecimal() and len(text) < 16):
            raise InvalidValueError(f"{text!r} is no number of a frame")
        return self._recent.find(query.get("run", ""), int(text))

    def _wait_for_next(self) -> CapturedFrame:
        shot: queue.SimpleQueue[CapturedFrame] = queue.SimpleQueue()
        self._shots.append(shot)
        try:
            return shot.get(timeout=_SNAPSHOT_S)
        except queue.Empty:
            raise EdgeclsError("no frame comes", hint="see the state of the source") from None

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
