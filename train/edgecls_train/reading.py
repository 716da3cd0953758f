"""Every picture read once: hashed, measured, and prepared into the cache.

The cache is keyed by the content of all pictures and the settings. So that a second training
starts at once, the content is taken as unchanged while name, size, inode and both times (mtime,
ctime: no program can set that one back) of every file are; else all bytes are hashed again, which
is far cheaper than decoding, and only pictures that changed in content are a new entry.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgecls.console import ShowProgress
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import EdgeclsError, PictureError
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import prepare
from edgecls.pictures import PictureSet
from edgecls.pictures.ahead import in_order
from edgecls.pictures.alike import THUMBNAIL
from edgecls_train.cache import Cache, default_cache
from edgecls_train.progress import no_progress

_FORMAT: Final = 1
# A file changed twice within the clock's resolution keeps its times; so young ones are read again.
_SETTLED_NS: Final = 2_000_000_000
_NO_DIGEST: Final = bytes(32)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What reading a set of N pictures gave, n of them readable; all arrays are read-only.

    Args:
        key: Of the content and the settings.
        images: uint8 (n, height, width, channels), None when none were asked for.
        thumbnails: uint8 RGB (n, 32, 32, 3).
        sizes: (n, 2), height and width of each frame.
        digests: uint8 (N, 32), SHA-256 of the stored bytes; zeros where there are none.
        readable: (n,), positions in the set.
        unreadable: Position in the set -> what is wrong.
    """

    key: str
    images: npt.NDArray[np.uint8] | None
    thumbnails: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int32]
    digests: npt.NDArray[np.uint8]
    readable: npt.NDArray[np.int64]
    unreadable: dict[int, str]


def read_pictures(
    pictures: PictureSet,
    preprocessing: Preprocessing | None,
    *,
    progress: ShowProgress = no_progress,
) -> Reading:
    """Read every picture, or find what reading it gave the last time.

    Args:
        pictures: Some may be unreadable.
        preprocessing: How to prepare them; None when only thumbnails are needed.
        progress: Shows how far it is.

    Raises:
        EdgeclsError: The cache cannot be written, or something else changes it.
    """
    cache = default_cache()
    stamp = _take_stamp(pictures, preprocessing)
    reading = _load_stamped(cache, pictures, stamp)
    if reading is None:
        reading = _load_same_content(cache, pictures, stamp, progress)
    if reading is None:
        key = _read_all(cache, pictures, preprocessing, stamp, progress)
        reading = _load(cache, pictures, key)
    if reading is None:
        raise EdgeclsError(
            f"the pictures in '{pictures.origin}' or the cache '{cache.root}' changed while they"
            " were read",
            hint="try again when nothing else writes to them",
        )
    _save_stamp(cache, stamp, reading.key)
    return reading


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What is known without reading: `key` of names and file states; `prefix` of every content."""

    key: str
    prefix: str
    is_settled: bool


def _take_stamp(pictures: PictureSet, preprocessing: Preprocessing | None) -> _Stamp:
    settings = repr((_FORMAT, cv2.__version__, preprocessing, THUMBNAIL, len(pictures)))
    digest = hashlib.sha256(f"{settings}\0{pictures.origin}".encode("utf-8", "surrogateescape"))
    newest, total, are_files = 0, 0, True
    for index, name in enumerate(pictures.names):
        path = pictures.find_file(index)
        if path is None:
            are_files = False
            break
        state: tuple[int, ...] = ()
        try:
            s = os.stat(path)
        except (OSError, ValueError):
            pass  # it is missing, which is a state too
        else:
            state = (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev)
            newest, total = max(newest, s.st_mtime_ns, s.st_ctime_ns), total + s.st_size
        digest.update(f"{name}\0{state}\0".encode("utf-8", "surrogateescape"))
    prefix = hashlib.sha256(f"{settings}\0{total}".encode()).hexdigest()[:16]
    is_settled = are_files and newest + _SETTLED_NS < time.time_ns()
    return _Stamp(f"files-{digest.hexdigest()}", f"pictures-{prefix}-", is_settled)


def _load_stamped(cache: Cache, pictures: PictureSet, stamp: _Stamp) -> Reading | None:
    arrays = cache.load(stamp.key) if stamp.is_settled else None
    if arrays is None or "key" not in arrays:
        return None
    return _load(cache, pictures, arrays["key"].tobytes().decode())


def _save_stamp(cache: Cache, stamp: _Stamp, key: str) -> None:
    if stamp.is_settled and cache.load(stamp.key) is None:
        # It only saves time; on a disk that is full now, the pictures are there all the same.
        with contextlib.suppress(EdgeclsError), cache.write(stamp.key) as entry:
            entry.append("key", np.frombuffer(key.encode(), np.uint8))


def _load_same_content(
    cache: Cache, pictures: PictureSet, stamp: _Stamp, progress: ShowProgress
) -> Reading | None:
    """Hash all bytes when an entry may fit: one of as many pictures, bytes and these settings."""
    if not cache.has(stamp.prefix):
        return None
    digests = []
    with progress("looking for changes", len(pictures)) as advance:
        for digest in in_order(lambda index: _hash(pictures, index), range(len(pictures))):
            digests.append(digest)
            advance(len(digests))
    return _load(cache, pictures, _content_key(stamp, digests))


def _content_key(stamp: _Stamp, digests: Iterable[bytes]) -> str:
    return stamp.prefix + hashlib.sha256(b"".join(digests)).hexdigest()


def _hash(pictures: PictureSet, index: int) -> bytes:
    try:
        return hashlib.sha256(pictures.load_bytes(index)).digest()
    except PictureError:
        return _NO_DIGEST


def _load(cache: Cache, pictures: PictureSet, key: str) -> Reading | None:
    arrays = cache.load(key)
    if arrays is None:
        return None
    readable = arrays.get("readable", np.empty(0, np.int64))
    unreadable = {}
    for index in np.setdiff1d(np.arange(len(pictures)), readable).tolist():
        try:
            pictures.load_frame(index)
        except PictureError as wrong:
            unreadable[index] = wrong.problem
        else:
            return None  # it was unreadable for another reason than its content
    return Reading(
        key=key,
        images=arrays.get("images"),
        thumbnails=arrays.get("thumbnails", np.empty((0, *THUMBNAIL.shape), np.uint8)),
        sizes=arrays.get("sizes", np.empty((0, 2), np.int32)),
        digests=arrays["digests"],
        readable=readable,
        unreadable=unreadable,
    )


def _read_all(
    cache: Cache,
    pictures: PictureSet,
    preprocessing: Preprocessing | None,
    stamp: _Stamp,
    progress: ShowProgress,
) -> str:
    """Read all pictures into a new entry; its key."""

    def read_one(index: int) -> tuple[bytes, dict[str, npt.NDArray[Any]] | None]:
        digest = _hash(pictures, index)
        try:
            frame = pictures.load_frame(index)
        except PictureError:
            return digest, None
        columns: dict[str, npt.NDArray[Any]] = {
            "thumbnails": prepare(frame, THUMBNAIL),
            "sizes": np.array(frame.shape[:2], np.int32),
            "readable": np.array(index, np.int64),
        }
        if preprocessing is not None:
            columns["images"] = prepare(frame, preprocessing)
        return digest, columns

    digests = []
    with cache.write() as entry, progress("preparing pictures", len(pictures)) as advance:
        for digest, columns in in_order(read_one, range(len(pictures))):
            digests.append(digest)
            for name, value in (columns or {}).items():
                entry.append(name, value[None])
            advance(len(digests))
        entry.append("digests", np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32))
        entry.key = _content_key(stamp, digests)
    return entry.key
