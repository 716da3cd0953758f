"""FFmpeg behind OpenCV: its options, from the environment only, and what it complains of."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_VARIABLE: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_LOCK: Final = threading.Lock()
_MOST_WORDS: Final = 400
_ERRORS: Final = 16  # AV_LOG_ERROR
_FATAL: Final = "Cannot convert"


@contextmanager
def ffmpeg_options(options: str) -> Iterator[None]:
    """Set FFmpeg's options for what is opened inside.

    OpenCV reads them at each opening, and the environment belongs to the whole process: so one
    opening at a time, and everything is as it was afterwards. What the user has set there wins.
    """
    with _LOCK:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = options if before is None else f"{options}|{before}"
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before


class Complaints:
    """What FFmpeg writes while it converts a frame; else it is kept silent.

    OpenCV 5 says of an interlaced frame that it was converted, and gives what was in memory: FFmpeg
    8 refuses to convert it, and only its complaint tells. Where its library is not found, nothing
    is heard.
    """

    def __init__(self) -> None:
        self._library: Any = None
        self._log: Any = None
        self._stderr: Any = None
        self._file: Any = None
        self._descriptor = os.memfd_create("edgecls-ffmpeg", os.MFD_CLOEXEC)
        path = _find_library("libavutil")
        with contextlib.suppress(OSError, ValueError, AttributeError):  # not as Linux has them
            library, log = ctypes.CDLL(None), ctypes.CDLL(path) if path else None
            if log is None:
                return
            library.fdopen.restype = ctypes.c_void_p
            library.fclose.argtypes = [ctypes.c_void_p]
            library.setbuf.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
            self._stderr = ctypes.c_void_p.in_dll(library, "stderr")
            self._file = library.fdopen(os.dup(self._descriptor), b"w")
            library.setbuf(self._file, None)
            self._library, self._log = library, log

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen, for as short as possible: C's stderr belongs to the whole process."""
        if self._file is None:
            yield
            return
        level = self._log.av_log_get_level()
        before, self._stderr.value = self._stderr.value, self._file
        self._log.av_log_set_callback(self._log.av_log_default_callback)  # OpenCV has its own
        self._log.av_log_set_level(_ERRORS)
        try:
            yield
        finally:
            self._log.av_log_set_level(level)
            self._stderr.value = before

    def problem(self) -> str:
        """Why the pixels of the last frame are none, in words; empty if they are sound."""
        size = os.fstat(self._descriptor).st_size
        if not size:
            return ""
        words = os.pread(self._descriptor, min(size, _MOST_WORDS), 0).decode("utf-8", "replace")
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        if "interlaced" in words:
            return "it is interlaced (fields of half the lines), which OpenCV does not convert"
        return f"FFmpeg cannot convert its frames: {words.strip()}" if _FATAL in words else ""

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        file, self._file = self._file, None
        if file is not None:
            self._library.fclose(file)
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _find_library(name: str) -> str:
    """The path of a library that is loaded; empty if none is, or /proc is hidden."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            paths = (line.split(maxsplit=5)[-1].strip() for line in maps if name in line)
            return next((path for path in paths if os.path.basename(path).startswith(name)), "")
    except OSError:
        return ""
