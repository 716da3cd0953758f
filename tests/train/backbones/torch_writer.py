"""Writes files as `torch.save` does, in both of its formats, without torch."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True}


class FloatStorage:
    """Stands for `torch.FloatStorage` in a pickle."""


def _rebuild_tensor_v2(*_: Any) -> None:
    """Stands for `torch._utils._rebuild_tensor_v2` in a pickle."""


FloatStorage.__module__ = "torch"
_rebuild_tensor_v2.__module__ = "torch._utils"


@dataclass(frozen=True)
class Stored:
    """A storage of float32 values: `key` names it in the file, `count` is what is claimed."""

    key: str
    values: npt.NDArray[np.float32]
    count: int


@dataclass(frozen=True)
class Tensor:
    """What a tensor says of itself in the file, in elements."""

    storage: Stored
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        hooks: OrderedDict[str, Any] = OrderedDict()
        parts = (self.storage, self.offset, self.shape, self.strides, False, hooks)
        return _rebuild_tensor_v2, parts


def tensor(key: str, values: npt.NDArray[np.float32]) -> Tensor:
    """A tensor as torch would store it."""
    strides = tuple(stride // 4 for stride in values.strides)
    return Tensor(Stored(key, values.ravel(), values.size), 0, values.shape, strides)


def storages_of(state: Any) -> dict[str, Stored]:
    """Every storage of a state dict of tensors."""
    tensors = [value for value in state.values() if isinstance(value, Tensor)]
    return {value.storage.key: value.storage for value in tensors}


def stream_bytes(state: Any, *, system: Any = SYSTEM) -> bytes:
    """As torch wrote before 1.6: pickles one after the other, then the values."""
    file = io.BytesIO()
    storages = storages_of(state)
    for part in (MAGIC, PROTOCOL, system, state, sorted(storages)):
        file.write(pickled(part))
    for key in sorted(storages):
        file.write(struct.pack("<q", storages[key].count) + storages[key].values.tobytes())
    return file.getvalue()


def zip_bytes(state: Any, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """As torch writes since 1.6: a ZIP with one pickle and one entry a storage."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(state))
        for key, storage in storages_of(state).items():
            archive.writestr(f"archive/data/{key}", storage.values.tobytes())
    return file.getvalue()


def pickled(value: Any) -> bytes:
    """A pickle in which storages are references, as torch has them."""
    file = io.BytesIO()
    with _torch_modules():
        _Pickler(file, protocol=2).dump(value)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Stored):
            return ("storage", FloatStorage, value.key, "cpu", value.count)
        return None


@contextmanager
def _torch_modules() -> Iterator[None]:
    """Let pickle find the two names where they say they are."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    vars(torch).update(FloatStorage=FloatStorage, _utils=utils)
    vars(utils).update(_rebuild_tensor_v2=_rebuild_tensor_v2)
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
