"""Where a JPEG begins and ends in a stream of bytes; nothing is decoded."""

from __future__ import annotations

from typing import Final

from edgecls.errors import PictureError

START: Final = b"\xff\xd8\xff"
END: Final = b"\xff\xd9"
# Markers without a length (ITU-T T.81, table B.1): TEM, RST0-7.
_BARE: Final = frozenset((0x01, *range(0xD0, 0xD8)))
_ENDS: Final = (0xD8, 0xD9)  # start and end of a picture, neither of which stands in a header
_SCAN: Final = 0xDA
# A picture has a few dozen. Whoever sends them without end would have us walk over all of them
# again at each packet: a fuzzer made 1.2 MB take 3.7 s.
_MOST_MARKERS: Final = 1_000


def find_scan(content: bytes | bytearray, start: int, end: int) -> int | None:
    """Where the compressed data of the JPEG at `start` begin; None if that is beyond `end`.

    Inside them 0xFF is followed by 0 or a restart mark, so the first `END` behind them ends the
    picture; before them a thumbnail may have one of its own.

    Raises:
        PictureError: These bytes are no JPEG.
    """
    if not START.startswith(bytes(content[start : min(end, start + len(START))])):
        raise PictureError("the camera sent something that is no JPEG")
    position = start + 2
    for _ in range(_MOST_MARKERS):
        if position + 4 > end:
            return None
        marker = content[position + 1]
        if content[position] != 0xFF or marker in _ENDS:
            raise PictureError("the camera sent a JPEG that is damaged in its header")
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _BARE:
            position += 2
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
            if marker == _SCAN:
                return position if position <= end else None
    raise PictureError(
        f"the camera sent a JPEG with more than {_MOST_MARKERS} parts before its scan"
    )


def trim(content: bytes) -> bytes:
    """The JPEG without what a driver leaves behind its end mark.

    Raises:
        PictureError: No JPEG, or one without an end.
    """
    scan = find_scan(content, 0, len(content))
    end = -1 if scan is None else content.find(END, scan)
    if end < 0:
        raise PictureError("the camera sent a JPEG that is cut off")
    return content[: end + 2] if end + 2 < len(content) else content
