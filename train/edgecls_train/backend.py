"""Keras on TensorFlow or JAX: imported when it is first needed, quiet, and repeatable."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from edgecls.console import redirected
from edgecls.errors import NotInstalledError


def load_keras() -> Any:
    """The module `keras`; its first import takes seconds and hundreds of megabytes.

    Raises:
        NotInstalledError: Keras or what it runs on is missing or broken.
    """
    # Both are read while TensorFlow and Keras are imported, and never again.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        # TensorFlow greets on stderr before it has read its own log level. Show no progress
        # meanwhile: it would be lost too.
        with quiet_stderr() if "keras" not in sys.modules else contextlib.nullcontext():
            import keras
    except ImportError as missing:
        raise NotInstalledError(
            f"training needs Keras and TensorFlow (or JAX), which cannot be imported: {missing}",
            hint="pip install keras tensorflow, on a 64-bit workstation",
        ) from missing
    # "Retracing is expensive": it happens once a network, and several are trained in a row.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras


def make_repeatable(seed: int) -> None:
    """From here on the same seed gives the same weights, on the same machine."""
    keras = load_keras()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Without it, threads add up gradients in any order. It costs nothing that could be
        # measured (the digits on two cores: 14 to 21 s with and without).
        tf.config.experimental.enable_op_determinism()


def has_gpu() -> bool:
    """Whether Keras would compute on a GPU."""
    # Asked for GPUs alone, JAX fails where there are none.
    return any("gpu" in name.lower() for name in load_keras().distribution.list_devices())


def needs_compiler() -> bool:
    """Whether a network is to be compiled by XLA.

    JAX is slow without it. For TensorFlow it makes small networks on a CPU 1.5 times slower.
    """
    return bool(load_keras().backend.backend() == "jax")


@contextlib.contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Networks that are built meanwhile compute in this dtype policy, such as mixed_float16."""
    config = load_keras().config
    before = config.dtype_policy()
    config.set_dtype_policy(policy)
    try:
        yield
    finally:
        config.set_dtype_policy(before)


def library_versions() -> dict[str, str]:
    """Versions of what decides the weights."""
    keras = load_keras()
    import numpy as np

    import edgecls

    engine = keras.backend.backend()
    return {
        "edgecls": edgecls.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        engine: importlib.metadata.version(engine),
    }


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what native libraries write to the descriptor; show no progress meanwhile."""
    with open(os.devnull, "wb") as nowhere, redirected(2, to=nowhere):
        yield
