"""Checkpoints: a training between two epochs, on disk, so that `--resume` goes on from there."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgecls.contract.files import write_atomically
from edgecls.contract.json_text import JsonObject, read_object
from edgecls.errors import InvalidValueError, RunError
from edgecls_train.history import Epoch

Arrays: TypeAlias = tuple[npt.NDArray[Any], ...]

# The one before is for the case that a disk or a power cut has spoilt the newest.
KEPT: Final = 2
_GROUPS: Final = ("variables", "best")
# At the end of the file, followed by the SHA-256 of all bytes before it. A ZIP reader does not
# mind, and files without it, of format 1, are still read.
_MARK: Final = b"edgecls SHA-256\n"
_FORMAT: Final = 2
_FORMAT_WITHOUT_SUM: Final = 1
_SUM_BYTES: Final = 32
_MOST_ARRAYS: Final = 100_000
_MOST_ABOUT_BYTES: Final = 1 << 28
_LARGEST: Final = 1e308
_FIGURES: Final = tuple(field.name for field in dataclasses.fields(Epoch) if field.name != "epoch")
# Names of files; a training in one stage has the last alone.
FIRST_STAGE: Final = "head"
LAST_STAGE: Final = "epoch"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A training after some epochs: with it, the rest is the same as if it had never stopped.

    Args:
        history: The epochs that are done.
        variables: Weights, states of random layers and of the optimizer, as `read_variables`.
        best: Weights of the best epoch, when early stopping will go back to them; else empty.
    """

    history: tuple[Epoch, ...]
    variables: Arrays
    best: Arrays = ()


class Checkpoints:
    """The newest two checkpoints of one training, in a folder of their own.

    Args:
        folder: Made when the first checkpoint is saved.
        say: Takes a line for people when a checkpoint cannot be read.
        stage: What the files are called after.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], None] = lambda _: None, stage: str = LAST_STAGE
    ) -> None:
        self.folder = folder
        self.is_last = stage == LAST_STAGE
        self._say = say
        self._stage = stage

    def of_stage(self, stage: str) -> Checkpoints:
        """Those of an earlier stage of the same training, in the same folder."""
        return Checkpoints(self.folder, self._say, stage)

    @property
    def any_saved(self) -> bool:
        """Whether there is one, of any stage."""
        return any(self.folder.glob("*-*.npz"))

    @property
    def paths(self) -> list[Path]:
        """Those of this stage, the newest last."""
        return sorted(self.folder.glob(f"{self._stage}-*.npz"))

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, whole or not at all, and remove all but the newest two.

        Raises:
            EdgeclsError: The disk is full or not writable; the earlier ones are still there.
        """
        self.folder.mkdir(exist_ok=True)
        done = checkpoint.history[-1].epoch
        write_atomically(self.folder / f"{self._stage}-{done:06d}.npz", _to_bytes(checkpoint))
        for old in self.paths[:-KEPT]:
            old.unlink(missing_ok=True)

    def load(self) -> Checkpoint | None:
        """The newest checkpoint that is as it was written; None when there is none."""
        paths = self.paths
        for path in reversed(paths):
            try:
                return parse_checkpoint(path.read_bytes())
            except (OSError, InvalidValueError) as wrong:
                before = "" if path == paths[0] else ", the one before it is used"
                self._say(f"the checkpoint '{path}' cannot be read{before}")
                self._say(f"  ({wrong})")
        return None

    def delete(self) -> None:
        """Remove all of them: the training has come to its end."""
        shutil.rmtree(self.folder, ignore_errors=True)


