"""Training on what others have learned: the head on cached features, then the upper blocks.

Nothing below the first trained block changes, so what comes out of it is computed once for every
picture and its mirror image, on the board's engine, and an epoch only runs what is trained.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.console import ShowProgress
from edgecls.errors import RecipeError
from edgecls_train.backbones import add_classes, build_trunk, need_backbone, weights_identity
from edgecls_train.backbones.structure import Trunk
from edgecls_train.backend import load_keras, make_repeatable
from edgecls_train.checkpoint import FIRST_STAGE, Checkpoints
from edgecls_train.dataset import Dataset
from edgecls_train.features import FrozenNetwork, compute
from edgecls_train.feed import Answers, Batch, draw_order
from edgecls_train.fit import Epoch, train_epochs
from edgecls_train.losses import needs_shares, to_shares
from edgecls_train.network import compile_network
from edgecls_train.progress import no_progress
from edgecls_train.recipe import Augmentation, Recipe
from edgecls_train.settings import ALL, HEAD, READY, Backbone
from edgecls_train.split import Split

OnEpoch: TypeAlias = Callable[[Epoch], None]
_PREDICT_BATCH: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """What a stage trains on: one array of features a view, (views, N, ...), and the classes."""

    train: npt.NDArray[Any]
    train_targets: npt.NDArray[np.int64]
    val: npt.NDArray[Any]
    val_targets: npt.NDArray[np.int64]


def is_transfer(recipe: Recipe) -> bool:
    """Whether a recipe leaves a part of a backbone alone, so that its features can be kept."""
    return recipe.backbone is not None and recipe.backbone.finetune not in (ALL, READY)


def fit_transfer(
    dataset: Dataset,
    split: Split,
    recipe: Recipe,
    on_epoch: OnEpoch = lambda _: None,
    progress: ShowProgress = no_progress,
) -> tuple[Any, tuple[Epoch, ...]]:
    """Train the head of a pretrained network, then its upper blocks; see `Transfer`."""
    return Transfer(dataset, split, recipe, progress).fit(on_epoch)


class Transfer:
    """A training on features, which are computed when it is made.

    Args:
        dataset: The pictures, as images.
        split: What each is for.
        recipe: With a pretrained backbone whose `finetune` is `head` or the number of a block.
        progress: Shows how far the features are.

    Raises:
        RecipeError: The backbone has no such block or no weights, or the recipe wants images
            changed in a way that cached features cannot be.
        NotInstalledError: The backbone's weights are not on this machine.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        recipe: Recipe,
        progress: ShowProgress = no_progress,
    ) -> None:
        backbone = need_backbone(recipe)
        _refuse_random_features(backbone)
        _refuse_changed_images(recipe.augmentation)
        make_repeatable(recipe.seed)
        trunk = build_trunk(backbone, recipe.preprocessing.shape)
        entry = find_entry(trunk, backbone)
        self._model = add_classes(trunk, len(dataset.labels), backbone.dropout)
        upper, head = _compute_inputs(trunk, entry, dataset, split, recipe, progress)
        self._stages = _make_stages(trunk, entry, upper, head, recipe)
        self._seed = recipe.seed

    @property
    def epochs(self) -> int:
        """Of all stages together, if none ends early."""
        return sum(stage.recipe.epochs for stage in self._stages)

    def fit(
        self, on_epoch: OnEpoch = lambda _: None, checkpoints: Checkpoints | None = None
    ) -> tuple[Any, tuple[Epoch, ...]]:
        """Train; the weights of the last epoch are kept, as by `fit.fit`.

        Args:
            on_epoch: Told of each epoch; those of the head come first.
            checkpoints: Where to go on from and to save to, each stage under its own name.

        Returns:
            One Keras model from raw pixels to scores, and one entry an epoch.

        Raises:
            RecipeError: The loss became infinite or no number.
            EdgeclsError: A checkpoint cannot be written.
        """
        make_repeatable(self._seed)
        history: tuple[Epoch, ...] = ()
        for number, stage in enumerate(self._stages, start=1):
            is_last = number == len(self._stages)
            if is_last:
                _freeze_norms(self._model)
            of_stage = checkpoints
            if checkpoints is not None and not is_last:
                of_stage = checkpoints.of_stage(FIRST_STAGE)
            number_from = functools.partial(_numbered, before=len(history))
            history += stage.train(self._model, number_from, on_epoch, of_stage)
        return self._model, history


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """Training of everything above one place in the network."""

    entry: Any
    inputs: _Inputs
    recipe: Recipe

    def train(
        self,
        model: Any,
        renumbered: Callable[[Epoch], Epoch],
        on_epoch: OnEpoch,
        checkpoints: Checkpoints | None,
    ) -> tuple[Epoch, ...]:
        recipe, inputs = self.recipe, self.inputs
        classes = int(model.output.shape[-1])
        upper = load_keras().Model(self.entry, model.output)
        compile_network(upper, recipe, math.ceil(len(inputs.train_targets) / recipe.batch_size))
        history = train_epochs(
            upper,
            recipe,
            lambda number: _epoch_batches(inputs, recipe, classes, number),
            lambda: _val_batches(inputs, recipe, classes),
            lambda epoch: on_epoch(renumbered(epoch)),
            checkpoints,
        )
        return tuple(map(renumbered, history))


