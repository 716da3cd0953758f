"""The child's side of `isolated`: opens a source, and reads a frame whenever it is asked to."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import mmap
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from edgecls.child import MOST_PACKET_BYTES
from edgecls.child.inside import begin, forget_stderr, give_up, say
from edgecls.errors import EdgeclsError, PictureError, SourceError
from edgecls.sources import CapturedFrame, Source, SourceWishes, open_here
from edgecls.sources.arrivals import FIRST_PATIENCE_S, Arrivals

# A source that was lost is opened again much sooner.
_IDLE_LIMIT_S: Final = 30.0
# How often is looked for packets, of the silence after which the camera is lost.
_BEAT_SHARE: Final = 0.25
# Where nobody knows whether packets come, a keyframe may be that far away.
_BLIND_PATIENCE_S: Final = 15.0
_ABOUT: Final = ("index", "media_s", "captured_s", "decode_ms", "name", "truth")


def main() -> None:
    """Read sources until the parent has enough of them."""
    line, job = begin()
    try:
        _work(line, job)
    except BaseException as wrong:  # noqa: BLE001  # the parent judges what is wrong
        give_up(line, wrong)
    # Not through Python's end, where libraries of others may hang.
    os._exit(0)


def _work(line: socket.socket, job: dict[str, Any]) -> None:
    room = np.frombuffer(mmap.mmap(job["room"], 0), np.uint8)
    pulse = Pulse(line)
    say(line, ready=True)
    while told := _next_source(line):
        wishes = _to_wishes(told["wishes"])
        try:
            with pulse.beating(wishes.silence_s, FIRST_PATIENCE_S):
                source = open_here(told["kind"], told["text"], wishes)
        except EdgeclsError as wrong:
            _tell(line, wrong)
            continue
        with source:
            _serve(line, source, room, pulse, wishes.silence_s)


def _next_source(line: socket.socket) -> dict[str, Any] | None:
    """What to open; None when the parent is gone, or wants nothing any more."""
    line.settimeout(_IDLE_LIMIT_S)
    try:
        packet = line.recv(MOST_PACKET_BYTES)
    except TimeoutError:
        return None
    line.settimeout(None)
    return dict(json.loads(packet)) if packet else None


class Pulse:
    """Tells the parent, while a library is busy, that there is something to wait for.

    A stream is joined at a keyframe, which may be 12 s away, and OpenCV says nothing until then. As
    long as packets come, or a camera that has answered is given time for its first one, the parent
    waits. When nothing comes for too long, the camera's connection is cut, so that the library
    gives up: FFmpeg's own timeout takes twice as long as it is told.

    Args:
        line: To the parent.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._silence_s: float | None = None
        self._patience_s = 0.0
        self._begins = threading.Event()
        self._arrivals = Arrivals()
        threading.Thread(target=self._work, name="pulse", daemon=True).start()

    @contextmanager
    def beating(self, silence_s: float, patience_s: float = 0.0) -> Iterator[None]:
        """Inside, the parent is told, and silence is ended.

        Args:
            silence_s: The longest silence.
            patience_s: The longest one of a camera that has answered.
        """
        self._silence_s, self._patience_s = silence_s, patience_s
        self._begins.set()
        try:
            yield
        finally:
            self._silence_s = None

    def _work(self) -> None:
        while self._begins.wait():
            self._begins.clear()
            self._watch()

    def _watch(self) -> None:
        """Look several times in a silence, until the library is done."""
        quiet_s, has_answered, is_cut = 0.0, False, False
        while (silence_s := self._silence_s) is not None:
            time.sleep(silence_s * _BEAT_SHARE)
            if self._silence_s is None:
                return
            is_there, is_blind = self._arrivals.look()
            has_answered |= is_there
            quiet_s = 0.0 if is_there else quiet_s + silence_s * _BEAT_SHARE
            limit_s = max(
                silence_s,
                self._patience_s if has_answered else 0.0,
                _BLIND_PATIENCE_S if is_blind else 0.0,
            )
            is_opening = self._patience_s > 0 and not is_cut  # which has a limit of its own
            if quiet_s >= limit_s:
                self._arrivals.hang_up()
                quiet_s, is_cut = 0.0, True  # whatever is tried next has a silence of its own
            elif is_there or limit_s > silence_s or is_opening:
                with contextlib.suppress(OSError):  # the parent is gone
                    say(self._line, waits=True)


def _serve(
    line: socket.socket,
    source: Source,
    room: np.ndarray[Any, Any],
    pulse: Pulse,
    silence_s: float,
) -> None:
    """Read it until it is lost."""
    say(line, **_describe(source))
    patience_s = FIRST_PATIENCE_S
    try:
        while line.recv(16):  # empty: the parent is gone
            with pulse.beating(silence_s, patience_s):
                read = _read(source)
            if isinstance(read, CapturedFrame):
                patience_s = 0.0
            _answer(line, read, room)
            forget_stderr()
    except EdgeclsError as wrong:
        _tell(line, wrong)


def _tell(line: socket.socket, wrong: EdgeclsError) -> None:
    """An error that is meant for people is told as it is."""
    about = {"kind": type(wrong).__name__, "problem": wrong.problem, "hint": wrong.hint}
    say(line, error=about)


def _read(source: Source) -> CapturedFrame | PictureError | None:
    try:
        return source.read()
    except PictureError as wrong:
        return wrong


def _answer(
    line: socket.socket, read: CapturedFrame | PictureError | None, room: np.ndarray[Any, Any]
) -> None:
    if isinstance(read, PictureError):
        say(line, unreadable=read.problem)
    elif read is None:
        say(line, end=True)
    else:
        about = {name: getattr(read, name) for name in _ABOUT}
        say(line, about=about, **_lay_out(read, room))


def _lay_out(frame: CapturedFrame, room: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Write a frame where the parent sees it."""
    content = np.frombuffer(frame.jpeg, np.uint8) if frame.pixels is None else frame.pixels
    if content.size > room.size:
        raise SourceError(
            f"{frame.name or 'the camera'} sent a frame of {content.size >> 20} MB",
            hint="choose a smaller frame size",
        )
    room[: content.size].reshape(content.shape)[:] = content
    if frame.pixels is None:
        return {"jpeg": content.size}
    return {"shape": content.shape}


def _describe(source: Source) -> dict[str, Any]:
    fields = ("name", "is_live", "is_sequence", "warnings", "rate")
    return {name: getattr(source, name) for name in fields}


def _to_wishes(told: dict[str, Any]) -> SourceWishes:
    """JSON knows no tuples."""
    sizes = {name: tuple(told[name]) for name in ("size", "model_size") if told[name]}
    known = {field.name for field in dataclasses.fields(SourceWishes)}
    return SourceWishes(**{name: told[name] for name in known} | sizes)


if __name__ == "__main__":
    main()
