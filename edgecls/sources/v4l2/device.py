"""A V4L2 device that is streaming: its buffers are mapped, waits have an end, closing is safe."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import select
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

from edgecls.errors import PictureError
from edgecls.sources.v4l2 import structs
from edgecls.sources.v4l2.listing import to_fps

# One is filled while one waits and one is read; more would only let frames grow old.
_BUFFERS: Final = 3


@dataclass(frozen=True, slots=True)
class Setting:
    """How a camera sends its frames, as its driver has confirmed it.

    Args:
        pixel_format: Four letters.
        size: (height, width) in pixels.
        fps: Frames a second; 0 if the driver does not say.
        stride: Bytes from one row of pixels to the next; 0 for compressed frames.
    """

    pixel_format: str
    size: tuple[int, int]
    fps: float
    stride: int = 0

    def __str__(self) -> str:
        rate = f"@{self.fps:g}" if self.fps else ""
        return f"{self.size[1]}x{self.size[0]}{rate} {self.pixel_format}"


class Kernel(Protocol):
    """What is asked of the operating system; a recorded one stands in for it in tests."""

    def ioctl(self, request: int, structure: Any) -> None:
        """Fill in a structure; raises OSError."""

    def map(self, length: int, offset: int) -> mmap.mmap | bytearray:
        """The memory of a buffer."""

    def wait(self, seconds: float) -> bool:
        """Whether a frame came within so many seconds."""

    def close(self) -> None:
        """Close the device."""


class FileKernel:
    """The kernel of this machine, through an open device file."""

    def __init__(self, device: str) -> None:
        self._descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN | select.POLLPRI)

    def ioctl(self, request: int, structure: Any) -> None:
        """Fill in a structure; raises OSError."""
        fcntl.ioctl(self._descriptor, request, structure)

    def map(self, length: int, offset: int) -> mmap.mmap:
        """The memory of a buffer."""
        return mmap.mmap(self._descriptor, length, mmap.MAP_SHARED, offset=offset)

    def wait(self, seconds: float) -> bool:
        """Whether a frame, or the loss of the device, came within so many seconds."""
        return bool(self._poll.poll(seconds * 1e3))

    def close(self) -> None:
        """Close the device."""
        os.close(self._descriptor)


class Device:
    """Sets up a camera and takes its frames.

    Args:
        kernel: Of the open device; closed by `close`.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._memories: list[mmap.mmap | bytearray] = []
        self._is_open = True

    def configure(self, pixel_format: str, size: tuple[int, int], fps: float | None) -> Setting:
        """Ask for a mode; returns what the driver made of it. Raises OSError."""
        asked = structs.Format(type=structs.CAPTURE)
        asked.fmt.pix.width, asked.fmt.pix.height = size[1], size[0]
        asked.fmt.pix.pixelformat = structs.from_fourcc(pixel_format)
        asked.fmt.pix.field = structs.ANY_FIELD
        self._kernel.ioctl(structs.SET_FORMAT, asked)
        got = asked.fmt.pix
        fourcc = structs.to_fourcc(got.pixelformat)
        return Setting(fourcc, (got.height, got.width), self._pace(fps), got.bytesperline)

    def start(self) -> None:
        """Map the buffers and begin to stream. Raises OSError."""
        request = structs.BufferRequest(count=_BUFFERS, type=structs.CAPTURE, memory=structs.MMAP)
        self._kernel.ioctl(structs.REQUEST_BUFFERS, request)
        for index in range(request.count):
            buffer = _buffer(index)
            self._kernel.ioctl(structs.QUERY_BUFFER, buffer)
            self._memories.append(self._kernel.map(buffer.length, buffer.m.offset))
            self._kernel.ioctl(structs.QUEUE_BUFFER, _buffer(index))
        self._kernel.ioctl(structs.STREAM_ON, ctypes.c_int(structs.CAPTURE))

    def take(self, timeout_s: float) -> tuple[bytes, float]:
        """The next frame, copied, and when the driver had it, on the clock of `time.monotonic`.

        Raises:
            OSError: The device is gone, or sent nothing (`TimeoutError`).
            PictureError: The driver says that this frame is damaged.
        """
        buffer = self._dequeue(time.monotonic() + timeout_s)
        used = min(buffer.bytesused, len(self._memories[buffer.index]))
        content = bytes(memoryview(self._memories[buffer.index])[:used])
        is_damaged = bool(buffer.flags & structs.IS_DAMAGED) or not used
        now = time.monotonic()
        taken_s = now
        if buffer.flags & structs.CLOCK_MASK == structs.IS_MONOTONIC:
            stamp = buffer.timestamp.seconds + buffer.timestamp.microseconds * 1e-6
            # Some drivers stamp with another clock than they say.
            taken_s = stamp if now - 10 < stamp <= now else now
        self._kernel.ioctl(structs.QUEUE_BUFFER, _buffer(buffer.index))
        if is_damaged:
            raise PictureError("the camera's driver says that a frame is damaged")
        return content, taken_s

    def close(self) -> None:
        """Stop streaming and close; may be called twice."""
        if not self._is_open:
            return
        self._is_open = False
        with contextlib.suppress(OSError):  # an unplugged camera cannot be stopped
            self._kernel.ioctl(structs.STREAM_OFF, ctypes.c_int(structs.CAPTURE))
        for memory in self._memories:
            if isinstance(memory, mmap.mmap):
                memory.close()
        self._memories.clear()
        self._kernel.close()

    def _pace(self, fps: float | None) -> float:
        """Ask for a frame rate; returns what the driver says it will be, 0 for nothing."""
        parameters = structs.Parameters(type=structs.CAPTURE)
        with contextlib.suppress(OSError):
            self._kernel.ioctl(structs.GET_PARAMETERS, parameters)
            capture = parameters.parm.capture
            if fps is not None and capture.capability & structs.CAN_SET_RATE:
                capture.timeperframe = structs.Fraction(1000, round(fps * 1000))
                self._kernel.ioctl(structs.SET_PARAMETERS, parameters)
            return to_fps(parameters.parm.capture.timeperframe)
        return 0.0

    def _dequeue(self, deadline_s: float) -> structs.Buffer:
        while True:
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0 or not self._kernel.wait(remaining_s):
                raise TimeoutError("it sent nothing")
            buffer = _buffer(0)
            try:
                self._kernel.ioctl(structs.DEQUEUE_BUFFER, buffer)
            except BlockingIOError:
                time.sleep(0.005)  # a device in an error state is always ready
                continue
            return buffer


def _buffer(index: int) -> structs.Buffer:
    return structs.Buffer(index=index, type=structs.CAPTURE, memory=structs.MMAP)
