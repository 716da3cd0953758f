"""MJPEG cameras over HTTP: ESP32-CAM, mjpg-streamer, motion, and snapshot addresses.

A stream (`multipart/x-mixed-replace`) is read as it comes; an address that gives one JPEG is asked
again and again. Pictures are handed on as they came, undecoded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from edgecls.errors import PictureError, SourceError
from edgecls.sources import CapturedFrame, Closing, SourceWishes
from edgecls.sources.address import Address, parse_address
from edgecls.sources.http.connection import Connection
from edgecls.sources.http.multipart import MAX_PART, MultipartParser
from edgecls.sources.jpeg import trim
from edgecls.sources.network.authorization import authorize, explain_401
from edgecls.sources.network.head import MOST_REDIRECTS, REDIRECTS, Head

_Result = TypeVar("_Result")

# Small cameras cannot do more: an ESP32-CAM takes about 100 ms for a snapshot.
_SNAPSHOTS_FPS: Final = 5.0
# One picture, or one after the other without anything between: what their end shows.
_JPEGS: Final = frozenset(
    "image/jpeg image/jpg image/pjpeg video/x-motion-jpeg video/x-jpeg video/x-mjpeg video/mjpeg"
    " video/jpeg".split()
)
# What says nothing is looked at: `ffmpeg -listen` states no type.
_UNSURE: Final = ("", "application/octet-stream")
_MOST_LOOK: Final = 64 << 10
_BOUNDARY: Final = re.compile(
    r';\s*boundary\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s;]*))', re.IGNORECASE
)
_STREAMS: Final = (
    "the stream's own address is wanted, not its page: http://HOST:81/stream (ESP32-CAM),"
    " http://HOST:8080/?action=stream (mjpg-streamer), http://HOST:8081 (motion)"
)


class HttpSource(Closing):
    """A camera that is streaming over HTTP; it is live, so read it all the time."""

    is_live = True
    is_sequence = True

    def __init__(self, address: Address, wishes: SourceWishes) -> None:
        self.name = str(address)
        self._silence_s = wishes.silence_s
        self._connection: Connection | None = None
        self._index = -1
        connection, head = self._guard(lambda: self._open(address))
        self._connection = connection
        self._next: Callable[[], bytes]
        self._interval_s = 1 / (wishes.fps or _SNAPSHOTS_FPS)
        self._next_s = time.monotonic()
        if head.content_type.startswith("multipart/"):
            parser = MultipartParser(_boundary_of(head))
            self._next = partial(self._read_stream, connection, parser)
        elif head.content_type in _JPEGS and head.length is not None:
            self._next = partial(self._read_snapshot, address)
        else:
            self._bare, self._has_taken = MultipartParser(), False
            if head.content_type not in _JPEGS:
                self._guard(lambda: _look(connection, self._bare, head))
            self._next_s += self._interval_s
            self._next = partial(self._read_bare, address)
        self._started_s = time.monotonic()

    def read(self) -> CapturedFrame | None:
        """The next picture, undecoded.

        Raises:
            PictureError: A picture was cut off or is no JPEG.
            SourceError: The camera hung up, or sent no whole picture for too long.
        """
        jpeg = self._guard(self._next)
        now = time.monotonic()
        self._index += 1
        return CapturedFrame(None, self._index, now - self._started_s, now, jpeg=jpeg)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        # It refers to this source and holds a buffer of 256 KB, which would be left to the garbage
        # collector: that hardly ever comes where so little is made.
        self._next = _read_nothing

    def _open(self, address: Address) -> tuple[Connection, Head]:
        """Ask, follow redirects, log in where that is wanted."""
        deadline_s = time.monotonic() + self._silence_s
        asked, authorization = address, ""
        for _ in range(MOST_REDIRECTS + 2):
            connection = Connection(address, deadline_s)
            try:
                head = connection.request(address, authorization)
                if head.status in REDIRECTS:
                    address, authorization = address.follow(head.fields.get("location", "")), ""
                elif head.status == 401 and not authorization:
                    authorization = authorize(address, head.challenges)
                    if not authorization:
                        raise explain_401(head.challenges, asked, address)
                else:
                    _check(head)
                    opened, connection = connection, None  # type: ignore[assignment]
                    return opened, head
            finally:
                if connection is not None:
                    connection.close()
        raise SourceError(
            f"the camera sends us on more than {MOST_REDIRECTS} times",
            hint="open the address in a browser, and give the one where it ends",
        )

    def _read_stream(self, connection: Connection, parser: MultipartParser) -> bytes:
        connection.set_deadline(time.monotonic() + self._silence_s)
        while (picture := parser.next_picture()) is None:
            if not parser.fill(connection.receive):
                raise SourceError("the camera ended the stream")
        return picture

    def _read_bare(self, address: Address) -> bytes:
        """The next of pictures that come one after the other; a single one is asked for again."""
        if self._connection is None:
            self._pace()
            self._connection, _ = self._open(address)
            self._bare, self._has_taken = MultipartParser(), False
        connection = self._connection
        connection.set_deadline(time.monotonic() + self._silence_s)
        while (picture := self._bare.next_picture()) is None:
            if self._bare.fill(connection.receive):
                continue
            connection.close()
            self._connection = None
            if not self._has_taken:
                raise PictureError("the camera sent a JPEG that is cut off, or none")
            return self._read_bare(address)
        self._has_taken = True
        return picture

    def _pace(self) -> None:
        """Wait until the next snapshot may be asked for."""
        time.sleep(max(0.0, self._next_s - time.monotonic()))
        self._next_s = max(self._next_s + self._interval_s, time.monotonic() - 1.0)

    def _read_snapshot(self, address: Address) -> bytes:
        self._pace()
        if self._connection is None:
            self._connection, _ = self._open(address)
        connection, self._connection = self._connection, None
        try:
            return _read_picture(connection)
        finally:
            connection.close()

    def _guard(self, action: Callable[[], _Result]) -> _Result:
        """Do it; what goes wrong in the network becomes one error with the camera's name."""
        try:
            return action()
        except PictureError:
            raise
        except SourceError as wrong:
            raise SourceError(f"{self.name}: {wrong.problem}", hint=wrong.hint) from wrong
        except TimeoutError as wrong:
            raise SourceError(
                f"{self.name}: no picture for {self._silence_s:g} s",
                hint="is the camera on, in this network, and watched by nobody else?",
            ) from wrong
        except OSError as wrong:
            if why := getattr(wrong, "verify_message", ""):  # of ssl, imported only for https
                raise SourceError(
                    f"{self.name}: its certificate is not trusted: {why}",
                    hint="write the camera's own certificate to a file, its path to SSL_CERT_FILE",
                ) from wrong
            raise SourceError(
                f"{self.name}: {wrong.strerror or wrong}",
                hint="is the camera on, and is that its port?",
            ) from wrong


