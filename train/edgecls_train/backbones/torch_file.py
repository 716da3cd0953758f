"""Weights in torch's own file formats, read without torch and without running code in them."""

from __future__ import annotations

import collections
import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from edgecls.errors import ModelFileError

Weights = dict[str, npt.NDArray[Any]]

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_DTYPES: Final = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


def read_torch_file(path: Path) -> Weights:
    """The tensors of a saved `state_dict`, by name.

    Args:
        path: Written by `torch.save`, in its form before 1.6 (a stream) or since (a ZIP).

    Raises:
        ModelFileError: Not such a file, damaged, or holding anything but tensors.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            found = _read_zip(file) if zipfile.is_zipfile(path) else _read_stream(file, size)
        return {name: tensor.to_numpy() for name, tensor in found.items()}
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        MemoryError,
        RuntimeError,
        struct.error,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as wrong:
        raise ModelFileError(
            f"the weights in '{path}' cannot be read: {wrong}",
            hint="reinstall the package that they came with",
        ) from wrong


class _Storage:
    """A block of numbers; in the older format it arrives after everything that refers to it."""

    def __init__(self, kind: str, count: int) -> None:
        if count < 0:
            raise ValueError("a storage has a negative size")
        self.dtype = np.dtype(_DTYPES[kind])
        self.count = count
        self.values: npt.NDArray[Any] | None = None


class _Tensor:
    """A view of a storage; offset, shape and strides in elements."""

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ) -> None:
        self._storage, self._offset, self._shape, self._strides = storage, offset, shape, strides

    def to_numpy(self) -> npt.NDArray[Any]:
        values = self._storage.values
        if values is None or min((self._offset, *self._shape, *self._strides)) < 0:
            raise ValueError("a tensor refers to nothing")
        # Repeating a value by a stride of 0, a few bytes could claim any amount of memory.
        if math.prod(self._shape) > values.size:
            raise ValueError("a tensor is larger than its storage")
        steps = zip(self._shape, self._strides, strict=True)
        last = self._offset + sum((size - 1) * step for size, step in steps)
        if all(self._shape) and last >= values.size:
            raise ValueError("a tensor reaches beyond its storage")
        item = values.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(
            values[self._offset :], self._shape, [step * item for step in self._strides]
        )
        return view.copy()


class _TensorUnpickler(pickle.Unpickler):
    """Knows tensors and ordered dictionaries; any other name in the file is refused."""

    def __init__(self, file: BinaryIO, find_storage: Callable[[str, str, int], _Storage]) -> None:
        super().__init__(file)
        self._find_storage = find_storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(
                storage, offset, tuple(shape), tuple(strides)
            )
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it wants to run {module}.{name}")

    def persistent_load(self, reference: Any) -> _Storage:
        if not isinstance(reference, tuple) or reference[0] != "storage":
            raise pickle.UnpicklingError("it refers to something else than numbers")
        return self._find_storage(reference[1], str(reference[2]), int(reference[4]))


def _read_zip(file: BinaryIO) -> dict[str, _Tensor]:
    with zipfile.ZipFile(file) as archive:
        # torch never compresses; what is compressed may unpack to any size.
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError("it is compressed")
        indices = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(indices) != 1:
            raise ValueError("it is a ZIP, but not of torch")
        index = indices[0]
        storages: dict[str, _Storage] = {}
        found = _unpickle(io.BytesIO(archive.read(index)), storages)
        for key, storage in storages.items():
            content = archive.read(f"{index.removesuffix('data.pkl')}data/{key}")
            storage.values = np.frombuffer(content, storage.dtype, storage.count)
    return _need_tensors(found)


def _read_stream(file: BinaryIO, size: int) -> dict[str, _Tensor]:
    storages: dict[str, _Storage] = {}
    if _unpickle(file, storages) != _MAGIC or _unpickle(file, storages) != _PROTOCOL:
        raise ValueError("it is not a torch file")
    if not _unpickle(file, storages)["little_endian"]:
        raise ValueError("it comes from a big-endian machine")
    found = _unpickle(file, storages)
    for key in _unpickle(file, storages):
        storage = storages[str(key)]
        (count,) = struct.unpack("<q", file.read(8))
        wanted = storage.count * storage.dtype.itemsize
        if count != storage.count or file.tell() + wanted > size:
            raise ValueError("it is cut off")
        storage.values = np.frombuffer(file.read(wanted), storage.dtype)
    return _need_tensors(found)


def _unpickle(file: BinaryIO, storages: dict[str, _Storage]) -> Any:
    def find_storage(kind: str, key: str, count: int) -> _Storage:
        return storages.setdefault(key, _Storage(kind, count))

    return _TensorUnpickler(file, find_storage).load()


def _need_tensors(found: Any) -> dict[str, _Tensor]:
    if not isinstance(found, dict) or not all(isinstance(t, _Tensor) for t in found.values()):
        raise ValueError("it holds something else than named tensors")
    return found
