"""What frozen networks make of images: computed once, on the board's engine, and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.console import Advance, ShowProgress
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import ShapeError
from edgecls.imaging.prepare import prepare
from edgecls.pictures import PictureSet
from edgecls_train.backbones import build_trunk, weights_identity
from edgecls_train.backend import library_versions, load_keras
from edgecls_train.cache import cached_arrays
from edgecls_train.engine import Images, as_is, flipped, run_engine, to_flatbuffer
from edgecls_train.progress import no_progress
from edgecls_train.settings import Backbone

Features: TypeAlias = npt.NDArray[np.float32]

DEFAULT_BACKBONE: Final = Backbone(name="efficientnet-lite0")
DEFAULT_SIDE: Final = 224
_VIEWS: Final = {"as is": as_is, "flipped": flipped}


class FrozenNetwork:
    """A network that training leaves alone.

    Args:
        model: Keras model: float32 (N, height, width, channels) with 0..255 -> some tensors, of
            different shapes.
        identity: What tells its weights and outputs from those of any other.
    """

    def __init__(self, model: Any, identity: str) -> None:
        self._model = model
        self.identity = identity
        self.shapes = [tuple(tensor.shape[1:]) for tensor in model.outputs]

    @cached_property
    def flatbuffer(self) -> bytes:
        """For the engine; made when it is first needed."""
        return to_flatbuffer(self._model)


def extract_features(
    pictures: Images | PictureSet,
    progress: ShowProgress = no_progress,
    *,
    backbone: Backbone = DEFAULT_BACKBONE,
) -> Features:
    """Features of pictures that tell what is seen in them: alike for pictures that are alike.

    Args:
        pictures: uint8 images (N, height, width, 3 or 1) from `prepare`, or pictures, which are
            then prepared at 224x224.
        progress: Shows how far it is.
        backbone: With ImageNet weights.

    Returns:
        (N, features), read-only.

    Raises:
        NotInstalledError: The backbone's weights are not installed.
        PictureError: One of the pictures cannot be read.
        ShapeError: The images are not as described.
    """
    images = pictures if isinstance(pictures, np.ndarray) else _prepare_all(pictures)
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[3] not in (1, 3):
        raise ShapeError(
            f"images are uint8 (N, height, width, 3 or 1), these are {images.dtype} {images.shape}"
        )
    in_color = np.broadcast_to(images, (*images.shape[:3], 3))
    trunk = build_trunk(backbone, in_color.shape[1:])
    network = FrozenNetwork(
        load_keras().Model(trunk.image, trunk.features), f"{weights_identity(backbone)} features"
    )
    (features,) = compute(network, in_color, ["as is"], [np.dtype(np.float32)], progress)
    found: Features = features[0]
    return found


def compute(
    network: FrozenNetwork,
    images: Images,
    views: Sequence[str],
    dtypes: Sequence[npt.DTypeLike],
    progress: ShowProgress = no_progress,
) -> list[npt.NDArray[Any]]:
    """Run a frozen network over views of images, or find what it gave the last time.

    Args:
        network: What to run.
        images: (N, height, width, channels).
        views: `as is`, `flipped`.
        dtypes: To keep each output in; float16 halves what feature maps take on disk.
        progress: Shows how far it is.

    Returns:
        For each output (views, N, ...), read-only.
    """
    key = _key(network, images, views, dtypes)
    shapes = [(len(views), len(images), *shape) for shape in network.shapes]

    def fill(arrays: Sequence[npt.NDArray[Any]]) -> None:
        flatbuffer = network.flatbuffer  # before any progress is shown: it silences stderr
        with progress("computing features", len(views) * len(images)) as advance:
            for number, view in enumerate(views):
                run_engine(
                    flatbuffer,
                    images,
                    [array[number] for array in arrays],
                    _shifted(advance, number * len(images)),
                    _VIEWS[view],
                )

    return cached_arrays(key, list(zip(shapes, dtypes, strict=True)), fill)


def _shifted(advance: Advance, before: int) -> Advance:
    def shifted(done: int, note: str = "") -> None:
        advance(before + done, note)

    return shifted


def _key(
    network: FrozenNetwork,
    images: Images,
    views: Sequence[str],
    dtypes: Sequence[npt.DTypeLike],
) -> str:
    digest = hashlib.sha256()
    settings = (network.identity, network.shapes, images.shape, views, library_versions())
    digest.update(repr((settings, [np.dtype(dtype).str for dtype in dtypes])).encode())
    for image in images:
        digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _prepare_all(pictures: PictureSet) -> Images:
    preprocessing = Preprocessing(size=(DEFAULT_SIDE, DEFAULT_SIDE))
    images = np.empty((len(pictures), *preprocessing.shape), np.uint8)
    for index in range(len(pictures)):
        prepare(pictures.load_frame(index), preprocessing, images[index])
    return images