def _make_stages(
    trunk: Trunk, entry: Any | None, upper: _Inputs, head: _Inputs, recipe: Recipe
) -> list[_Stage]:
    """The head, and then what is above the entry, if there is one."""
    if entry is None:
        return [_Stage(trunk.features, head, recipe)]
    backbone = need_backbone(recipe)
    stages = [_Stage(entry, upper, _upper_recipe(recipe, backbone))]
    if backbone.head_epochs:
        stages.insert(0, _Stage(trunk.features, head, _head_recipe(recipe, backbone)))
    return stages


def _numbered(epoch: Epoch, before: int) -> Epoch:
    return dataclasses.replace(epoch, epoch=epoch.epoch + before)


def find_entry(trunk: Trunk, backbone: Backbone) -> Any | None:
    """Where training begins: what flows into the first trained block; None for the head alone.

    Raises:
        RecipeError: There is no such block.
    """
    if backbone.finetune == HEAD:
        return None
    if not trunk.entries:
        raise RecipeError(
            f"the blocks of {backbone.name!r} have no numbers, finetune is {backbone.finetune!r}",
            hint="set finetune to 'head' or 'all'",
        )
    number = int(backbone.finetune)
    if number >= len(trunk.entries):
        raise RecipeError(
            f"finetune {number}: the blocks of {backbone.name!r} are 0 to {len(trunk.entries) - 1}",
            hint="a smaller number trains more of the network",
        )
    return trunk.entries[number]


def _refuse_random_features(backbone: Backbone) -> None:
    if backbone.weights == "none":
        raise RecipeError(
            f"finetune {backbone.finetune!r} would leave random weights of {backbone.name!r} as"
            " they are",
            hint="set finetune to 'all', or weights to 'imagenet'",
        )


def _refuse_changed_images(augmentation: Augmentation) -> None:
    if augmentation != Augmentation(flip=augmentation.flip):
        raise RecipeError(
            "only flip goes with cached features: any other change of an image would send it"
            " through the whole network in every epoch",
            hint="leave the rest of [augmentation] out, or set finetune to 'all', which is slow",
        )


def _compute_inputs(
    trunk: Trunk,
    entry: Any | None,
    dataset: Dataset,
    split: Split,
    recipe: Recipe,
    progress: ShowProgress,
) -> tuple[_Inputs, _Inputs]:
    """What the upper blocks and what the head are trained on; the same for a head alone."""
    backbone = need_backbone(recipe)
    outputs = [trunk.features] if entry is None else [entry, trunk.features]
    network = FrozenNetwork(
        load_keras().Model(trunk.image, outputs),
        f"{weights_identity(backbone)} {backbone.finetune}",
    )
    # Half precision is far finer than the noise that training lives on.
    dtypes = [np.float16] * (len(outputs) - 1) + [np.float32]
    views = ["as is", "flipped"] if recipe.augmentation.flip else ["as is"]
    train = compute(network, dataset.images[split.train], views, dtypes, progress)
    val = compute(network, dataset.images[split.val], ["as is"], dtypes, progress)
    targets = dataset.targets[split.train], dataset.targets[split.val]
    upper, head = (
        _Inputs(train[place], targets[0], val[place][0], targets[1]) for place in (0, -1)
    )
    return upper, head


def _head_recipe(recipe: Recipe, backbone: Backbone) -> Recipe:
    epochs = backbone.head_epochs
    warmup = min(recipe.optimizer.warmup_epochs, epochs)
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        optimizer=dataclasses.replace(recipe.optimizer, warmup_epochs=warmup),
    )


def _upper_recipe(recipe: Recipe, backbone: Backbone) -> Recipe:
    rate = backbone.finetune_learning_rate
    return dataclasses.replace(
        recipe, optimizer=dataclasses.replace(recipe.optimizer, learning_rate=rate)
    )


def _freeze_norms(model: Any) -> None:
    """Keep the means and variances of ImageNet: those of a few batches are worse."""
    keras = load_keras()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _epoch_batches(inputs: _Inputs, recipe: Recipe, classes: int, number: int) -> Iterator[Batch]:
    """Every epoch in a new order, every picture by one of its views."""
    views, count = inputs.train.shape[:2]
    answers = Answers(recipe, inputs.train_targets, classes)
    order = draw_order(inputs.train_targets, recipe, number)
    random = np.random.default_rng((recipe.seed, number, 1))
    chosen_view: npt.NDArray[np.int64] = random.integers(0, views, (count,))
    for start in range(0, count, recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        features = inputs.train[chosen_view[chosen], chosen]
        yield answers.batch(features.astype(np.float32), inputs.train_targets[chosen])


def _val_batches(inputs: _Inputs, recipe: Recipe, classes: int) -> Iterator[Batch]:
    for start in range(0, len(inputs.val_targets), _PREDICT_BATCH):
        targets = inputs.val_targets[start : start + _PREDICT_BATCH]
        answers = to_shares(targets, classes) if needs_shares(recipe) else targets
        features = inputs.val[start : start + _PREDICT_BATCH]
        yield Batch(features.astype(np.float32), answers)
