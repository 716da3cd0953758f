"""A source in a child process, which a hang, a crash or a leak can cost; its frames are copied.

For cameras that are read by libraries of others: FFmpeg (RTSP) and libcamera (Pi cameras). A call
of theirs that never returns cannot be ended in a thread, and closing a camera under it crashes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import mmap
import os
import threading
import time
from typing import Any, Final

import numpy as np

from edgecls import errors
from edgecls.child import Child, ChildFailedError, open_memory
from edgecls.contract.address import redact_address, redact_url
from edgecls.errors import EdgeclsError, PictureError, SourceError
from edgecls.sources import CapturedFrame, Closing, SourceWishes
from edgecls.sources.address import PASSWORD_VARIABLE, USER_VARIABLE

# 7680x4320 pixels fit; only what frames really fill takes memory.
ROOM_BYTES: Final = 128 << 20
# Python, numpy, OpenCV and their libraries, on a busy board.
_START_LIMIT_S: Final = 30.0
# The library has its own timeouts, which say more than that it hangs: they come first.
_INNER_SHARE: Final = 0.9
# What a library leaves behind when it fails goes with its process, now and then.
_MOST_OPENINGS: Final = 10
_BETWEEN_LOOKS_S: Final = 1.0
# While packets come; those who read them have given up by then.
_MOST_WAIT_S: Final = 75.0
_REMEDIES: Final = {
    "hang": "it was ended; does the camera work with another program?",
    "memory": "it is started again; a larger limit is --source-memory",
    "crash": "it is started again; if it happens often, another stream of the camera may not do it",
}


class Reader:
    """A process that opens a source, reads it, and may open it again when it was lost.

    Args:
        text: The source, as the user wrote it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.openings = 0
        descriptor = open_memory("frames", ROOM_BYTES)
        try:
            self.room = mmap.mmap(descriptor, ROOM_BYTES, prot=mmap.PROT_READ)
            job = {"room": descriptor}
            # A camera in the network is logged in to there; no other child needs a password.
            login = (USER_VARIABLE, PASSWORD_VARIABLE) if "://" in text else ()
            self.child = Child("edgecls.sources.isolated_main", job, [descriptor], login)
        finally:
            os.close(descriptor)
        self.child.receive(_START_LIMIT_S)

    def close(self) -> None:
        """End it, whatever it does."""
        self.child.close()
        with contextlib.suppress(BufferError):  # a frame is being copied
            self.room.close()


class _Spare:
    """One process whose source was lost, for when that is opened again: starting one takes long."""

    def __init__(self) -> None:
        self._reader: Reader | None = None
        self._lock = threading.Lock()

    def take(self, text: str) -> Reader:
        """The one of this source, if it still runs; else a new one.

        Raises:
            OSError: There is no process.
            ChildFailedError: It does not start.
        """
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            is_fit = reader.text == text and reader.openings < _MOST_OPENINGS
            if is_fit and reader.child.is_running:
                return reader
            reader.close()
        return Reader(text)

    def keep(self, reader: Reader) -> None:
        """Keep it, in the place of another one."""
        with self._lock:
            old, self._reader = self._reader, reader
        if old is not None:
            old.close()


_SPARE: Final = _Spare()


