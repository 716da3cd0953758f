"""The tables of a recipe: each a frozen dataclass that refuses nonsense when built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from edgecls.errors import RecipeError
from edgecls_train.knobs import check_knobs, choice, count, number, switch, text

Weights = Literal["imagenet", "none"]
OptimizerName = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "cosine"]
LossName = Literal["cross-entropy", "focal", "mse", "mae"]
Balance = Literal["none", "weights", "sampling"]

HEAD = "head"
ALL = "all"
READY = "nothing"
# Of Lin et al. 2017, and of no effect on the other losses.
FOCAL_GAMMA = 2.0


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network made by others, under a head of our own; see `backbones` for the names."""

    name: str = text("Network under the scores, such as mobilenet-v2.", flag="backbone")
    width: float = number(1.0, 0.1, 4.0, "Share of the backbone's channels.")
    weights: Weights = choice("imagenet", get_args(Weights), "What the backbone begins with.")
    dropout: float = number(0.2, 0.0, 0.95, "Share of the backbone's features dropped in training.")
    finetune: str = text(
        "What is trained: head, all, from block N on; nothing: its own classes stay.", HEAD
    )
    head_epochs: int = count(10, 0, 100_000, "Epochs of the head alone, before fine-tuning.")
    finetune_learning_rate: float = number(3e-4, 1e-9, 10.0, "Learning rate of fine-tuning.")

    def __post_init__(self) -> None:
        check_knobs(self, lambda name: f"backbone {name}" if name == "name" else name)
        if not self.name.strip() or not self.name.isprintable():
            raise RecipeError(f"backbone name {self.name!r} is not one line of text")
        if self.finetune not in (HEAD, ALL, READY) and not self.finetune.isdecimal():
            raise RecipeError(
                f"finetune {self.finetune!r} is neither 'head', 'all', 'nothing' nor the number of"
                " a block"
            )


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How the weights follow the gradients.

    `sgd` moves with momentum (Polyak 1964); `adam` is Kingma and Ba 2015, with the momentum as its
    beta 1; `adamw` also shrinks the weights (Loshchilov and Hutter 2019). A schedule of `cosine`
    falls to 0 by the last step; the warm-up before it rises in a line.
    """

    name: OptimizerName = choice(
        "adam", get_args(OptimizerName), "How the weights follow the gradients.", flag="optimizer"
    )
    learning_rate: float = number(1e-3, 1e-9, 10.0, "Largest learning rate of the schedule.")
    momentum: float = number(0.9, 0.0, 0.9999, "Share of the last step kept; Adam's beta 1.")
    weight_decay: float = number(
        0.0, 0.0, 1.0, "Times the rate: how much kernels shrink a step (sgd, adamw)."
    )
    schedule: Schedule = choice("constant", get_args(Schedule), "How the learning rate goes on.")
    warmup_epochs: int = count(0, 0, 100_000, "Epochs in which the learning rate rises.")

    def __post_init__(self) -> None:
        check_knobs(self, lambda name: f"optimizer {name}" if name == "name" else name)
        if self.name == "adam" and self.weight_decay:
            raise RecipeError(
                f"weight_decay {self.weight_decay} goes with sgd and adamw, not with adam",
                hint="choose adamw: it is Adam with weight decay",
            )
        if self.name == "adamw" and not self.weight_decay:
            raise RecipeError(
                "adamw without weight_decay is adam", hint="set weight_decay, 0.01 to begin with"
            )


@dataclass(frozen=True, slots=True)
class Loss:
    """What training makes small.

    `cross-entropy` is the textbook's sparse categorical cross-entropy; `focal` (Lin et al. 2017)
    looks at the hard images; `mse` and `mae` compare the scores with 0 and 1.
    """

    name: LossName = choice(
        "cross-entropy", get_args(LossName), "What training makes small.", flag="loss"
    )
    label_smoothing: float = number(
        0.0, 0.0, 0.9, "Share of the truth spread over all classes (cross-entropy, focal)."
    )
    focal_gamma: float = number(
        FOCAL_GAMMA, 0.0, 10.0, "How little the focal loss heeds images it gets right."
    )
    balance: Balance = choice(
        "none", get_args(Balance), "How classes of few pictures are made to count as much."
    )

    def __post_init__(self) -> None:
        check_knobs(self, lambda name: f"loss {name}" if name == "name" else name)
        if self.label_smoothing and self.name not in ("cross-entropy", "focal"):
            raise RecipeError(
                f"label_smoothing {self.label_smoothing} goes with cross-entropy and focal,"
                f" not with {self.name}"
            )
        if self.focal_gamma != FOCAL_GAMMA and self.name != "focal":
            raise RecipeError(
                f"focal_gamma {self.focal_gamma} goes with the loss focal, not with {self.name}"
            )


@dataclass(frozen=True, slots=True)
class Regularization:
    """What keeps the weights small and the training short; biases and norms are left alone."""

    l1: float = number(0.0, 0.0, 1.0, "Times the sum of |kernel|, added to the loss.")
    l2: float = number(0.0, 0.0, 1.0, "Times the sum of kernel squared, added to the loss.")
    early_stopping: int = count(
        0, 0, 100_000, "Stop after N epochs without a better validation loss; 0 is never."
    )

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far training may change each image, at random and anew in every epoch."""

    shift: float = number(0.0, 0.0, 0.5, "Move by up to this share of a side, any way.")
    rotation_degrees: float = number(0.0, 0.0, 180.0, "Turn by up to this angle, either way.")
    zoom: float = number(0.0, 0.0, 0.5, "Grow or shrink by up to this share.")
    crop: float = number(
        0.0, 0.0, 0.9, "Cut off up to this share of the area, somewhere.", flag="random_crop"
    )
    flip: bool = switch(False, "Mirror half of the images, left to right.")
    brightness: float = number(0.0, 0.0, 1.0, "Brighten or darken by up to this share of white.")
    contrast: float = number(0.0, 0.0, 1.0, "More or less contrast, by up to this share.")
    color: float = number(0.0, 0.0, 1.0, "More or less colour, warmer or colder, so far.")
    cutout: float = number(0.0, 0.0, 0.9, "Side of a square hole, as a share of the image's.")
    randaugment: float = number(0.0, 0.0, 10.0, "Two random changes of this strength, 1 to 10.")
    mixup: float = number(0.0, 0.0, 10.0, "Blend pairs of images; alpha, 0.2 is usual.")
    cutmix: float = number(0.0, 0.0, 10.0, "Paste a part of another image; alpha, 1 is usual.")

    def __post_init__(self) -> None:
        check_knobs(self)

    @property
    def is_active(self) -> bool:
        """Whether it changes anything."""
        return self != Augmentation()

    @property
    def is_mixing(self) -> bool:
        """Whether images are made of two, so that they belong to two classes."""
        return self.mixup > 0.0 or self.cutmix > 0.0
