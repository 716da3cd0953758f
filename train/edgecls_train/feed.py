"""The batches of an epoch: chosen, changed and made ready in threads, ahead of the step."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgecls_train.augment import augment, mix
from edgecls_train.dataset import Dataset
from edgecls_train.losses import class_weights, needs_shares, to_shares
from edgecls_train.recipe import Recipe
from edgecls_train.split import Positions

Images = npt.NDArray[np.float32]

# Ready batches that wait for the step; more would only take memory.
_AHEAD: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one training step takes.

    Args:
        images: float32 (batch, height, width, channels), 0 to 255.
        answers: int64 (batch,) class indices, or float32 (batch, classes) shares of each class.
        weights: float32 (batch,), how much each image counts; None when all count alike.
    """

    images: npt.NDArray[np.float32]
    answers: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32] | None = None


class Answers:
    """What the recipe's loss takes as the right answers, and how much each image counts.

    Args:
        recipe: Its loss, balance and mixing.
        targets: (N,), class indices of all training images.
        classes: How many there are.
    """

    def __init__(self, recipe: Recipe, targets: Positions, classes: int) -> None:
        self._recipe = recipe
        self._classes = classes
        is_weighted = recipe.loss.balance == "weights"
        self._weights = class_weights(targets, classes) if is_weighted else None

    def batch(
        self, images: Images, targets: Positions, random: np.random.Generator | None = None
    ) -> Batch:
        """A batch of float32 images (or features) and class indices; mixed if there is chance."""
        if not needs_shares(self._recipe):
            return Batch(images, targets, None if self._weights is None else self._weights[targets])
        shares = to_shares(targets, self._classes)
        if random is not None and self._recipe.augmentation.is_mixing:
            images, shares = mix(images, shares, self._recipe.augmentation, random)
        return Batch(images, shares, None if self._weights is None else shares @ self._weights)


class Feed:
    """Batches of training images: every epoch in a new order, every image changed anew.

    What batch k of epoch n holds depends on the recipe's seed, n and k alone: not on the batches
    before it, and not on the threads.

    Args:
        dataset: All pictures.
        positions: Those to train on.
        recipe: Decides order, batch size, augmentation and balance.
    """

    def __init__(self, dataset: Dataset, positions: Positions, recipe: Recipe) -> None:
        self._dataset = dataset
        self._positions = positions
        self._recipe = recipe
        self._answers = Answers(recipe, dataset.targets[positions], len(dataset.labels))

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self._positions) / self._recipe.batch_size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch, from 0, in order."""
        targets = self._dataset.targets[self._positions]
        order = self._positions[draw_order(targets, self._recipe, number)]
        size = self._recipe.batch_size

        def make(step: int) -> Batch:
            chosen = order[step * size : (step + 1) * size]
            # Step 0 would be the numbers that the order was drawn from.
            return self._make(chosen, np.random.default_rng((self._recipe.seed, number, step + 1)))

        return made_ahead(make, self.steps)

    def _make(self, chosen: Positions, random: np.random.Generator) -> Batch:
        images = self._dataset.images[chosen]
        if self._recipe.augmentation.is_active:
            images = augment(images, self._recipe.augmentation, random)
        return self._answers.batch(images.astype(np.float32), self._dataset.targets[chosen], random)


def draw_order(targets: Positions, recipe: Recipe, epoch: int) -> Positions:
    """In which order an epoch goes through the training images.

    Args:
        targets: (N,), their class indices.
        recipe: Its seed and its balance: with `sampling`, rare classes come repeatedly.
        epoch: From 0.

    Returns:
        (N,), positions in `targets`.
    """
    random = np.random.default_rng((recipe.seed, epoch))
    if recipe.loss.balance == "sampling":
        return _balanced_order(targets, random)
    return random.permutation(len(targets))


def plain_batches(
    dataset: Dataset, positions: Positions, recipe: Recipe, size: int
) -> Iterator[Batch]:
    """Images in order, unchanged and counting alike, with answers as the loss takes them."""
    for start in range(0, len(positions), size):
        chosen = positions[start : start + size]
        targets = dataset.targets[chosen]
        answers = to_shares(targets, len(dataset.labels)) if needs_shares(recipe) else targets
        yield Batch(dataset.images[chosen].astype(np.float32), answers)


def made_ahead(make: Callable[[int], Batch], count: int) -> Iterator[Batch]:
    """`make(0)` to `make(count - 1)` in order, a few of them made ahead in threads.

    OpenCV and NumPy compute beside the training step, which leaves Python idle.
    """
    workers = max(1, (os.cpu_count() or 1) // 2)
    pending: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(workers, "batches")
    try:
        for step in range(count):
            pending.append(pool.submit(make, step))
            if len(pending) >= workers + _AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _balanced_order(targets: Positions, random: np.random.Generator) -> Positions:
    """As many positions as before, but equally many of each class."""
    present = random.permutation(np.unique(targets))
    share, rest = divmod(len(targets), len(present))
    drawn = []
    for number, target in enumerate(present):
        members = np.flatnonzero(targets == target)
        count = share + (number < rest)
        # Whole rounds, so that no picture is seen twice before another was seen once.
        rounds = math.ceil(count / len(members))
        drawn += [random.permutation(members) for _ in range(rounds - 1)]
        drawn.append(random.permutation(members)[: count - (rounds - 1) * len(members)])
    return random.permutation(np.concatenate(drawn))
