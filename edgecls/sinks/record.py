"""Pictures of the camera into folders per label, ready to be reviewed and trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from edgecls.contract.events import (
    UNKNOWN,
    ChangeEvent,
    Event,
    PredictionEvent,
    ShadowEvent,
)
from edgecls.errors import InvalidValueError, PictureError
from edgecls.imaging.captured import CapturedFrame
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.header import check_jpeg_end, read_header
from edgecls.imaging.opencv import cv2
from edgecls.sinks import Sink
from edgecls.sinks.diversity import Diversity, Thumbnail, to_thumbnail
from edgecls.storage.album import Album
from edgecls.storage.outage import Outage, is_passing
from edgecls.storage.quota import Quota

WHENS: Final = ("uncertain", "changed", "every", "disagreed", "all")
DEFAULT_QUOTA_BYTES: Final = 2_000_000_000
DEFAULT_MIN_FREE_BYTES: Final = 200_000_000
# At 95, and with the colours of every pixel, what a later training sees is what the model saw.
JPEG_QUALITY: Final = 95


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """Which frames are kept.

    Args:
        when: `uncertain`, `changed` (of the steady label), `every` n-th frame, `disagreed` (a
            candidate beside the live model decided otherwise) or `all`.
        every: The n of `every`.
        below: Score (0-1) below which a frame is uncertain; `unknown` is in any case.
        quota_bytes: All pictures together, the oldest go first; 0 for no limit.
        min_free_bytes: What must stay free on the disk.
        is_diverse: Whether frames that look like one kept lately are left out; never for `all`.
    """

    when: str = "uncertain"
    every: int = 100
    below: float = 0.6
    quota_bytes: int = DEFAULT_QUOTA_BYTES
    min_free_bytes: int = DEFAULT_MIN_FREE_BYTES
    is_diverse: bool = True

    def __post_init__(self) -> None:
        if self.when not in WHENS:
            raise InvalidValueError(
                f"recording when {self.when!r} is unknown", hint=f"known: {', '.join(WHENS)}"
            )
        if self.every < 1:
            raise InvalidValueError(f"recording every {self.every} frames, wanted at least 1")
        if not 0 <= self.below <= 1:
            raise InvalidValueError(f"uncertain is below {self.below}, wanted a score in 0 to 1")
        for name in ("quota_bytes", "min_free_bytes"):
            if getattr(self, name) < 0:
                raise InvalidValueError(f"{name} is {getattr(self, name)}, wanted 0 or more")


class RecordSink(Sink):
    """Keeps pictures: as the camera sent them where it sends JPEG, else as JPEG of quality 95.

    Args:
        folder: Made if it is missing.
        settings: Which frames.
        tell: Takes a line for people: what was swept, the disk is full, it works again.

    Raises:
        SinkError: Another process records into it, or it cannot be written.
    """

    takes: ClassVar = (PredictionEvent, ChangeEvent, ShadowEvent)
    wants_frames = True

    def __init__(
        self,
        folder: Path,
        settings: RecordSettings | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = f"record {folder}"
        self.is_on = True  # set from the live view's thread
        self._settings = settings or RecordSettings()
        self._quota = Quota(self._settings.quota_bytes, self._settings.min_free_bytes)
        self._folder = folder
        self._tell = tell
        self._outage = Outage(self.name, tell)
        self._album: Album | None = None
        self._told_left = 0
        try:
            self._album = self._open()
        except OSError as wrong:
            # A disk that is full now may have room later; a folder of others will not be ours.
            if not is_passing(wrong):
                raise
        self._diversity = Diversity()
        self._recorded = self._alike = self._unreadable = self._seen = 0
        self._last: PredictionEvent | None = None

    def _open(self) -> Album:
        album = Album(self._folder, self._quota)
        if album.swept:
            self._tell(f"{self.name}: {album.swept} half-written pictures are swept away")
        if album.repaired_bytes:
            self._tell(f"{self.name}: the last line of its log was torn and is cut off")
        return album

    def handle(self, event: Event, frame: CapturedFrame | None = None) -> None:
        """Keep the frame, if it is wanted and new; a disk that takes nothing is waited for."""
        if isinstance(event, PredictionEvent):
            self._seen += 1
            self._last = event
        if frame is None or not self.is_on or not self._is_wanted(event):
            return
        assert isinstance(event, PredictionEvent | ChangeEvent | ShadowEvent)
        try:
            thumbnail = self._look_at(frame)
            if thumbnail is not None and not self._diversity.is_new(thumbnail):
                self._alike += 1
                return
            content = to_jpeg(frame)
        except PictureError:
            self._unreadable += 1
            return
        facts = self._facts_of(event)
        if self._outage.attempt(lambda: self._add(event.label, content, facts)):
            self._recorded += 1
            if thumbnail is not None:
                self._diversity.remember(thumbnail)

    def close(self) -> None:
        """Let go of the folder."""
        if self._album is not None:
            self._album.close()

    @property
    def counts(self) -> Mapping[str, int]:
        """What was kept, left out, deleted, and not taken by the disk."""
        return {
            "recorded": self._recorded,
            "alike": self._alike,
            "deleted": self._quota.deleted,
            "left": len(self._quota.left),
            "unreadable": self._unreadable,
            "errors": self._outage.missed,
        }

    def _is_wanted(self, event: Event) -> bool:
        settings = self._settings
        if settings.when == "changed":
            return isinstance(event, ChangeEvent)
        if settings.when == "disagreed":
            return isinstance(event, ShadowEvent)
        if not isinstance(event, PredictionEvent):
            return False
        if settings.when == "every":
            return (self._seen - 1) % settings.every == 0
        is_uncertain = event.label == UNKNOWN or event.score < settings.below
        return settings.when == "all" or is_uncertain

    def _look_at(self, frame: CapturedFrame) -> Thumbnail | None:
        if not self._settings.is_diverse or self._settings.when == "all":
            return None
        return to_thumbnail(pixels_of(frame))

    def _facts_of(self, event: PredictionEvent | ChangeEvent | ShadowEvent) -> dict[str, Any]:
        # A change says little of its own: the prediction of the same frame came just before it.
        is_told = self._last is not None and self._last.frame == event.frame
        facts = self._last.to_json() if is_told and self._last is not None else {}
        facts |= event.to_json()
        if "file" in facts:  # of a folder that was played; `file` is what is kept here
            facts["source_file"] = facts.pop("file")
        return {**facts, "event": "picture", "when": self._settings.when}

    def _add(self, label: str, content: bytes, facts: Mapping[str, Any]) -> None:
        if self._album is None:
            self._album = self._open()
        self._album.add(label, content, "jpg", facts)
        if len(self._quota.left) > self._told_left:
            if not self._told_left:
                self._tell(
                    f"{self.name}: pictures that are not as they were recorded stay, whatever the"
                    " quota is, and are not counted"
                )
            self._told_left = len(self._quota.left)


def to_jpeg(frame: CapturedFrame) -> bytes:
    """What the model looked at, at the camera's resolution, as a JPEG file.

    The camera's own bytes wherever they show just that; a frame that is turned, mirrored or cut
    is encoded again, so that training sees what the model sees.

    Raises:
        PictureError: The camera's own is cut off, or the pixels cannot be encoded.
    """
    if frame.jpeg and frame.view.is_plain and read_header(frame.jpeg).format == "JPEG":
        check_jpeg_end(frame.jpeg)
        return frame.jpeg
    if frame.jpeg:
        return encode_jpeg(frame.view.look(decode(frame.jpeg)))
    return encode_jpeg(pixels_of(frame))


def encode_jpeg(pixels: Frame) -> bytes:
    """Pixels as a JPEG of quality 95 without subsampled colours."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    if hasattr(cv2, "IMWRITE_JPEG_SAMPLING_FACTOR"):
        factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    picture = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    is_done, encoded = cv2.imencode(".jpg", picture, settings)
    if not is_done:
        raise PictureError("the frame cannot be encoded as JPEG")
    return encoded.tobytes()


def pixels_of(frame: CapturedFrame) -> Frame:
    """What the model looked at, decoded here if it was not yet."""
    return frame.view.look(decode(frame.jpeg)) if frame.pixels is None else frame.pixels
