"""Keras on TensorFlow: imported when it is first needed, quiet, and repeatable."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

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
        with _quiet_stderr() if "keras" not in sys.modules else contextlib.nullcontext():
            import keras
    except ImportError as missing:
        raise NotInstalledError(
            f"training needs Keras and TensorFlow, which cannot be imported: {missing}",
            hint="pip install edgecls-train, on a 64-bit workstation",
        ) from missing
    return keras


def make_repeatable(seed: int) -> None:
    """From here on the same seed gives the same weights, on the same machine."""
    keras = load_keras()
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    # Without it, threads add up gradients in any order. It costs nothing that could be measured
    # (the digits on two cores: 14 to 21 s with and without).
    tf.config.experimental.enable_op_determinism()


def library_versions() -> dict[str, str]:
    """Versions of what decides the weights."""
    keras = load_keras()
    import numpy as np
    import tensorflow as tf

    import edgecls

    return {
        "edgecls": edgecls.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "tensorflow": tf.__version__,
    }


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    sys.stderr.flush()
    with contextlib.ExitStack() as undo:
        nowhere = undo.enter_context(open(os.devnull, "wb"))
        saved = os.dup(2)
        undo.callback(os.close, saved)
        undo.callback(os.dup2, saved, 2)
        os.dup2(nowhere.fileno(), 2)
        yield