def parse_checkpoint(content: bytes) -> Checkpoint:
    """Read a checkpoint, whatever became of its bytes.

    Args:
        content: Of the file. Nothing larger than it is ever allocated.

    Raises:
        InvalidValueError: It is not what was written.
    """
    end = len(content) - _SUM_BYTES
    is_summed = content[:end].endswith(_MARK)
    if is_summed and hashlib.sha256(content[:end]).digest() != content[end:]:
        raise InvalidValueError("its bytes have changed: they do not fit their SHA-256")
    try:
        return _from_bytes(content, _FORMAT if is_summed else _FORMAT_WITHOUT_SUM)
    except InvalidValueError:
        raise
    # zipfile, zlib, struct and numpy raise a dozen kinds over bytes that nobody wrote.
    except Exception as wrong:
        raise InvalidValueError(f"{type(wrong).__name__}: {wrong}") from wrong


def read_variables(model: Any) -> Arrays:
    """Everything in a compiled model that the next step depends on, in a fixed order."""
    return tuple(np.array(variable.numpy()) for variable in _variables(model))


def write_variables(model: Any, values: Arrays) -> None:
    """Put a model into the state that `read_variables` read.

    Raises:
        RunError: They are of another network or optimizer.
    """
    variables = _variables(model)
    wanted = [tuple(variable.shape) for variable in variables]
    if wanted != [value.shape for value in values]:
        raise RunError(
            "the checkpoint is of another network than this recipe builds",
            hint="it was made by another version; train again from the start",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _variables(model: Any) -> list[Any]:
    # Among those that are not trained are the states of Dropout's random numbers.
    weights = [*model.trainable_variables, *model.non_trainable_variables]
    return [*weights, *model.optimizer.variables]


def _to_bytes(checkpoint: Checkpoint) -> bytes:
    groups = {name: getattr(checkpoint, name) for name in _GROUPS}
    about = {
        "format": _FORMAT,
        "history": [dataclasses.asdict(epoch) for epoch in checkpoint.history],
        **{name: len(arrays) for name, arrays in groups.items()},
    }
    named = {f"{name}/{i}": array for name, all_ in groups.items() for i, array in enumerate(all_)}
    out = io.BytesIO()
    np.savez(out, about=np.array(json.dumps(about)), **named)
    out.write(_MARK)
    out.write(hashlib.sha256(out.getbuffer()).digest())
    return out.getvalue()


def _from_bytes(content: bytes, wanted_format: int) -> Checkpoint:
    # Every member carries a CRC, too; it covers the header of the array.
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        infos = file.infolist()
        is_plain = all(info.compress_type == zipfile.ZIP_STORED for info in infos)
        if not is_plain or sum(info.file_size for info in infos) > len(content):
            raise InvalidValueError("it holds more than its size")
        text = str(_read_array(file, "about"))
        about = read_object(text, "about", most_bytes=_MOST_ABOUT_BYTES)
        about.whole("format", wanted_format, wanted_format)
        counts = {name: about.whole(name, 0, _MOST_ARRAYS) for name in _GROUPS}
        groups = {
            name: tuple(_read_array(file, f"{name}/{number}") for number in range(count))
            for name, count in counts.items()
        }
    return Checkpoint(_read_history(about), **groups)


def _read_array(file: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """As `numpy.load` does, but the size is looked at before anything is allocated."""
    content = io.BytesIO(file.read(f"{name}.npy"))
    if np.lib.format.read_magic(content) != (1, 0):
        raise InvalidValueError(f"{name!r} is of another version of numpy's format")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(content)
    stored = content.read()
    if dtype.hasobject or dtype.itemsize * math.prod(shape) != len(stored):
        raise InvalidValueError(f"{name!r} is of another size than its shape says")
    order: Any = "F" if is_fortran else "C"
    return np.frombuffer(stored, dtype).reshape(shape, order=order).copy()


def _read_history(about: JsonObject) -> tuple[Epoch, ...]:
    history = tuple(
        Epoch(
            epoch=found.whole("epoch", number, number),
            **{name: found.number(name, -_LARGEST, _LARGEST) for name in _FIGURES},
        )
        for number, found in enumerate(about.children("history"), start=1)
    )
    if not history:
        raise InvalidValueError("it holds no epoch")
    return history
