"""Whether two small pictures show the same, whatever was done to their brightness and edges.

Candidates correlate on 8x8 pixels. They are then laid over each other (enhanced correlation
coefficient; for pictures of at least 32 pixels, since simple shapes smaller than that can all be
laid over each other), freed of brightness and contrast, and compared block by block: the largest
difference of any block decides, in units of the picture's own contrast. A copy differs nowhere;
another picture of the same kind differs somewhere. On 4,167 pictures of CIFAR-10 all pairs below
0.63 were copies and none above it; on all 60,000 none of 1,410 pairs below 0.5 has two labels.

How much difference a copy may have depends on the pictures: two red balls on black paper can be
laid over each other though they were taken a day apart. The limit is 0.5 where at least 44 of the
64 blocks show details, and falls to 0.05 at 24; and it is at most a quarter of what is usual in the
set between a picture and the fourth most like it, since boots all look the same.

Source:
    Evangelidis and Psarakis 2008, "Parametric image alignment using enhanced correlation
    coefficient maximization" (doi:10.1109/TPAMI.2008.113).
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.contract.preprocessing import Preprocessing
from edgecls.imaging.opencv import cv2
from edgecls.pictures.ahead import in_order
from edgecls.pictures.neighbours import find_alike

Thumbnails: TypeAlias = npt.NDArray[np.uint8]
Positions: TypeAlias = npt.NDArray[np.int64]
_Floats: TypeAlias = npt.NDArray[np.float32]
_Differences: TypeAlias = npt.NDArray[np.float64]

# All of the picture, whatever its shape.
THUMBNAIL: Final = Preprocessing(size=(32, 32), crop="stretch")
_SIDE: Final = THUMBNAIL.size[0]
_COARSE_SIDE: Final = 8
# Cropping by 5% at one corner leaves 0.85 on 95 of 100 photos; what cannot be moved is not cropped.
_COARSE_LEAST: Final = 0.85
_COARSE_LEAST_IN_PLACE: Final = 0.95
_NEIGHBOURS: Final = 4
# Gray levels; below it only noise is left to compare.
_LEAST_CONTRAST: Final = 2.0
_MIN_SIDE_TO_ALIGN: Final = 32
# Of the thumbnail's 32 pixels: crops and shifts of up to an eighth.
_MOST_MOVED: Final = 4.0
_LIMIT_RANGE: Final = (0.05, 0.5)
_LIMIT_SHARE: Final = 0.25
# Blocks of 64. Digits have 16 to 33, clothes 22 to 46, photos 29 to 63 (5 to 95% of each set).
_DETAIL_RANGE: Final = (24.0, 44.0)
_DETAIL_DEVIATION: Final = 0.15
_NOTHING_ALIKE: Final = 2.0
_PAIRS_AT_ONCE: Final = 128
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_ECC_STOP: Final = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT
# Steps, and the correlation to be reached by them: most pairs that do not fit are given up early.
_ECC_ROUNDS: Final = (((_ECC_STOP, 4, 1e-4), 0.8), ((_ECC_STOP, 26, 1e-4), 0.9))


def find_copies(thumbnails: Thumbnails, sizes: npt.NDArray[np.int32]) -> Positions:
    """Pairs of pictures that show the same: equal thumbnails, and near duplicates; (M, 2).

    Args:
        thumbnails: uint8 RGB (N, 32, 32, 3), made with `THUMBNAIL`.
        sizes: (N, 2), of the pictures they were made of.
    """
    same = equal_pairs(thumbnails)
    rest = np.setdiff1d(np.arange(len(thumbnails)), same[:, 1])
    return np.concatenate([same, rest[alike_pairs(thumbnails, sizes, rest)].reshape(-1, 2)])


def equal_pairs(rows: npt.NDArray[np.uint8]) -> Positions:
    """Each row (N, ...) with the first one that equals it: (M, 2)."""
    if not len(rows):
        return np.empty((0, 2), np.int64)
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1))
    keys = flat.view(np.dtype((np.void, flat.shape[1]))).reshape(-1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    firsts = first[inverse.reshape(-1)]
    later = np.flatnonzero(firsts != np.arange(len(rows)))
    return np.stack([firsts[later], later], axis=1).astype(np.int64)


def alike_pairs(
    thumbnails: Thumbnails, sizes: npt.NDArray[np.int32], positions: Positions
) -> Positions:
    """Pairs of near duplicates, as indices into `positions`: (M, 2).

    Args:
        thumbnails: uint8 RGB (N, 32, 32, 3), no two equal ones at `positions`.
        sizes: (N, 2), of the pictures they were made of.
        positions: Which to compare.
    """
    vectors, contrast = _coarse(thumbnails, positions)
    usable = np.flatnonzero(contrast >= _LEAST_CONTRAST)
    pairs = usable[find_alike(vectors[usable], _COARSE_LEAST, _NEIGHBOURS)]
    is_large = sizes[positions].min(axis=1, initial=2**31 - 1) >= _MIN_SIDE_TO_ALIGN
    coarse = (vectors[pairs[:, 0]] * vectors[pairs[:, 1]]).sum(axis=1)
    can_align = is_large[pairs].all(axis=1)
    is_worth_it = can_align | (coarse >= _COARSE_LEAST_IN_PLACE)
    pairs, can_align = pairs[is_worth_it], can_align[is_worth_it]
    differences = np.empty(len(pairs), np.float64)
    where = positions[pairs]
    differences[~can_align] = _compare_in_place(thumbnails, where[~can_align])
    differences[can_align] = _compare_aligned(thumbnails, where[can_align])
    is_close = differences <= _limit_of_set(pairs, differences, len(usable))
    pairs, differences = pairs[is_close], differences[is_close]
    limits = [_limit_of_detail(thumbnails[positions[pair]]) for pair in pairs]
    alike: Positions = pairs[differences <= np.array(limits, np.float64)]
    return alike


def difference(first: Thumbnails, second: Thumbnails, *, may_align: bool) -> float:
    """The largest difference of two thumbnails in any of 8x8 blocks, in units of their contrast.

    Args:
        first: uint8 RGB, (32, 32, 3).
        second: The same.
        may_align: Whether they may be shifted and scaled to fit.

    Returns:
        0 for copies, around 1 and more for others; infinite when they do not fit at all.
    """
    moved, is_covered = second, np.ones((_SIDE, _SIDE), bool)
    if may_align:
        warp = _find_warp(_gray(first), _gray(second))
        if warp is None:
            return float("inf")
        moved, is_covered = _move(second, warp)
    delta = _normalize(_blur(first), is_covered) - _normalize(_blur(moved), is_covered)
    delta[~is_covered] = 0.0
    return float(_largest_block(delta[None])[0])


def _compare_aligned(thumbnails: Thumbnails, pairs: Positions) -> _Differences:
    def compare(number: int) -> list[float]:
        part = pairs[number * _PAIRS_AT_ONCE : (number + 1) * _PAIRS_AT_ONCE]
        return [difference(thumbnails[a], thumbnails[b], may_align=True) for a, b in part]

    parts = range(-(-len(pairs) // _PAIRS_AT_ONCE))
    return np.array([value for part in in_order(compare, parts) for value in part], np.float64)


def _compare_in_place(thumbnails: Thumbnails, pairs: Positions) -> _Differences:
    """`difference` of many pairs that may not be moved, without the blur."""

    def compare(number: int) -> _Differences:
        part = pairs[number * _PAIRS_AT_ONCE : (number + 1) * _PAIRS_AT_ONCE]
        first, second = (_normalize_all(thumbnails[part[:, side]]) for side in (0, 1))
        return _largest_block(first - second)

    parts = range(-(-len(pairs) // _PAIRS_AT_ONCE))
    return np.concatenate([np.empty(0), *in_order(compare, parts)])


def _largest_block(delta: _Floats) -> _Differences:
    """The root mean square of each block, the largest of each picture: (M,)."""
    block = _SIDE // _COARSE_SIDE
    squares = np.square(delta).reshape(-1, _COARSE_SIDE, block, _COARSE_SIDE, block, 3)
    largest: _Floats = squares.mean(axis=(2, 4, 5)).max(axis=(1, 2))
    return np.asarray(np.sqrt(largest), np.float64)


def _normalize_all(thumbnails: Thumbnails) -> _Floats:
    pixels = thumbnails.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    contrast: _Floats = np.sqrt(np.square(pixels).mean(axis=(1, 2, 3), keepdims=True))
    return np.asarray(pixels / np.maximum(contrast, 1e-6), np.float32)


def correlate(thumbnails: Thumbnails, first: Positions, second: Positions) -> _Floats:
    """Correlation of thumbnails in pairs, over all pixels and colours: (M,), -1 to 1."""
    result = np.empty(len(first), np.float32)
    for start in range(0, len(first), 1024):
        part = slice(start, start + 1024)
        a, b = (_to_unit(thumbnails[where[part]])[0] for where in (first, second))
        result[part] = (a * b).sum(axis=1)
    return result


def _coarse(thumbnails: Thumbnails, positions: Positions) -> tuple[_Floats, _Floats]:
    """Unit vectors of 8x8 gray pixels, (n, 64), and the contrast of each in gray levels."""
    vectors = np.empty((len(positions), _COARSE_SIDE**2), np.float32)
    contrast = np.empty(len(positions), np.float32)
    block = _SIDE // _COARSE_SIDE
    for start in range(0, len(positions), 1024):
        part = slice(start, start + 1024)
        gray = thumbnails[positions[part]].astype(np.float32) @ _LUMA
        small = gray.reshape(-1, _COARSE_SIDE, block, _COARSE_SIDE, block).mean(axis=(2, 4))
        vectors[part], contrast[part] = _to_unit(small)
    return vectors, contrast


def _to_unit(pixels: npt.NDArray[np.generic]) -> tuple[_Floats, _Floats]:
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(length, 1e-6), length[:, 0] / np.float32(np.sqrt(flat.shape[1]))


def _limit_of_set(pairs: Positions, differences: _Differences, count: int) -> float:
    """From which difference on two of `count` pictures are no copies."""
    owners = pairs.T.reshape(-1)
    values = np.concatenate([differences, differences])
    order = np.lexsort((values, owners))
    owners, values = owners[order], values[order]
    place = np.arange(len(owners)) - np.searchsorted(owners, owners)
    fourth = np.minimum(values[place == _NEIGHBOURS - 1], _NOTHING_ALIKE)
    lonely = np.full(max(0, count - len(fourth)), _NOTHING_ALIKE)
    usual = np.median(np.concatenate([fourth, lonely])) if count else _NOTHING_ALIKE
    return float(np.clip(_LIMIT_SHARE * usual, *_LIMIT_RANGE))


def _limit_of_detail(pair: Thumbnails) -> float:
    """From which difference on two pictures (2, 32, 32, 3) are no copies: the plainer, the less."""
    details = [_count_detailed(thumbnail) for thumbnail in pair]
    return float(np.interp(min(details), _DETAIL_RANGE, _LIMIT_RANGE))


def _count_detailed(thumbnail: Thumbnails) -> int:
    """How many of the 8x8 blocks show more than one even colour."""
    pixels = _normalize(_blur(thumbnail), np.ones((_SIDE, _SIDE), bool))
    block = _SIDE // _COARSE_SIDE
    blocks = pixels.reshape(_COARSE_SIDE, block, _COARSE_SIDE, block, 3)
    deviation = np.sqrt(blocks.var(axis=(1, 3)).mean(axis=2))
    return int((deviation > _DETAIL_DEVIATION).sum())


def _blur(thumbnail: Thumbnails) -> _Floats:
    return cv2.GaussianBlur(thumbnail.astype(np.float32), (0, 0), 0.8).astype(np.float32)


def _gray(thumbnail: Thumbnails) -> _Floats:
    return np.asarray(_blur(thumbnail) @ _LUMA, np.float32)


def _find_warp(first: _Floats, second: _Floats) -> _Floats | None:
    """The affine map that lays `second` over `first`, if there is a small one that fits."""
    warp: npt.NDArray[Any] = np.eye(2, 3, dtype=np.float32)
    everywhere = np.ones((_SIDE, _SIDE), np.uint8)
    try:
        for steps, least in _ECC_ROUNDS:
            fit, warp = cv2.findTransformECC(
                first, second, warp, cv2.MOTION_AFFINE, steps, everywhere, 1
            )
            if fit < least:
                return None
    except cv2.error:  # it does not converge: they do not fit
        return None
    edge = _SIDE - 1.0
    corners = np.array([[0, 0, 1], [edge, 0, 1], [0, edge, 1], [edge, edge, 1]])
    moved = np.abs(corners @ warp.T - corners[:, :2]).max()
    return warp.astype(np.float32) if moved <= _MOST_MOVED else None


def _move(thumbnail: Thumbnails, warp: _Floats) -> tuple[Thumbnails, npt.NDArray[np.bool_]]:
    """The moved thumbnail, and which of its pixels come from within."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(
        thumbnail, warp, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    covered = cv2.warpAffine(np.ones((_SIDE, _SIDE), np.float32), warp, (_SIDE, _SIDE), flags=flags)
    return moved.astype(np.uint8), covered > 0.99


def _normalize(pixels: _Floats, is_covered: npt.NDArray[np.bool_]) -> _Floats:
    """Free of brightness (in each colour) and of contrast (in all together)."""
    centered = pixels - pixels[is_covered].mean(axis=0)
    contrast = max(float(centered[is_covered].std()), 1e-6)
    return np.asarray(centered / contrast, np.float32)
