"""How many times the scans of a JPEG make a decoder go over its blocks, found without decoding it.

A progressive JPEG is sent in passes over the whole picture, ten in an ordinary one. A file may hold
any number of them, of ten bytes each: 67 KB kept a decoder busy for 15 s. One pass in which all
colours come together is the usual case, and costs nothing but a look at two headers here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

from edgecls.errors import PictureError
from edgecls.imaging.opencv import MAX_PIXELS

# Start-of-frame markers of JPEG (ITU-T T.81, table B.1), without the three that are none.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
BASELINE: Final = 0xC0  # what nearly every camera sends
_PROGRESSIVE: Final = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_FIRST_ARITHMETIC: Final = 0xC9
_SCAN, _END = 0xDA, 0xD9
# A file may have thumbnails, profiles and depth maps in notes of 64 KB before its picture.
_MOST_SEGMENTS: Final = 1 << 16
# Markers without a length behind them, apart from those of beginning and end. The reserved ones
# have one in the standard; but a decoder that looks for a restart mark drops two bytes of them, and
# whoever skips more does not see the scans that are hidden there.
_BARE: Final = frozenset((*range(0x01, 0xC0), *range(0xD0, 0xD8)))
# In coded data 0xFF is followed by 0, by a restart mark, or by the 0xFF of another marker.
_NEXT_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
# A decoder may go over every block of 8x8 so many times; libraries for small files use 12 to 15.
_MOST_PASSES: Final = 32
# In small pictures this often in all; it takes 4 ms.
_ANY_VISITS: Final = 1 << 16
# In large ones at most as often as 16 passes over one colour of the largest. A visit takes 7 to
# 60 ns on x86-64: a second for the worst file that passes, as for the largest ordinary one.
_MOST_VISITS: Final = MAX_PIXELS // 64 * 16
# A camera's frame must not hold up the loop: a quarter of a second, and 12 megapixels in 15 passes.
CAMERA_VISITS: Final = 1 << 22
# Tables are built at the beginning of a scan, and this walk looks at every segment.
_VISITS_A_SEGMENT: Final = 64
# A block in arithmetic code takes up to 260 ns.
_ARITHMETIC_COST: Final = 8


def find_jpeg_frame(content: bytes) -> int:
    """Where the frame header of a JPEG begins, behind thumbnails and notes.

    Raises:
        PictureError: There is none.
    """
    for marker, position in islice(_segments(content, 2), _MOST_SEGMENTS):
        if marker in _FRAMES and position + 10 <= len(content):
            return position
        if marker in (_SCAN, _END):
            break
    raise PictureError("the JPEG is cut off or damaged in its header")


def check_jpeg_scans(content: bytes, frame_at: int, limit: int = _MOST_VISITS) -> None:
    """Refuse a JPEG whose scans would keep a decoder busy for long.

    Args:
        content: A whole JPEG.
        frame_at: Where its frame header begins, see `find_jpeg_frame`.
        limit: Blocks that a decoder may go over in all scans.

    Raises:
        PictureError: They would, or its headers are damaged.
    """
    marker, colors = content[frame_at + 1], content[frame_at + 9]
    scan_at = _find_scan(content, frame_at)
    is_arithmetic = marker >= _FIRST_ARITHMETIC
    if content[scan_at + 4] >= colors and marker not in _PROGRESSIVE and not is_arithmetic:
        return  # a decoder reads one scan, and refuses to see another
    blocks = _count_blocks(content, frame_at)
    most_visits = min(limit, _MOST_PASSES * sum(blocks) + _ANY_VISITS)
    if is_arithmetic:
        most_visits //= _ARITHMETIC_COST
    # Never too few: also inside notes, and behind the end. Counting takes 1 ms for 1 MB.
    most_scans = content.count(b"\xff\xda", scan_at)
    if most_scans * (sum(blocks) + _VISITS_A_SEGMENT) <= most_visits:
        return
    numbers = content[frame_at + 10 : frame_at + 10 + 3 * colors : 3]
    # A number that stands for two colours, which no encoder writes, counts as the larger one.
    visited = dict(sorted(zip(numbers, blocks, strict=True)))
    if not _ends_within(most_visits, content, scan_at, visited):
        raise PictureError(
            "the JPEG comes in so many scans that decoding it would take too long",
            hint="save it again as an ordinary JPEG",
        )


def _ends_within(most_visits: int, content: bytes, scan_at: int, blocks: dict[int, int]) -> bool:
    """Whether all scans together visit no more blocks than that."""
    visits = 0
    for marker, position in _segments(content, scan_at):
        visits += _VISITS_A_SEGMENT
        if marker == _SCAN and position + 5 <= len(content):
            numbers = content[position + 5 : position + 5 + 2 * content[position + 4] : 2]
            visits += sum(blocks.get(number, 0) for number in numbers)
        if marker == _END or visits > most_visits:
            break
    return visits <= most_visits


def _segments(content: bytes, position: int) -> Iterator[tuple[int, int]]:
    """Markers and where they stand, as a decoder comes across them; ends where it is cut off.

    Args:
        content: A JPEG.
        position: Where one of its markers stands.
    """
    while position + 4 <= len(content):
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        yield marker, position
        if marker in _BARE:
            position += 2
        else:
            position += 2 + struct.unpack_from(">H", content, position + 2)[0]
        behind = content[position : position + 2]
        if marker == _SCAN or not behind.startswith(b"\xff") or behind == b"\xff\0":
            # Coded data, or bytes that a decoder passes over.
            found = _NEXT_MARKER.search(content, position)
            if found is None:
                return
            position = found.start()


def _find_scan(content: bytes, frame_at: int) -> int:
    for marker, position in islice(_segments(content, frame_at), _MOST_SEGMENTS):
        if marker == _SCAN and position + 5 <= len(content):
            return position
        if marker == _END:
            break
    raise PictureError("the JPEG is cut off")


def _count_blocks(content: bytes, frame_at: int) -> list[int]:
    """How many blocks each colour of a frame has (ITU-T T.81, B.2.2)."""
    height, width, count = struct.unpack_from(">HHB", content, frame_at + 5)
    entries = content[frame_at + 10 : frame_at + 10 + 3 * count]
    if len(entries) < 3 * count or not count:
        raise PictureError("the JPEG is cut off or damaged in its header")
    sides = [(entry >> 4 or 1, entry & 15 or 1) for entry in entries[1::3]]
    widest, highest = (max(side[axis] for side in sides) for axis in (0, 1))
    return [
        -(-width * across // (8 * widest)) * -(-height * down // (8 * highest))
        for across, down in sides
    ]
