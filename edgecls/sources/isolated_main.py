"""The child's side of `isolated`: opens a source, and reads a frame whenever it is asked to."""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import socket
from typing import Any, Final

import numpy as np

from edgecls.child import MOST_PACKET_BYTES
from edgecls.child.inside import begin, forget_stderr, give_up, say
from edgecls.errors import EdgeclsError, PictureError, SourceError
from edgecls.sources import CapturedFrame, Source, SourceWishes, open_here

# A source that was lost is opened again much sooner.
_IDLE_LIMIT_S: Final = 30.0
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
    say(line, ready=True)
    while told := _next_source(line):
        try:
            source = open_here(told["kind"], told["text"], _to_wishes(told["wishes"]))
        except EdgeclsError as wrong:
            _tell(line, wrong)
            continue
        with source:
            _serve(line, source, room)


def _next_source(line: socket.socket) -> dict[str, Any] | None:
    """What to open; None when the parent is gone, or wants nothing any more."""
    line.settimeout(_IDLE_LIMIT_S)
    try:
        packet = line.recv(MOST_PACKET_BYTES)
    except TimeoutError:
        return None
    line.settimeout(None)
    return dict(json.loads(packet)) if packet else None


def _serve(line: socket.socket, source: Source, room: np.ndarray[Any, Any]) -> None:
    """Read it until it is lost."""
    say(line, **_describe(source))
    try:
        while line.recv(16):  # empty: the parent is gone
            _read(line, source, room)
            forget_stderr()
    except EdgeclsError as wrong:
        _tell(line, wrong)


def _tell(line: socket.socket, wrong: EdgeclsError) -> None:
    """An error that is meant for people is told as it is."""
    about = {"kind": type(wrong).__name__, "problem": wrong.problem, "hint": wrong.hint}
    say(line, error=about)


def _read(line: socket.socket, source: Source, room: np.ndarray[Any, Any]) -> None:
    try:
        frame = source.read()
    except PictureError as wrong:
        say(line, unreadable=wrong.problem)
        return
    if frame is None:
        say(line, end=True)
        return
    say(line, about={name: getattr(frame, name) for name in _ABOUT}, **_lay_out(frame, room))


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
