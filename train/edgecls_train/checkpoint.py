"""Checkpoints: a training between two epochs, on disk, so that `--resume` goes on from there."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from edgecls.contract.files import write_atomically
from edgecls.errors import RunError
from edgecls_train.history import Epoch

Arrays: TypeAlias = tuple[npt.NDArray[Any], ...]

# The one before is for the case that a disk or a power cut has spoilt the newest.
KEPT: Final = 2
_FORMAT: Final = 1
_GROUPS: Final = ("variables", "best")


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
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self._folder = folder
        self._say = say

    @property
    def any_saved(self) -> bool:
        """Whether there is one."""
        return bool(self._paths())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, whole or not at all, and remove all but the newest two.

        Raises:
            EdgeclsError: The disk is full or not writable; the earlier ones are still there.
        """
        self._folder.mkdir(exist_ok=True)
        done = checkpoint.history[-1].epoch
        write_atomically(self._folder / f"epoch-{done:06d}.npz", _to_bytes(checkpoint))
        for old in self._paths()[:-KEPT]:
            old.unlink(missing_ok=True)

    def load(self) -> Checkpoint | None:
        """The newest checkpoint that can be read; None when there is none."""
        for path in reversed(self._paths()):
            try:
                return _from_bytes(path.read_bytes())
            except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as wrong:
                self._say(f"the checkpoint '{path}' cannot be read, the one before it is used")
                self._say(f"  ({type(wrong).__name__}: {wrong})")
        return None

    def delete(self) -> None:
        """Remove all of them: the training has come to its end."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("epoch-*.npz"))


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
    return out.getvalue()


def _from_bytes(content: bytes) -> Checkpoint:
    # Every member carries a CRC, so a damaged file is noticed.
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        if about["format"] != _FORMAT:
            raise ValueError(f"format {about['format']} is unknown here")
        groups = {
            name: tuple(file[f"{name}/{number}"] for number in range(about[name]))
            for name in _GROUPS
        }
    return Checkpoint(tuple(Epoch(**epoch) for epoch in about["history"]), **groups)
