"""Finds the pictures in an MJPEG stream: bytes in, JPEGs out. It knows nothing of sockets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from edgecls.errors import PictureError, SourceError
from edgecls.sources.jpeg import END, START, find_scan

MAX_PART: Final = 16 << 20
MAX_HEADER: Final = 16 << 10
_CAPACITY: Final = 256 << 10
_LEAST_ROOM: Final = 64 << 10
# Cameras pad a picture with a few bytes at most; an end mark further away is another picture's.
_PADDING: Final = 64
_PICTURES: Final = ("", "image/jpeg", "image/jpg", "image/pjpeg", "application/octet-stream")


class MultipartParser:
    """Cuts `multipart/x-mixed-replace` into JPEGs, whatever cameras make of it.

    Lines may end in LF alone, a boundary may have too many or too few dashes, a length may be
    missing or wrong, and text may stand before, between and after the parts. Without a length a
    picture ends at its own end mark, so that it is there at once and not with its successor.

    Args:
        boundary: As the header `Content-Type` gives it; empty if it gives none, then pictures are
            recognised by themselves.
    """

    def __init__(self, boundary: str = "") -> None:
        self._core = boundary.strip().strip('"').lstrip("-").encode("latin-1", "replace")
        self._buffer = bytearray(_CAPACITY)
        self._start = 0  # the first byte that is still of use
        self._end = 0  # behind the last byte received
        self._has_entered = False  # whether there was a boundary
        self._leave()

    def fill(self, receive: Callable[[memoryview], int]) -> int:
        """Let `receive` write into the buffer; returns how many bytes it wrote.

        Raises:
            SourceError: More bytes without a picture than any picture has.
        """
        if len(self._buffer) - self._end < _LEAST_ROOM:
            self._make_room()
        with memoryview(self._buffer) as whole, whole[self._end :] as room:
            count = receive(room)
        self._end += count
        return count

    def feed(self, data: bytes) -> None:
        """Take bytes that are in memory already."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.fill(partial(_copy, rest)) :]

    @property
    def has_start(self) -> bool:
        """Whether what a JPEG begins with is among what has come and was not taken."""
        return self._buffer.find(START, self._start, self._end) >= 0

    def next_picture(self) -> bytes | None:
        """The next whole JPEG; None when more bytes are needed.

        Raises:
            PictureError: A picture was cut off or is none; go on with the next.
            SourceError: What comes is no stream of pictures.
        """
        if not self._core:
            return self._take_bare()
        while True:
            if not self._is_in_part and not self._enter():
                return None if self._core else self._take_bare()
            if not self._is_picture:
                if not self._skip():
                    return None
                continue
            return self._take()

    def _make_room(self) -> None:
        held = self._end - self._start
        if held > MAX_PART:
            raise SourceError(
                f"the camera sent {held >> 20} MB without a picture's end",
                hint="is this the address of an MJPEG stream?",
            )
        if self._start:
            self._buffer[:held] = self._buffer[self._start : self._end]
            self._start, self._end = 0, held
        if len(self._buffer) - held < _LEAST_ROOM:
            most = MAX_PART + 2 * _LEAST_ROOM
            self._buffer.extend(bytes(min(len(self._buffer), most - len(self._buffer))))

    def _leave(self) -> None:
        """Forget the part in hand."""
        self._is_in_part = False
        self._is_picture = True
        self._length: int | None = None
        self._scan: int | None = None  # where the compressed data begin, from the part's start
        self._searched = 0  # how much was searched in vain, from the part's start

    def _enter(self) -> bool:
        """Go behind the next boundary and its header; False when they are not whole yet."""
        found = self._find_boundary(self._end)
        if found is None:
            if not self._has_entered and self.has_start:
                self._core = (
                    b""  # pictures come, and not between the boundaries that were announced
                )
                return False
            # What stands before a boundary is of no use, but may hold the half of one.
            self._drop(max(0, self._searched - _PADDING))
            return False
        line_end = found[1]
        body = self._find_body(line_end)
        if body < 0:
            if self._end - line_end > MAX_HEADER:
                raise SourceError(
                    f"a part's header has more than {MAX_HEADER >> 10} KB",
                    hint="is this the address of an MJPEG stream?",
                )
            return False
        header = bytes(self._buffer[line_end:body])
        self._start = body
        self._leave()
        self._is_in_part = self._has_entered = True
        self._read_header(header)
        return True

    def _find_body(self, line_end: int) -> int:
        """Where the header that begins at `line_end` ends with an empty line; -1 if not yet."""
        end = min(self._end, line_end + MAX_HEADER)
        regular = self._buffer.find(b"\n\r\n", line_end - 1, end)
        bare = self._buffer.find(b"\n\n", line_end - 1, end if regular < 0 else regular)
        return bare + 2 if bare >= 0 else regular + 3 if regular >= 0 else -1

    def _read_header(self, header: bytes) -> None:
        fields = {}
        for line in header.decode("latin-1").splitlines():
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        kind = fields.get("content-type", "").partition(";")[0].strip().lower()
        self._is_picture = kind in _PICTURES
        length = fields.get("content-length", "")
        if length.isascii() and length.isdecimal() and int(length[:12]) > 0:
            self._length = int(length[:12])
            if self._length > MAX_PART:
                raise SourceError(f"the camera announces a picture of {self._length >> 20} MB")

    def _find_boundary(self, end: int) -> tuple[int, int] | None:
        """Where what stands before the next boundary ends, and where the boundary's line does."""
        begin = self._start
        position = begin + self._searched
        while (at := self._buffer.find(self._core, position, end)) >= 0:
            before = at
            while before > begin and self._buffer[before - 1] == 0x2D:  # a dash
                before -= 1
            line_end = self._buffer.find(b"\n", at, min(end, at + len(self._core) + 16))
            if line_end < 0 and end - at < len(self._core) + 16:
                self._searched = before - begin
                return None
            after = bytes(self._buffer[at + len(self._core) : max(at, line_end)])
            if line_end >= 0 and not after.strip(b"- \t\r") and self._may_begin(before):
                return before, line_end + 1
            position = at + 1
        self._searched = max(self._searched, end - begin - len(self._core) - 2)
        return None

    def _may_begin(self, at: int) -> bool:
        """Whether a boundary may stand here: on a new line, or right behind a picture."""
        if at == self._start:
            return True
        return self._buffer[at - 1] in b"\r\n" or self._buffer[max(0, at - 2) : at] == END

    def _skip(self) -> bool:
        """Pass over a part that is no picture."""
        if self._length is not None:
            if self._end - self._start < self._length:
                return False
            self._drop(self._length)
        else:
            found = self._find_boundary(self._end)
            if found is None:
                return False
            self._drop(found[0] - self._start)
        self._leave()
        return True

    def _take(self) -> bytes | None:
        if self._length is not None:
            if self._end - self._start < self._length:
                return None
            if (picture := self._take_measured(self._length)) is not None:
                return picture
            self._length = None  # a length that lies is no length
        return self._take_unmeasured()

    def _take_measured(self, length: int) -> bytes | None:
        """The picture of the announced length; None if it does not end there."""
        start, end = self._start, self._start + length
        if self._buffer[start : start + 2] != START[:2]:
            self._drop(length)
            self._leave()
            raise PictureError("the camera sent a part that is no JPEG")
        mark = self._buffer.rfind(END, max(start, end - _PADDING), end)
        return None if mark < 0 else self._cut(mark + 2)

    def _take_unmeasured(self) -> bytes | None:
        boundary = self._find_end()
        if boundary is None:
            return None
        end, is_whole = boundary
        if is_whole:
            return self._cut(end)
        self._drop(end - self._start)
        self._leave()
        raise PictureError("the camera sent a JPEG that is cut off")

    def _find_end(self) -> tuple[int, bool] | None:
        """Where the picture ends, and whether at its own mark or at a boundary before it."""
        searched = self._searched
        mark = self._find_mark()
        found = self._find_boundary(self._end if mark is None else mark) if self._core else None
        if found is not None:
            return found[0], False
        if mark is not None:
            return mark + 2, True
        self._searched = min(self._searched, max(searched, self._end - self._start - 1))
        return None

    def _find_mark(self) -> int | None:
        if self._scan is None:
            try:
                scan = find_scan(self._buffer, self._start, self._end)
            except PictureError:
                self._give_up()
                raise
            if scan is None:
                return None
            self._scan = scan - self._start
        begin = self._start + max(self._scan, self._searched)
        mark = self._buffer.find(END, begin, self._end)
        return None if mark < 0 else mark

    def _give_up(self) -> None:
        """Pass over a part that turned out to be no picture."""
        if self._core:
            self._is_picture = False
        else:
            self._drop(2)
            self._leave()

    def _take_bare(self) -> bytes | None:
        """A picture of a stream without boundaries."""
        if not self._is_in_part:
            at = self._buffer.find(START, self._start, self._end)
            if at < 0:
                self._drop(max(0, self._end - self._start - len(START)))
                return None
            self._drop(at - self._start)
            self._leave()
            self._is_in_part = True
        return self._take_unmeasured()

    def _cut(self, end: int) -> bytes:
        with memoryview(self._buffer) as whole, whole[self._start : end] as picture:
            taken = bytes(picture)
        self._drop(end - self._start)
        self._leave()
        return taken

    def _drop(self, count: int) -> None:
        self._start += count
        self._searched = max(0, self._searched - count)


def _copy(rest: memoryview, room: memoryview) -> int:
    count = min(len(room), len(rest))
    room[:count] = rest[:count]
    return count
