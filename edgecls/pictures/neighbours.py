"""Which vectors of many are alike, without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Vectors: TypeAlias = npt.NDArray[np.float32]
Pairs: TypeAlias = npt.NDArray[np.int64]

_SEED: Final = 1
# Below it, comparing all with all takes well under a second.
_ALL_WITH_ALL: Final = 4096
_CELLS_VISITED: Final = 3
_BLOCK: Final = 1024


def find_alike(vectors: Vectors, least: float, most: int) -> Pairs:
    """Pairs of unit vectors whose product is high, of each vector with its nearest ones.

    Many vectors are first sorted into about as many cells as the square root of their number,
    around vectors drawn from themselves, so that crowded regions have more cells; each is then
    compared with the members of its three nearest cells. The work grows as N to the 1.5.

    Args:
        vectors: (N, D), of length 1.
        least: Product from which on two are alike.
        most: How many neighbours of each vector count.

    Returns:
        (M, 2), the lower index first, sorted, each pair once. Nearly all pairs above `least` (all
        of them up to 4,096 vectors) when none has more than `most` neighbours.
    """
    everything = np.arange(len(vectors))
    cells = iter([(everything, everything)]) if len(vectors) <= _ALL_WITH_ALL else _cells(vectors)
    found = [part for cell in cells for part in _compare(vectors, *cell, least, most)]
    if not found:
        return np.empty((0, 2), np.int64)
    pairs = np.concatenate([pairs for pairs, _ in found])
    products = np.concatenate([products for _, products in found])
    nearest = _first_of_each(pairs[:, 0], -products, most)
    return np.unique(np.sort(pairs[nearest], axis=1), axis=0)


def _first_of_each(owners: Pairs, ranks: Vectors, most: int) -> Pairs:
    """Indices of the `most` entries of each owner with the lowest ranks."""
    order = np.lexsort((ranks, owners))
    sorted_owners = owners[order]
    place = np.arange(len(order)) - np.searchsorted(sorted_owners, sorted_owners)
    return order[place < most]


def _cells(vectors: Vectors) -> Iterator[tuple[Pairs, Pairs]]:
    """For each cell the indices that look into it, and those that are in it."""
    count = len(vectors)
    random = np.random.default_rng(_SEED)
    centers = vectors[random.choice(count, int(np.sqrt(count)), replace=False)]
    nearest = np.empty((count, _CELLS_VISITED), np.int64)
    for start in range(0, count, _BLOCK):
        products = vectors[start : start + _BLOCK] @ centers.T
        best = np.argpartition(-products, _CELLS_VISITED, axis=1)[:, :_CELLS_VISITED]
        order = np.argsort(-np.take_along_axis(products, best, axis=1), axis=1)
        nearest[start : start + _BLOCK] = np.take_along_axis(best, order, axis=1)
    members = _group_by(nearest[:, 0], len(centers))
    queries = _group_by(nearest.reshape(-1), len(centers))
    for inside, looking in zip(members, queries, strict=True):
        yield looking // _CELLS_VISITED, inside


def _group_by(cells: Pairs, count: int) -> list[Pairs]:
    order = np.argsort(cells, kind="stable")
    return np.split(order, np.searchsorted(cells[order], np.arange(1, count)))


def _compare(
    vectors: Vectors, queries: Pairs, members: Pairs, least: float, most: int
) -> Iterator[tuple[Pairs, Vectors]]:
    """Pairs (query, member) and their products, of each query with its nearest members."""
    if len(members) < 1:
        return
    most = min(most + 1, len(members))  # one of them may be the query itself
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        products = vectors[block] @ vectors[members].T
        best = np.argpartition(-products, most - 1, axis=1)[:, :most]
        products = np.take_along_axis(products, best, axis=1)
        rows, columns = np.nonzero(products >= least)
        pairs = np.stack([block[rows], members[best[rows, columns]]], axis=1)
        is_other = pairs[:, 0] != pairs[:, 1]
        yield pairs[is_other], products[rows, columns][is_other]
