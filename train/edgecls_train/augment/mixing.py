"""Images made of two, with both answers: mixup and cutmix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgecls_train.recipe import Augmentation

Batch = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float32]


def mix(
    images: Batch, shares: Shares, augmentation: Augmentation, random: np.random.Generator
) -> tuple[Batch, Shares]:
    """Make every image of itself and another one of the batch.

    With both mixup and cutmix on, each batch gets one of them, by a coin.

    Args:
        images: (N, height, width, channels), 0 to 255; not changed.
        shares: (N, classes), how much of each class is in each image; not changed.
        augmentation: One that is mixing.
        random: Drawn from alike for both.

    Returns:
        Images and shares of the same shapes.
    """
    others = random.permutation(len(images))
    is_mixup = random.random() < (0.5 if augmentation.cutmix and augmentation.mixup else 1.0)
    if is_mixup and augmentation.mixup:
        kept = random.beta(augmentation.mixup, augmentation.mixup, len(images))
        return mixup(images, shares, others, kept.astype(np.float32))
    kept = random.beta(augmentation.cutmix, augmentation.cutmix, len(images))
    return cutmix(images, shares, others, kept, random.random((len(images), 2)))


def mixup(
    images: Batch, shares: Shares, others: npt.NDArray[np.int64], kept: npt.NDArray[np.float32]
) -> tuple[Batch, Shares]:
    """Blend each image with another: `kept` (N,) of itself, the rest of image `others` (N,).

    Source:
        Zhang et al. 2018, "mixup: beyond empirical risk minimization" (arXiv:1710.09412).
    """
    weight = kept[:, None, None, None]
    blended = weight * images + (1.0 - weight) * images[others]
    return blended, _blend_shares(shares, others, kept)


def cutmix(
    images: Batch,
    shares: Shares,
    others: npt.NDArray[np.int64],
    kept: npt.NDArray[np.float64],
    middles: npt.NDArray[np.float64],
) -> tuple[Batch, Shares]:
    """Paste a rectangle of another image into each one, at the same place.

    Args:
        images: (N, height, width, channels).
        shares: (N, classes).
        others: (N,), whose rectangle each gets.
        kept: (N,), how much of the area stays, as long as the rectangle is all inside.
        middles: (N, 2), where its middle is: down and right, as shares of height and width.

    Source:
        Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers with
        localizable features" (arXiv:1905.04899).
    """
    _, height, width, _ = images.shape
    half = np.sqrt(1.0 - kept)[:, None] / 2.0
    corners = np.concatenate([middles - half, middles + half], axis=1).clip(0.0, 1.0)
    edges = (corners * (height, width, height, width)).round().astype(int)
    pasted = images.copy()
    for image, other, (top, left, bottom, right) in zip(pasted, others, edges, strict=True):
        image[top:bottom, left:right] = images[other, top:bottom, left:right]
    # What lies outside is not pasted, and whole pixels are: count what was.
    areas = (edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1])
    left_over = (1.0 - areas / (height * width)).astype(np.float32)
    return pasted, _blend_shares(shares, others, left_over)


def _blend_shares(
    shares: Shares, others: npt.NDArray[np.int64], kept: npt.NDArray[np.float32]
) -> Shares:
    return kept[:, None] * shares + (1.0 - kept[:, None]) * shares[others]
