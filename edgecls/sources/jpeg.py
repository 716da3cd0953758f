"""Where a JPEG begins and ends in a stream of bytes; nothing is decoded."""

from __future__ import annotations

from typing import Final

from edgecls.errors import PictureError

START: Final = b"\xff\xd8\xff"
END: Final = b"\xff\xd9"
# Markers without a length (ITU-T T.81, table B.1): TEM, RST0-7, SOI.
_BARE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
_SCAN: Final = 0xDA


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
    while position + 4 <= end:
        if content[position] != 0xFF:
            raise PictureError("the camera sent a JPEG that is damaged in its header")
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _BARE:
            position += 2
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
            if marker == _SCAN:
                return position if position <= end else None
    return None


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
