"""Small pictures of the pictures, made once, as many as fit into memory; and how those look."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from edgecls.collect.index import Picture
from edgecls.collect.look import Look, fit, look_at
from edgecls.collect.making import PATIENCE_S, Job, Making
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import PictureError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.header import read_header
from edgecls.imaging.opencv import cv2
from edgecls.imaging.scaled import decode_scaled
from edgecls.imaging.shown import encode_shown

_SIDE: Final = 160
# How long anybody waits for a picture.
LIMIT_S: Final = 5.0
_QUALITY: Final = 80
_MEMORY_BYTES: Final = 16 << 20
# About 1 KB each.
MOST_LOOKS: Final = 4000
# The decoder may stop at a size a little above it.
_WANTED: Final = Preprocessing(size=(_SIDE, _SIDE), crop="pad")


class Gallery:
    """Makes thumbnails, one at a time, however many pages ask. Safe for several threads.

    A picture that takes long to read or to decode delays no other one (see `Making`), and nobody
    waits for it for longer than `limit_s`.

    Args:
        read: Gives the file of a picture.
        memory_bytes: For thumbnails; those that were not asked for the longest go first.
        limit_s: Seconds.
    """

    def __init__(
        self,
        read: Callable[[Picture], bytes],
        memory_bytes: int = _MEMORY_BYTES,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._read = read
        self._memory_bytes = memory_bytes
        self._limit_s = limit_s
        self._small: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._bytes = 0
        self._looks: OrderedDict[str, Look | None] = OrderedDict()
        self._lock = threading.Lock()
        self._making = Making(min(PATIENCE_S, limit_s / 2))

    @property
    def size_bytes(self) -> int:
        """What the thumbnails take."""
        return self._bytes

    def thumbnail(self, picture: Picture, limit_s: float | None = None) -> bytes:
        """A JPEG of at most 160x160 pixels.

        Args:
            picture: Of what.
            limit_s: How long to wait for it; it is made all the same, and there at the next time.

        Raises:
            PictureError: The file is no picture, or takes too long.
            OSError: It is gone.
        """
        with self._lock:
            found = self._small.get(picture.id)
            if found is not None and found[0] == picture.version:
                self._small.move_to_end(picture.id)
                return found[1]
        key = ("small", picture.id, picture.version)
        return self._wait(picture, self._making.order(key, lambda: self._make(picture)), limit_s)

    def whole(self, picture: Picture) -> bytes:
        """A JPEG of a picture as it is, or as large as browsers show it; see `thumbnail`."""
        key = ("whole", picture.id, picture.version)
        job = self._making.order(key, lambda: self._make_whole(picture))
        return self._wait(picture, job, None)

    def decode(self, picture: str, work: Callable[[], Frame]) -> Frame:
        """Pixels of a picture, decoded where one that takes long delays nothing else.

        Args:
            picture: Its name.
            work: Reads and decodes it.

        Raises:
            PictureError: It cannot be read, or takes too long.
            OSError: It is gone.
        """
        job = self._making.order(("pixels", picture), work)
        while not self._making.wait(job, self._limit_s):
            if job.began_s is not None:  # else others that take long are in the way
                raise PictureError("it takes too long to be read or decoded")
        return job.take()

    def look(self, picture: Picture) -> Look | None:
        """What is known of how a picture looks, without looking at it."""
        with self._lock:
            return self._looks.get(picture.id)

    def is_known(self, picture: Picture) -> bool:
        """Whether it was looked at; one that cannot be read has no look all the same."""
        with self._lock:
            return picture.id in self._looks

    def add(self, picture: Picture, pixels: Frame, look: Look) -> bytes:
        """Take in a picture whose pixels are at hand; returns its thumbnail."""
        small = _encode(pixels)
        with self._lock:
            self._forget(picture.id)
            self._small[picture.id] = (picture.version, small)
            self._bytes += len(small)
            while self._bytes > self._memory_bytes and len(self._small) > 1:
                self._forget(next(iter(self._small)))
            self._remember(picture.id, look)
        return small

    def _wait(self, picture: Picture, job: Job[bytes], limit_s: float | None) -> bytes:
        if not self._making.wait(job, self._limit_s if limit_s is None else limit_s):
            if job.began_s is None:
                raise PictureError(
                    "other pictures take too long to be read or decoded", hint="try again later"
                )
            if job.is_late(self._limit_s):
                with self._lock:
                    self._remember(picture.id, None)  # nobody needs to ask for it any more
            raise PictureError(
                f"{picture.file_name!a} takes too long to be read or decoded",
                hint="its disk may be slow; else delete it, it was made to take long",
            )
        return job.take()

    def _make_whole(self, picture: Picture) -> bytes:
        content = self._read(picture)
        if read_header(content).format == "JPEG":
            return content
        return encode_shown(decode(content))

    def _make(self, picture: Picture) -> bytes:
        try:
            pixels = decode_scaled(self._read(picture), _WANTED)
            return self.add(picture, pixels, look_at(pixels))
        except PictureError:
            with self._lock:
                self._remember(picture.id, None)
            raise

    def _remember(self, identifier: str, look: Look | None) -> None:
        self._looks[identifier] = look
        while len(self._looks) > MOST_LOOKS:
            self._looks.popitem(last=False)

    def _forget(self, identifier: str) -> None:
        found = self._small.pop(identifier, None)
        self._bytes -= len(found[1]) if found is not None else 0


def _encode(pixels: Frame) -> bytes:
    small = cv2.resize(pixels, fit(pixels, _SIDE), interpolation=cv2.INTER_AREA)
    settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    is_done, encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), settings)
    if not is_done:
        raise PictureError("the picture cannot be made smaller")
    return encoded.tobytes()
