"""What training computes with: `edgecls_train.backend`, and training on JAX."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from edgecls_train.backend import computing_in, library_versions, load_keras, needs_compiler
from edgecls_train.fit import predict
from tests.train.made_data import stripes

# Trains in another process, because a process has one backend; prints what it learned.
TRAIN_ON_JAX = """
import dataclasses, sys

class WithoutTensorFlow:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, WithoutTensorFlow)
import numpy as np
from edgecls_train.backend import library_versions
from edgecls_train.checkpoint import Checkpoints
from edgecls_train.fit import fit, predict
from edgecls_train.recipe import Augmentation, Loss, Optimizer, Regularization
from edgecls_train.split import Split
from pathlib import Path
from tests.train.made_data import stripes, stripes_recipe

split = Split(train=np.arange(0, 40, 2), val=np.arange(1, 40, 4), test=np.arange(3, 40, 4))
recipe = dataclasses.replace(
    stripes_recipe(), epochs=12,
    layers=("conv 4 same norm", "pool", "flatten", "dropout 0.2"),
    optimizer=Optimizer("adamw", 0.01, weight_decay=0.01, schedule="cosine", warmup_epochs=1),
    loss=Loss(label_smoothing=0.1, balance="weights"),
    regularization=Regularization(l2=1e-4, early_stopping=50),
    augmentation=Augmentation(shift=0.05, mixup=0.1),
)
folder = Path(sys.argv[1])
whole, _ = fit(stripes(), split, recipe, checkpoints=Checkpoints(folder / "checkpoints"))
(folder / "checkpoints" / "epoch-000012.npz").unlink()  # as if it had ended before
model, history = fit(stripes(), split, recipe, checkpoints=Checkpoints(folder / "checkpoints"))
assert len(history) == 12
for one, other in zip(model.get_weights(), whole.get_weights(), strict=True):
    assert one.tobytes() == other.tobytes()
scores = predict(model, stripes(), split.test)
assert (scores.argmax(axis=1) == stripes().targets[split.test]).all()
assert set(library_versions()) == {"edgecls", "keras", "numpy", "jax"}
model.save(folder / "model.keras")
np.save(folder / "scores.npy", scores)
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_training_runs_and_resumes_on_jax_without_tensorflow(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_ON_JAX, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # What JAX trained is the same network for TensorFlow, and so for conversion.
    model = load_keras().saving.load_model(tmp_path / "model.keras")
    scores = predict(model, stripes(), np.arange(3, 40, 4))
    assert np.allclose(scores, np.load(tmp_path / "scores.npy"), atol=1e-5)


def test_the_versions_name_the_backend():
    assert load_keras().backend.backend() in library_versions()


def test_tensorflow_compiles_small_networks_without_xla():
    assert needs_compiler() == (load_keras().backend.backend() == "jax")


def test_a_policy_ends_where_it_should_whatever_happens():
    config = load_keras().config
    before = config.dtype_policy().name
    seen = []

    def fail_inside() -> None:
        with computing_in("mixed_float16"):
            seen.append(config.dtype_policy().name)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert seen == ["mixed_float16"]
    assert config.dtype_policy().name == before