class IsolatedSource(Closing):
    """A source that is read by a process of its own.

    Args:
        kind: One of `SOURCES`.
        text: As the user wrote it.
        wishes: The child gets them with a shorter timeout.

    Raises:
        EdgeclsError: What opening it in this process would raise.
        SourceError: It also crashed or hung.
    """

    _is_open = False
    _is_given_up = False  # its process is well, and waits for another source

    def __init__(self, kind: str, text: str, wishes: SourceWishes) -> None:
        self.name = redact_address(text)
        self._wishes = wishes
        self._looked_s = time.monotonic()
        try:
            self._reader = _SPARE.take(text)
        except OSError as wrong:
            raise SourceError(f"{self.name}: no process for it: {wrong.strerror}") from wrong
        except ChildFailedError as failed:
            raise self._explain(failed, _START_LIMIT_S) from failed
        self._reader.openings += 1
        inner = dataclasses.replace(wishes, timeout_s=wishes.timeout_s * _INNER_SHARE)
        told = {"kind": kind, "text": text, "wishes": dataclasses.asdict(inner)}
        try:
            self._reader.child.tell(told)
            opened = self._receive(wishes.timeout_s)
        except BaseException:
            self.close()
            raise
        self.name = str(opened["name"])
        self.is_live = bool(opened["is_live"])
        self.is_sequence = bool(opened["is_sequence"])
        self.warnings = tuple(str(warning) for warning in opened["warnings"])
        self.rate = float(opened["rate"])
        self._is_open = True

    @property
    def child(self) -> int:
        """Its process number."""
        return self._reader.child.pid

    def read(self) -> CapturedFrame | None:
        """The next frame, copied from the child's memory.

        Raises:
            PictureError: This frame cannot be decoded.
            SourceError: The camera is lost; or its process hung, crashed or grew too large.
        """
        if self._is_given_up:
            raise SourceError(f"{self.name}: it was closed")
        self._limit_memory()
        self._reader.child.tell({})
        answer = self._receive(self._wishes.silence_s)
        if "about" not in answer:
            return None
        try:
            return self._copy(answer)
        except ValueError as closed:  # by another thread, between the answer and here
            raise SourceError(f"{self.name}: it was closed") from closed

    def close(self) -> None:
        """End the process, whatever it does; by any thread, also while another one reads."""
        if not self._is_given_up:
            self._reader.close()

    def _copy(self, answer: dict[str, Any]) -> CapturedFrame:
        about = dict(answer["about"])
        if (size := answer.get("jpeg")) is not None:
            return CapturedFrame(None, **about, jpeg=self._reader.room[:size])
        shape = tuple(int(side) for side in answer["shape"])
        flat = np.frombuffer(self._reader.room, np.uint8, int(np.prod(shape)))
        return CapturedFrame(flat.reshape(shape).copy(), **about)

    def _receive(self, limit_s: float) -> dict[str, Any]:
        try:
            answer = self._wait(limit_s)
        except ChildFailedError as failed:
            raise self._explain(failed, limit_s) from failed
        if "unreadable" in answer:
            raise PictureError(str(answer["unreadable"]))
        if "error" in answer:
            wrong = _same_error(answer["error"])
            if isinstance(wrong, SourceError):
                self._is_given_up = True
                _SPARE.keep(self._reader)
            raise wrong
        return answer

    def _wait(self, limit_s: float) -> dict[str, Any]:
        """The answer; for which is waited longer while the child says that packets come."""
        end_s = time.monotonic() + _MOST_WAIT_S
        while "waits" in (answer := self._reader.child.receive(limit_s)):
            if self._is_open:
                self._limit_memory()
            if time.monotonic() > end_s:
                self.close()
                raise ChildFailedError("hang", f"no frame in {_MOST_WAIT_S:g} s")
        return answer

    def _explain(self, failed: ChildFailedError, limit_s: float) -> SourceError:
        if failed.kind == "hang":
            return SourceError(
                f"{self.name}: the process that reads it hangs (no answer in {limit_s:g} s)",
                hint=_REMEDIES["hang"],
            )
        what = "was killed" if failed.kind in ("SIGKILL", "SIGTERM") else "crashed"
        words = " ".join(failed.text.split())[-200:]
        return SourceError(
            redact_url(
                f"{self.name}: the process that reads it {what} ({failed.kind})"
                + (f": {words}" if words else "")
            ),
            hint=_REMEDIES["crash"],
        )

    def _limit_memory(self) -> None:
        now = time.monotonic()
        if now - self._looked_s < _BETWEEN_LOOKS_S:
            return
        self._looked_s = now
        used_mb = self._reader.child.private_bytes / 1e6
        if used_mb > self._wishes.memory_mb:
            self.close()
            raise SourceError(
                f"{self.name}: the process that reads it took {used_mb:.0f} MB, more than the"
                f" {self._wishes.memory_mb:g} MB it may have",
                hint=_REMEDIES["memory"],
            )


def _same_error(told: dict[str, Any]) -> EdgeclsError:
    """The error that was raised in the child."""
    kind = getattr(errors, str(told["kind"]), SourceError)
    if not (isinstance(kind, type) and issubclass(kind, EdgeclsError)):
        kind = SourceError
    error: EdgeclsError = kind(str(told["problem"]), hint=str(told["hint"]))
    return error
