"""Pictures that may take long to decode: in a child process, with a deadline.

A TIFF may hold a progressive JPEG in each of a million tiles, an AVIF a frame of another size than
it claims, a GIF millions of orders to begin its table anew, of 13 microseconds each. What a picture
takes can be bounded from its bytes for the other kinds, as long as it is not very large.
"""

from __future__ import annotations

import mmap
import os
import threading
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls.child import Child, ChildFailedError, open_memory
from edgecls.errors import PictureError
from edgecls.imaging.opencv import MAX_PIXELS

LIMIT_S: Final = 10.0
_CHANNELS: Final = 3
# Beyond this, memory of a picture is given back with the child that shares it.
_KEPT_BYTES: Final = 64 << 20


def decode_apart(content: bytes, kind: str, limit_s: float = LIMIT_S) -> npt.NDArray[np.uint8]:
    """Decode a picture in a child process, which is kept for the next one.

    Args:
        content: The whole picture.
        kind: Of it, for messages.
        limit_s: Longest time that it may take.

    Returns:
        uint8 RGB, (height, width, 3).

    Raises:
        PictureError: It cannot be decoded, or not in time or memory.
    """
    decoder = _take(len(content))
    try:
        frame = decoder.decode(content, limit_s)
    except ChildFailedError as failed:
        decoder.close()
        raise _explain(failed, kind, limit_s) from failed
    except BaseException:  # Ctrl-C: it may be at work for long
        decoder.close()
        raise
    if len(content) + (0 if frame is None else frame.nbytes) > _KEPT_BYTES:
        decoder.close()
    else:
        with _LOCK:
            _IDLE.append(decoder)
    if frame is None:
        raise PictureError(f"the {kind} is cut off, damaged or too large")
    return frame


class _Decoder:
    """A child, the memory in which it finds a picture, and that in which it lays the frame."""

    def __init__(self, least_bytes: int) -> None:
        # Only what is written to takes memory.
        self.most_bytes = max(least_bytes, _KEPT_BYTES)
        sizes = self.most_bytes, MAX_PIXELS * _CHANNELS
        files = [open_memory("picture", size) for size in sizes]
        try:
            self._picture, self._frame = map(mmap.mmap, files, sizes)
            job = {"picture": files[0], "frame": files[1]}
            self._child = Child("edgecls.imaging.apart_main", job, files)
        except OSError as wrong:
            raise PictureError(f"there is no process to decode the picture in: {wrong}") from wrong
        finally:
            for descriptor in files:
                os.close(descriptor)

    def decode(self, content: bytes, limit_s: float) -> npt.NDArray[np.uint8] | None:
        self._picture[: len(content)] = content
        self._child.tell({"bytes": len(content)})
        found = self._child.receive(limit_s)
        height, width = int(found["height"]), int(found["width"])
        if not height:
            return None
        size = height * width * _CHANNELS
        frame = np.frombuffer(self._frame, np.uint8, size).reshape(height, width, _CHANNELS)
        return frame.copy()

    def close(self) -> None:
        self._child.close()


# One child a thread that decodes, at most.
_IDLE: Final[list[_Decoder]] = []
_LOCK: Final = threading.Lock()


def _take(picture_bytes: int) -> _Decoder:
    with _LOCK:
        decoder = _IDLE.pop() if _IDLE else None
    if decoder is not None and decoder.most_bytes < picture_bytes:
        decoder.close()
        decoder = None
    return decoder or _Decoder(picture_bytes)


def _explain(failed: ChildFailedError, kind: str, limit_s: float) -> PictureError:
    if failed.kind == "hang":
        return PictureError(
            f"the {kind} takes longer than {limit_s:g} s to decode",
            hint="save it again as a JPEG or PNG, or scale it down",
        )
    if failed.kind in ("MemoryError", "SIGKILL"):
        return PictureError(
            f"the {kind} takes more memory than there is", hint="scale it down first"
        )
    return PictureError(f"the {kind} is damaged: its decoder ended ({failed.kind})")
