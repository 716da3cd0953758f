"""A V4L2 driver made of plain Python: answers the kernel's questions as a USB camera's would."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field
from typing import Any

from edgecls.sources.v4l2 import structs

USB_CAMERA = {
    "YUYV": {(480, 640): (30, 15), (720, 1280): (10,)},
    "MJPG": {(480, 640): (30,), (720, 1280): (30, 15)},
}


@dataclass
class MadeCamera:
    """A kernel with one camera behind it.

    Args:
        formats: Pixel format -> (height, width) -> frame rates.
        frames: What it sends, in turn; then it is silent.
        capabilities: Of the device.
        fails: Request -> errno that it ends with.
        driver: The driver's name.
    """

    formats: dict[str, dict[tuple[int, int], tuple[int, ...]]] = field(
        default_factory=lambda: USB_CAMERA
    )
    frames: list[bytes] = field(default_factory=list)
    capabilities: int = structs.CAN_CAPTURE | structs.CAN_STREAM
    fails: dict[int, int] = field(default_factory=dict)
    driver: bytes = b"uvcvideo"
    flags: int = structs.IS_MONOTONIC
    is_closed: bool = False
    is_streaming: bool = False
    queued: list[int] = field(default_factory=list)
    memories: list[bytearray] = field(default_factory=list)
    setting: Any = None

    def ioctl(self, request: int, structure: Any) -> None:
        if request in self.fails:
            raise OSError(self.fails[request], "made to fail")
        getattr(self, ANSWERS[request])(structure)

    def map(self, length: int, _offset: int) -> bytearray:
        self.memories.append(bytearray(b"\xee") * length)
        return self.memories[-1]

    def wait(self, seconds: float) -> bool:
        if self.frames:
            return True
        time.sleep(seconds)
        return False

    def close(self) -> None:
        self.is_closed = True

    def _capability(self, answer: structs.Capability) -> None:
        answer.driver, answer.card, answer.bus_info = self.driver, b"Made camera", b"usb-1.2"
        answer.capabilities = structs.HAS_DEVICE_CAPS | 0x0080_0001
        answer.device_caps = self.capabilities

    def _format_at(self, answer: structs.FormatDescription) -> None:
        answer.pixelformat = structs.from_fourcc(_at(list(self.formats), answer.index))

    def _size_at(self, answer: structs.FrameSize) -> None:
        sizes = list(self.formats[structs.to_fourcc(answer.pixel_format)])
        answer.type = structs.DISCRETE
        answer.size.discrete.height, answer.size.discrete.width = _at(sizes, answer.index)

    def _interval_at(self, answer: structs.FrameInterval) -> None:
        rates = self.formats[structs.to_fourcc(answer.pixel_format)][answer.height, answer.width]
        answer.type = structs.DISCRETE
        answer.interval.discrete = structs.Fraction(1, _at(rates, answer.index))

    def _set_format(self, format_: structs.Format) -> None:
        """As drivers do: what it cannot do becomes what it can."""
        pix = format_.fmt.pix
        fourcc = structs.to_fourcc(pix.pixelformat)
        if fourcc not in self.formats:
            fourcc = next(iter(self.formats))
        sizes = self.formats[fourcc]
        size = (pix.height, pix.width)
        if size not in sizes:
            size = next(iter(sizes))
        pix.pixelformat, (pix.height, pix.width) = structs.from_fourcc(fourcc), size
        pix.bytesperline = 0 if fourcc == "MJPG" else size[1] * 2
        pix.sizeimage = size[0] * size[1] * 2
        self.setting = (fourcc, size, pix.sizeimage)
        self.rate = sizes[size][0]

    def _get_rate(self, parameters: structs.Parameters) -> None:
        parameters.parm.capture.capability = structs.CAN_SET_RATE
        parameters.parm.capture.timeperframe = structs.Fraction(1, self.rate)

    def _set_rate(self, parameters: structs.Parameters) -> None:
        asked = parameters.parm.capture.timeperframe
        rates = self.formats[self.setting[0]][self.setting[1]]
        fps = asked.denominator / asked.numerator
        self.rate = min(rates, key=lambda rate: abs(rate - fps))
        parameters.parm.capture.timeperframe = structs.Fraction(1, self.rate)

    def _request_buffers(self, request: structs.BufferRequest) -> None:
        request.count = min(request.count, 3)

    def _query_buffer(self, buffer: structs.Buffer) -> None:
        buffer.length = self.setting[2]

    def _queue(self, buffer: structs.Buffer) -> None:
        assert buffer.index not in self.queued
        self.queued.append(buffer.index)

    def _dequeue(self, buffer: structs.Buffer) -> None:
        if not self.frames:
            raise BlockingIOError(errno.EAGAIN, "nothing there")
        content = self.frames.pop(0)
        buffer.index = self.queued.pop(0)
        self.memories[buffer.index][: len(content)] = content
        buffer.bytesused, buffer.flags = len(content), self.flags
        now = time.monotonic() - 0.005
        buffer.timestamp.seconds = int(now)
        buffer.timestamp.microseconds = int(now % 1 * 1e6)

    def _stream_on(self, _kind: Any) -> None:
        self.is_streaming = True

    def _stream_off(self, _kind: Any) -> None:
        self.is_streaming = False


ANSWERS = {
    structs.QUERY_CAPABILITY: "_capability",
    structs.ENUMERATE_FORMATS: "_format_at",
    structs.ENUMERATE_SIZES: "_size_at",
    structs.ENUMERATE_INTERVALS: "_interval_at",
    structs.SET_FORMAT: "_set_format",
    structs.GET_PARAMETERS: "_get_rate",
    structs.SET_PARAMETERS: "_set_rate",
    structs.REQUEST_BUFFERS: "_request_buffers",
    structs.QUERY_BUFFER: "_query_buffer",
    structs.QUEUE_BUFFER: "_queue",
    structs.DEQUEUE_BUFFER: "_dequeue",
    structs.STREAM_ON: "_stream_on",
    structs.STREAM_OFF: "_stream_off",
}


def _at(things: Any, index: int) -> Any:
    if index >= len(things):
        raise OSError(errno.EINVAL, "no more")
    return things[index]
