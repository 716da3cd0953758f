"""The kernel's structures and request numbers, sized by this machine's own C types."""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_long, c_ulong
from ctypes import c_uint8 as u8
from ctypes import c_uint32 as u32
from typing import Any, Final

# Of `Capability`.
CAN_CAPTURE: Final = 0x1
CAN_CAPTURE_PLANES: Final = 0x1000
IS_CODEC: Final = 0x8000 | 0x4000  # memory to memory
CAN_STREAM: Final = 0x04000000
HAS_DEVICE_CAPS: Final = 0x80000000
# Of `Format`, `Buffer` and the like.
CAPTURE: Final = 1
MMAP: Final = 1
ANY_FIELD: Final = 0
DISCRETE: Final = 1
IS_DAMAGED: Final = 0x40
CLOCK_MASK: Final = 0xE000
IS_MONOTONIC: Final = 0x2000
CAN_SET_RATE: Final = 0x1000


class Capability(ctypes.Structure):
    """struct v4l2_capability."""

    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", u32),
        ("capabilities", u32),
        ("device_caps", u32),
        ("reserved", u32 * 3),
    )


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc."""

    _fields_ = (
        ("index", u32),
        ("type", u32),
        ("flags", u32),
        ("description", c_char * 32),
        ("pixelformat", u32),
        ("mbus_code", u32),
        ("reserved", u32 * 3),
    )


class Fraction(ctypes.Structure):
    """struct v4l2_fract."""

    _fields_ = (("numerator", u32), ("denominator", u32))


class _Discrete(ctypes.Structure):
    _fields_ = (("width", u32), ("height", u32))


class _Stepwise(ctypes.Structure):
    _fields_ = (
        ("min_width", u32),
        ("max_width", u32),
        ("step_width", u32),
        ("min_height", u32),
        ("max_height", u32),
        ("step_height", u32),
    )


class _AnySize(ctypes.Union):
    _fields_ = (("discrete", _Discrete), ("stepwise", _Stepwise))


class FrameSize(ctypes.Structure):
    """struct v4l2_frmsizeenum."""

    _fields_ = (
        ("index", u32),
        ("pixel_format", u32),
        ("type", u32),
        ("size", _AnySize),
        ("reserved", u32 * 2),
    )


class _Intervals(ctypes.Structure):
    _fields_ = (("min", Fraction), ("max", Fraction), ("step", Fraction))


class _AnyInterval(ctypes.Union):
    _fields_ = (("discrete", Fraction), ("stepwise", _Intervals))


class FrameInterval(ctypes.Structure):
    """struct v4l2_frmivalenum."""

    _fields_ = (
        ("index", u32),
        ("pixel_format", u32),
        ("width", u32),
        ("height", u32),
        ("type", u32),
        ("interval", _AnyInterval),
        ("reserved", u32 * 2),
    )


class _Pixels(ctypes.Structure):
    _fields_ = (
        ("width", u32),
        ("height", u32),
        ("pixelformat", u32),
        ("field", u32),
        ("bytesperline", u32),
        ("sizeimage", u32),
        ("colorspace", u32),
        ("priv", u32),
        ("flags", u32),
        ("ycbcr_enc", u32),
        ("quantization", u32),
        ("xfer_func", u32),
    )


class _AnyFormat(ctypes.Union):
    # The kernel's union holds a pointer, which gives it the alignment of one.
    _fields_ = (("pix", _Pixels), ("raw", u8 * 200), ("_alignment", ctypes.c_void_p))


class Format(ctypes.Structure):
    """struct v4l2_format."""

    _fields_ = (("type", u32), ("fmt", _AnyFormat))


class _Capture(ctypes.Structure):
    _fields_ = (
        ("capability", u32),
        ("capturemode", u32),
        ("timeperframe", Fraction),
        ("extendedmode", u32),
        ("readbuffers", u32),
        ("reserved", u32 * 4),
    )


class _AnyParameters(ctypes.Union):
    _fields_ = (("capture", _Capture), ("raw", u8 * 200))


class Parameters(ctypes.Structure):
    """struct v4l2_streamparm."""

    _fields_ = (("type", u32), ("parm", _AnyParameters))


class BufferRequest(ctypes.Structure):
    """struct v4l2_requestbuffers."""

    _fields_ = (
        ("count", u32),
        ("type", u32),
        ("memory", u32),
        ("capabilities", u32),
        ("flags", u8),
        ("reserved", u8 * 3),
    )


class _Time(ctypes.Structure):
    _fields_ = (("seconds", c_long), ("microseconds", c_long))


class _Timecode(ctypes.Structure):
    _fields_ = (("type", u32), ("flags", u32), ("frames", u8 * 4), ("userbits", u8 * 4))


class _Memory(ctypes.Union):
    _fields_ = (("offset", u32), ("userptr", c_ulong))


class Buffer(ctypes.Structure):
    """struct v4l2_buffer."""

    _fields_ = (
        ("index", u32),
        ("type", u32),
        ("bytesused", u32),
        ("flags", u32),
        ("field", u32),
        ("timestamp", _Time),
        ("timecode", _Timecode),
        ("sequence", u32),
        ("memory", u32),
        ("m", _Memory),
        ("length", u32),
        ("reserved2", u32),
        ("reserved", u32),
    )


def _request(direction: int, number: int, kind: Any) -> int:
    """An ioctl number as <asm-generic/ioctl.h> makes it: direction, size, letter, number."""
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("V") << 8 | number


_WRITE, _READ, _BOTH = 1, 2, 3
QUERY_CAPABILITY: Final = _request(_READ, 0, Capability)
ENUMERATE_FORMATS: Final = _request(_BOTH, 2, FormatDescription)
GET_FORMAT: Final = _request(_BOTH, 4, Format)
SET_FORMAT: Final = _request(_BOTH, 5, Format)
REQUEST_BUFFERS: Final = _request(_BOTH, 8, BufferRequest)
QUERY_BUFFER: Final = _request(_BOTH, 9, Buffer)
QUEUE_BUFFER: Final = _request(_BOTH, 15, Buffer)
DEQUEUE_BUFFER: Final = _request(_BOTH, 17, Buffer)
STREAM_ON: Final = _request(_WRITE, 18, ctypes.c_int)
STREAM_OFF: Final = _request(_WRITE, 19, ctypes.c_int)
GET_PARAMETERS: Final = _request(_BOTH, 21, Parameters)
SET_PARAMETERS: Final = _request(_BOTH, 22, Parameters)
ENUMERATE_SIZES: Final = _request(_BOTH, 74, FrameSize)
ENUMERATE_INTERVALS: Final = _request(_BOTH, 75, FrameInterval)


def to_fourcc(code: int) -> str:
    """The four letters of a pixel format."""
    return (code & 0x7FFFFFFF).to_bytes(4, "little").decode("latin-1").rstrip(" \0")


def from_fourcc(letters: str) -> int:
    """The number of a pixel format."""
    return int.from_bytes(letters.ljust(4).encode("latin-1"), "little")
