"""Each picture looked at once: a thumbnail, how it looks in small, and what a model says of it."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from edgecls.collect.folder import read_inside
from edgecls.collect.gallery import Gallery
from edgecls.collect.index import Index, Picture
from edgecls.collect.look import look_at
from edgecls.console import ShowProgress
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import FrameFailedError, PictureError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.prepare import prepare
from edgecls.imaging.scaled import decode_scaled
from edgecls.pictures.alike import THUMBNAIL
from edgecls.pictures.folder import MAX_PICTURE_BYTES
from edgecls.review.found import NOTHING, Found, Guess
from edgecls.runtimes.failures import Failures

if TYPE_CHECKING:
    from edgecls.classifier import Classifier

# More than anybody reviews in one sitting; a Pi looks at so many in half a minute or two.
MOST_AT_ONCE: Final = 5000
# Large enough for a thumbnail on the page.
_SMALL: Final = Preprocessing(size=(160, 160), crop="pad")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture to decide about."""

    picture: Picture
    guess: Guess


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was found in the pictures.

    Args:
        candidates: Those that can be read.
        thumbnails: uint8 RGB (N, 32, 32, 3), one a candidate.
        sizes: (N, 2), of the pictures.
        unreadable: What was wrong with each of the others, or went wrong when the model saw it.
    """

    candidates: tuple[Candidate, ...]
    thumbnails: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int32]
    unreadable: tuple[str, ...]


def read_picture(root: Path, name: str) -> bytes:
    """A file below a folder, through no link.

    Raises:
        OSError: It is gone, a link, no file, leads outside, or is too large for a picture.
    """
    return read_inside(root, name, MAX_PICTURE_BYTES)


def look_at_all(
    found: Found, gallery: Gallery, classifier: Classifier | None, progress: ShowProgress
) -> Seen:
    """Read every picture.

    Args:
        found: Which.
        gallery: Takes the thumbnails.
        classifier: A model to ask; None to take what was said when they were recorded.
        progress: Shows how far it is.

    Raises:
        EngineError: The model fails on very many pictures in a row.
    """
    eyes = _Eyes(found, gallery, classifier)
    unreadable: list[str] = []
    failures = Failures()
    with progress("looking at the pictures", len(found.names)) as advance:
        for done, name in enumerate(found.names, start=1):
            try:
                eyes.look(name)
                failures.end()
            except FrameFailedError as failed:
                unreadable.append(f"{name}: {failed.problem}")
                failures.add(failed, classifier.model.name if classifier else "")
            except (PictureError, OSError) as wrong:
                reason = wrong.problem if isinstance(wrong, PictureError) else wrong.strerror
                unreadable.append(f"{name}: {reason}")
            advance(done)
    shape = (-1, *THUMBNAIL.size, 3)
    return Seen(
        tuple(eyes.candidates),
        np.array(eyes.thumbnails, np.uint8).reshape(shape),
        np.array(eyes.sizes, np.int32).reshape(-1, 2),
        tuple(unreadable),
    )


class _Eyes:
    """Looks at one picture after the other."""

    def __init__(self, found: Found, gallery: Gallery, classifier: Classifier | None) -> None:
        self.candidates: list[Candidate] = []
        self.thumbnails: list[Frame] = []
        self.sizes: list[tuple[int, int]] = []
        self._found = found
        self._gallery = gallery
        self._classifier = classifier
        self._index = Index()

    def look(self, name: str) -> None:
        """Take in a picture.

        Raises:
            PictureError: It cannot be read, or takes too long.
            FrameFailedError: The model fails on it.
            OSError: It is gone.
        """
        root, classifier = self._found.root, self._classifier
        pixels = self._gallery.decode(name, functools.partial(_decode, root, name, classifier))
        status = os.stat(root / name, follow_symlinks=False)
        guess = self._found.guesses.get(name, NOTHING)
        said = _ask(classifier, pixels, guess)
        thumbnail = prepare(pixels, THUMBNAIL)
        picture = self._index.add(name, status.st_size, status.st_mtime_ns, guess.burst)
        self._gallery.add(picture, pixels, look_at(pixels))
        self.candidates.append(Candidate(picture, said))
        self.thumbnails.append(thumbnail)
        self.sizes.append((pixels.shape[0], pixels.shape[1]))


def _decode(root: Path, name: str, classifier: Classifier | None) -> Frame:
    content = read_picture(root, name)
    # A model gets all pixels; for a look at it a small picture will do.
    return decode_scaled(content, _SMALL) if classifier is None else decode(content)


def _ask(classifier: Classifier | None, pixels: Frame, said: Guess) -> Guess:
    if classifier is None:
        return said
    best, *others = classifier.top(classifier.classify(pixels).scores, 2)
    margin = best.score - (others[0].score if others else 0.0)
    return dataclasses.replace(said, label=best.label, score=best.score, margin=margin)


def reader(root: Path) -> Callable[[Picture], bytes]:
    """How a gallery reads pictures of a folder."""
    return lambda picture: read_picture(root, picture.name)


def labels_of(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """What was guessed, the most frequent first."""
    counts: dict[str, int] = {}
    for candidate in candidates:
        if candidate.guess.label:
            counts[candidate.guess.label] = counts.get(candidate.guess.label, 0) + 1
    return tuple(sorted(counts, key=lambda label: (-counts[label], label)))
