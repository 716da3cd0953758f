"""A window that shows the frame with its label: drawn by the main thread, fed by the loop's."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import ClassVar, Final, TypeVar

import numpy as np

from edgecls.child.environment import without_secrets
from edgecls.console import printable
from edgecls.contract.events import Event, PredictionEvent
from edgecls.errors import SinkError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.opencv import cv2
from edgecls.sinks import Sink

T = TypeVar("T")

TITLE: Final = "edgecls"
_KEYS: Final = frozenset({ord("q"), ord("Q"), 27})  # 27 is Esc
_STEP_MS: Final = 30
_MOST_PIXELS_WIDE: Final = 1280
# Qt ends the whole process when it finds no display, so a child is asked first.
_PROBE: Final = "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1); cv2.destroyAllWindows()"
_PROBE_TIMEOUT_S: Final = 20.0


class WindowSink(Sink):
    """Keeps the newest frame for `show`, which the main thread must run.

    Args:
        on_close: Called when the user closes the window, or presses q or Esc in it.
    """

    name = "window"
    takes: ClassVar = (PredictionEvent,)
    wants_frames = True

    def __init__(self, on_close: Callable[[], None] = lambda: None) -> None:
        self.on_close = on_close
        self.shown = 0
        self._newest: tuple[PredictionEvent, CapturedFrame] | None = None
        self._lock = threading.Lock()

    def handle(self, event: Event, frame: CapturedFrame | None = None) -> None:
        """Keep the newest."""
        if isinstance(event, PredictionEvent) and frame is not None:
            with self._lock:
                self._newest = event, frame

    def close(self) -> None:
        """Nothing to finish: `show` ends by itself."""

    def show(self, is_over: Callable[[], bool]) -> None:
        """Draw until the loop is over or the user has seen enough; only for the main thread.

        HighGUI belongs to the thread that opened its first window, and on macOS that must be the
        main one; so the loop runs in another thread while this draws.

        Args:
            is_over: Whether the loop has ended.
        """
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        try:
            while not is_over():
                self._draw_newest()
                if cv2.waitKey(_STEP_MS) & 0xFF in _KEYS or not _is_open():
                    self.on_close()
                    break
        finally:
            cv2.destroyAllWindows()
            cv2.waitKey(1)  # lets it vanish

    def _draw_newest(self) -> None:
        with self._lock:
            newest, self._newest = self._newest, None
        if newest is None:
            return
        event, frame = newest
        cv2.imshow(TITLE, draw(event, frame))
        self.shown += 1


def draw(event: PredictionEvent, frame: CapturedFrame) -> Frame:
    """The frame with a line of text below it: uint8 BGR, as HighGUI wants it."""
    pixels = frame.view.look(decode(frame.jpeg)) if frame.pixels is None else frame.pixels
    picture = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    height, width = picture.shape[:2]
    scale = _MOST_PIXELS_WIDE / width if width > _MOST_PIXELS_WIDE else max(1.0, 480 / width)
    if scale != 1.0:
        picture = cv2.resize(picture, (round(width * scale), round(height * scale)))
        height, width = picture.shape[:2]
    steady = f"  [{event.steady}]" if event.steady and event.steady != event.label else ""
    age = "" if event.age_ms is None else f"  {event.age_ms:.0f} ms"
    text = f"{event.label} {event.score:.0%}{steady}{age}"
    shown = cv2.copyMakeBorder(picture, 0, 40, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    # OpenCV's own font knows ASCII only; other letters are shown as their code points.
    ascii_text = ascii(printable(text))[1:-1]
    cv2.putText(
        shown, ascii_text, (10, height + 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2
    )
    return shown.astype("uint8", copy=False)


def check_display() -> None:
    """Check that a window can be opened here.

    Raises:
        SinkError: No display, or an OpenCV without windows; the hint says what to do.
    """
    is_linux = sys.platform.startswith("linux")
    if is_linux and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise SinkError(
            "a window needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set",
            hint="run it on the board's desktop, or with 'ssh -X'; or leave out --window",
        )
    if _gui_of(cv2.getBuildInformation()) == "NONE":
        raise SinkError(
            "the OpenCV that is installed here has no windows (it is the headless one)",
            hint="pip uninstall opencv-python-headless && pip install --force-reinstall"
            " opencv-python",
        )
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            env=without_secrets(),
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as stuck:
        raise SinkError("the display does not answer", hint="leave out --window") from stuck
    if probe.returncode:
        said = probe.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = printable(said[0]) if said else f"the probe ended with {probe.returncode}"
        raise SinkError(
            f"no window can be opened: {reason}",
            hint="check DISPLAY and who may use it (xhost); under Wayland, XWayland is needed",
        )


def _gui_of(build_information: str) -> str:
    """`NONE`, `QT5`, `GTK3` and so on, as OpenCV says it was built."""
    for line in build_information.splitlines():
        name, _, value = line.strip().partition(":")
        if name == "GUI":
            return value.strip()
    return ""


def _is_open() -> bool:
    try:
        return bool(cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1)
    except cv2.error:
        return False


def run_beside(window: WindowSink, work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own while the main thread draws.

    Args:
        window: Its `on_close` must make `work` end.
        work: The loop; what it returns is returned, what it raises is raised.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as wrong:  # noqa: BLE001  # raised again below
            outcome.set_exception(wrong)

    threading.Thread(target=run, name="loop", daemon=True).start()
    window.show(outcome.done)
    while not outcome.done():  # no wait without end: signals must be handled
        time.sleep(_STEP_MS / 1e3)
    return outcome.result()
