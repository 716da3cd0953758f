"""`.keras` files: damaged HDF5 of the weights, and configurations that do not fit them."""

from __future__ import annotations

import functools
import io
import random
import resource
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.fuzz.mutations import mutate, mutate_json
from tests.fuzz.target import Target

_WEIGHTS: Final = "model.weights.h5"
_CONFIG: Final = "config.json"
# Beyond what TensorFlow has taken; a file of 30 kB that wants more is refused before.
_MORE_BYTES: Final = 2 << 30


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="edgecls-fuzz-"))


def _seeds() -> list[bytes]:
    from edgecls_convert.quiet import import_tensorflow

    _, keras = import_tensorflow()
    layers = keras.layers
    contents = []
    for last in (layers.Flatten(), layers.GlobalAveragePooling2D()):
        image = keras.Input((8, 8, 1))
        x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
        x = layers.BatchNormalization()(x)
        scores = layers.Dense(3, activation="softmax")(last(x))
        path = _folder() / "seed.keras"
        keras.Model(image, scores).save(path)
        contents.append(path.read_bytes())
    return contents


def _mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    content = chance.choice(seeds)
    if chance.random() < 0.1:
        return mutate(chance, content, seeds)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        is_config = chance.random() < 0.3
        for info in old.infolist():
            member = old.read(info)
            if info.filename == _WEIGHTS and not is_config:
                member = mutate(chance, member, head=chance.choice((0, 128, 2048)))
            elif info.filename == _CONFIG and is_config:
                member = mutate_json(chance, member)
            new.writestr(info.filename, member)
    return out.getvalue()


def read(content: bytes) -> str:
    """Load it as `convert` does, and look at its weights."""
    from edgecls_convert.formats import refuse_other_formats
    from edgecls_convert.network import load_model

    path = _folder() / "mutant.keras"
    path.write_bytes(content)
    _limit_memory()
    refuse_other_formats(path)
    model: Any = load_model(path)
    numbers = sum(weight.size for weight in model.get_weights())
    return "loaded" if numbers else "loaded, without weights"


def _limit_memory() -> None:
    """Each input may take so much more than is taken already: the machine is not ours alone."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    taken = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + _MORE_BYTES, resource.RLIM_INFINITY))


TARGET: Final = Target("`.keras` files", _seeds, _mutate, read, limit_s=60.0, memory_mb=300)