def open_source(text: str, wishes: SourceWishes | None = None) -> HttpSource:
    """Open `http://...` or `https://...`."""
    return HttpSource(parse_address(text, ("http", "https")), wishes or SourceWishes())


def _read_nothing() -> bytes:
    raise SourceError("it was closed")


def _read_picture(connection: Connection) -> bytes:
    """The whole body of an answer, as one JPEG."""
    content = bytearray()
    room = bytearray(64 << 10)
    while count := connection.receive(memoryview(room)):
        content += room[:count]
        if len(content) > MAX_PART:
            raise SourceError(f"a picture of over {MAX_PART >> 20} MB")
    return trim(bytes(content))


def _check(head: Head) -> None:
    """Refuse whatever is no picture."""
    if head.status != 200:
        raise _refused(head)
    kind = head.content_type
    if kind.startswith("multipart/") or kind in _JPEGS or kind in _UNSURE:
        return
    if kind in ("text/html", "application/xhtml+xml"):
        raise SourceError("that is a web page, not a stream of pictures", hint=_STREAMS)
    raise _no_pictures(kind)


def _look(connection: Connection, parser: MultipartParser, head: Head) -> None:
    """Refuse what does not say what it is, unless there is the start of a JPEG soon."""
    seen = 0
    while not parser.has_start:
        count = parser.fill(connection.receive)
        seen += count
        if not count or seen > _MOST_LOOK:
            raise _no_pictures(head.content_type)


def _no_pictures(kind: str) -> SourceError:
    return SourceError(
        f"that is {kind or 'of no stated type'}, not MJPEG or a JPEG picture", hint=_STREAMS
    )


def _refused(head: Head) -> SourceError:
    """Why an answer is none, by its status."""
    if head.status in (401, 403):
        return SourceError(
            f"the camera refuses us ({head.status} {head.reason})",
            hint="check user and password, and what this user may see",
        )
    if head.status == 404:
        return SourceError("the camera has nothing at this address (404)", hint=_STREAMS)
    return SourceError(
        f"the camera answers {head.status} {head.reason}".rstrip(),
        hint="is somebody else watching? small cameras serve one viewer at a time",
    )


def _boundary_of(head: Head) -> str:
    found = _BOUNDARY.search(head.fields.get("content-type", ""))
    return (found["quoted"] or found["bare"] or "") if found else ""
