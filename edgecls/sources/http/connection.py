"""One HTTP request: the head of its answer, and the body, whole or in chunks."""

from __future__ import annotations

import re
from typing import Final

from edgecls.errors import SourceError
from edgecls.sources.address import Address
from edgecls.sources.network.head import Head
from edgecls.sources.network.wire import Wire

_CHUNK_SIZE: Final = re.compile(r"[0-9a-fA-F]{1,15}")


class Connection:
    """A request on a connection of its own; see `Wire` for errors."""

    def __init__(self, address: Address, deadline_s: float) -> None:
        self._wire = Wire(address, deadline_s)
        self._left: int | None = None  # of the body or, in a chunked one, of the chunk
        self._is_chunked = False
        self._is_over = False

    def request(self, address: Address, authorization: str) -> Head:
        """Send GET and read the head of the answer."""
        self._wire.send(
            [
                f"GET {address.target} HTTP/1.1",
                f"Host: {address.authority}",
                "User-Agent: edgecls",
                "Accept: multipart/x-mixed-replace, image/jpeg, */*;q=0.5",
                "Connection: close",
                *([f"Authorization: {authorization}"] if authorization else []),
            ]
        )
        head = self._wire.read_head("HTTP")
        self._is_chunked = "chunked" in head.fields.get("transfer-encoding", "").lower()
        # A stream has no length; some cameras state one all the same.
        if not (self._is_chunked or head.content_type.startswith("multipart/")):
            self._left = head.length
        return head

    def set_deadline(self, deadline_s: float) -> None:
        """Until when to wait from now on, on the clock of `time.monotonic`."""
        self._wire.deadline_s = deadline_s

    def receive(self, room: memoryview) -> int:
        """Read some of the body into `room`; 0 at its end."""
        if self._is_over:
            return 0
        if self._is_chunked and not self._left and not self._next_chunk():
            return 0
        if self._left is not None:
            room = room[: self._left]
        count = self._wire.receive(room) if room else 0
        if self._left is not None:
            self._left -= count
        self._is_over = count == 0
        return count

    def close(self) -> None:
        """Hang up."""
        self._wire.close()

    def _next_chunk(self) -> bool:
        if self._left == 0:
            self._wire.read_line()  # the one that ends the chunk before
        size = self._wire.read_line().partition(";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(size):  # `int` alone would take `1_0`, `-1` and `0x1`
            raise SourceError("the camera's chunks are damaged")
        self._left = int(size, 16)
        self._is_over = self._left == 0
        return not self._is_over
