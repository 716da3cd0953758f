"""A whole camera loop with its page, in this process: a test says what the camera sees."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgecls.classifier import Classifier
from edgecls.contract.preprocessing import Crop
from edgecls.decision import DecisionSettings
from edgecls.errors import SourceError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame
from edgecls.pipeline import Loop, LoopSettings
from edgecls.runtimes import open_runtime
from edgecls.sinks import Sink
from edgecls.sinks.fake import FakeSink
from edgecls.sinks.record import RecordSettings, RecordSink
from edgecls.sinks.view import ViewSink
from edgecls.smoothing import Steadiness
from edgecls.sources import Closing
from edgecls.web import Listen, WebServer, open_access
from tests.support.browser import wait_for
from tests.support.tiny_model import frame_of, write_tiny_model

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Of what a test shows: plain gray, from dark to bright.
LABELS: Final = ("black", "dark", "gray", "light", "white")


class Stage(Closing):
    """A live source of what a test puts on it; it can be taken away.

    Args:
        frame: Shown first.
        fps: Frames a second.
    """

    name = "stage"
    is_live = True
    is_sequence = True

    def __init__(self, frame: Frame, fps: float = 30.0) -> None:
        self.frame = frame
        self.draw: Callable[[int], Frame] | None = None  # frames by their numbers, else `frame`
        self.is_silent = False  # it sends nothing any more, and says nothing of it
        self.jpeg = b""  # if there is one, frames come as this JPEG, undecoded
        self.is_gone = False
        self._fps = fps
        self._index = -1
        self._next_s = time.monotonic()

    def read(self) -> CapturedFrame | None:
        """What stands there now."""
        self._next_s = max(self._next_s + 1 / self._fps, time.monotonic() - 1)
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        while self.is_silent and not self.is_gone:
            time.sleep(0.01)
        if self.is_gone:
            raise SourceError("the cable was pulled")
        self._index += 1
        frame = self.draw(self._index) if self.draw else self.frame
        pixels = None if self.jpeg else frame
        return CapturedFrame(pixels, self._index, self._index / self._fps, jpeg=self.jpeg)

    def open(self) -> Stage:
        """Open it, again."""
        if self.is_gone:
            raise SourceError("it is still gone")
        return self


@dataclass(slots=True)
class Show:
    """A running loop, its page and its events."""

    stage: Stage
    view: ViewSink
    server: WebServer
    heard: FakeSink
    recorder: RecordSink | None
    loop: Loop
    labels: tuple[str, ...]

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.server.port}/"

    def put(self, label: str) -> None:
        """From now on the camera sees this."""
        self.stage.frame = frame_of(self.labels.index(label), len(self.labels))


@contextlib.contextmanager
def show(
    folder: Path,
    labels: Sequence[str],
    *,
    records: bool = False,
    token_file: Path | None = None,
    frame: Frame | None = None,
    fps: float = 30.0,
    crop: Crop = "stretch",
    clock: Callable[[], float] = time.monotonic,
    **loop_settings: Any,
) -> Iterator[Show]:
    """Run a loop with a page until the end of the block.

    Args:
        folder: For the model and the records.
        labels: Of the model, darkest first; the first one is shown.
        records: Whether there is a sink of pictures for the page to switch.
        token_file: The page wants this token.
        frame: Shown first, in place of plain gray.
        fps: Of the source.
        crop: What the model does with what is not square.
        clock: Of the page, which may run faster than others.
        **loop_settings: As in `LoopSettings`.
    """
    model = write_tiny_model(folder / "model.tflite", labels=labels, crop=crop)
    classifier = Classifier(model, open_runtime(model))
    stage = Stage(frame_of(0, len(labels)) if frame is None else frame, fps)
    recorder = RecordSink(folder / "records", RecordSettings("all")) if records else None
    view = ViewSink("model.tflite", labels, recorder, clock)
    heard = FakeSink()
    server = WebServer(view.app, open_access(Listen("127.0.0.1", 0), (), token_file)).start()
    view.stop_serving = server.close
    decisions = DecisionSettings(steadiness=Steadiness(0.0, 0.1, 0.1))
    settings = LoopSettings(**{"decisions": decisions, **loop_settings})
    sinks: list[Sink] = [heard, view, *([recorder] if recorder else [])]
    loop = Loop(stage.open, classifier, sinks, settings)
    view.figures = loop.figures
    running = Show(stage, view, server, heard, recorder, loop, tuple(labels))
    thread = threading.Thread(target=loop.run, name="loop under test")
    thread.start()
    try:
        yield running
    finally:
        stage.is_silent = False
        loop.stop()
        thread.join()
        server.close()
        classifier.close()


def open_view(page: Page, running: Show) -> None:
    """Open the page, and wait until it shows a label and a picture."""
    page.goto(running.url)
    wait_for(page, "document.querySelector('#steady').textContent.length > 1")
    page.wait_for_selector("#picture[data-frame]")
