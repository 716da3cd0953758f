"""TensorFlow and Keras, imported and run without their chatter."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from edgecls.console import redirected
from edgecls.errors import NotInstalledError


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Drop everything that is printed meanwhile, by Python and by C++ alike.

    TensorFlow's converter prints to stdout and stderr past every log level, so only redirecting
    the descriptors silences it.
    """
    with contextlib.ExitStack() as undo:
        undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        nowhere = undo.enter_context(open(os.devnull, "w", encoding="utf-8"))
        undo.enter_context(redirected(1, 2, to=nowhere))
        undo.enter_context(contextlib.redirect_stdout(nowhere))
        undo.enter_context(contextlib.redirect_stderr(nowhere))
        yield


def import_tensorflow() -> tuple[Any, Any]:
    """The modules `tensorflow` and `keras`, the latter on the former.

    Raises:
        NotInstalledError: One of them is missing, or Keras already runs on another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A run may have been trained on JAX; the file is the same, the converter needs TensorFlow.
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        with quietly():
            import tensorflow
    except ImportError as missing:
        raise NotInstalledError(
            f"converting needs TensorFlow, which cannot be imported: {missing}",
            hint="pip install tensorflow, on a 64-bit workstation",
        ) from missing
    with quietly():
        import keras
    # Its log writes to what was stderr while it was imported, and that is closed by now.
    tensorflow.get_logger().setLevel("CRITICAL")
    if keras.config.backend() != "tensorflow":
        raise NotInstalledError(
            f"converting needs Keras on TensorFlow, here it runs on {keras.config.backend()}",
            hint="set KERAS_BACKEND=tensorflow",
        )
    return tensorflow, keras
