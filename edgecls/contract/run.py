"""A run folder: what training leaves for conversion, so that neither needs to know the other."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from edgecls.contract.card import ModelCard
from edgecls.contract.files import write_atomically, write_json
from edgecls.contract.tables import SPLIT_COLUMNS, restore, to_table
from edgecls.errors import EdgeclsError, InvalidValueError, RunError

RUNS: Final = Path("runs/train")
Subset = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class SplitEntry:
    """One picture of a run: its name in its set, its label, and what it was used for."""

    name: str
    label: str
    subset: Subset

    def __post_init__(self) -> None:
        if self.subset not in get_args(Subset):
            raise InvalidValueError(f"subset {self.subset!r} is none of train, val, test")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`runs/train/<n>`: `metrics.json` is written last, so a run that has one is complete."""

    path: Path

    @property
    def model_path(self) -> Path:
        """The trained Keras model."""
        return self.path / "model.keras"

    @property
    def is_complete(self) -> bool:
        """Whether training came to its end."""
        return (self.path / "metrics.json").is_file() and self.model_path.is_file()

    def load_card(self) -> ModelCard:
        """The card of the float model."""
        return ModelCard.from_json(self._read("card.json"))

    def load_metrics(self) -> dict[str, Any]:
        """What training measured."""
        text = self._read("metrics.json")
        try:
            metrics = json.loads(text)
        except (ValueError, RecursionError) as wrong:
            raise RunError(f"'{self.path}/metrics.json' is damaged: {wrong}") from wrong
        if not isinstance(metrics, dict):
            raise RunError(f"'{self.path}/metrics.json' is damaged: it holds no object")
        return metrics

    def load_split(self) -> list[SplitEntry]:
        """Which picture was used for what."""
        rows = csv.reader(io.StringIO(self._read("split.csv"), newline=""))
        try:
            if next(rows, None) != list(SPLIT_COLUMNS):
                raise RunError(f"'{self.path}/split.csv' does not begin with name,label,subset")
            return [
                SplitEntry(restore(name), restore(label), subset)  # type: ignore[arg-type]  # refused there
                for name, label, subset in rows
            ]
        except RunError:
            raise
        except (ValueError, csv.Error) as wrong:
            raise RunError(f"'{self.path}/split.csv' is damaged: {wrong}") from wrong

    def save_card(self, card: ModelCard) -> None:
        """Write `card.json`."""
        write_atomically(self.path / "card.json", card.to_json().encode())

    def save_metrics(self, metrics: dict[str, Any]) -> None:
        """Write `metrics.json`, which marks the run as complete: call it last."""
        write_json(self.path / "metrics.json", metrics)

    def save_split(self, entries: Sequence[SplitEntry]) -> None:
        """Write `split.csv`."""
        rows = ((entry.name, entry.label, entry.subset) for entry in entries)
        # A file name that is not UTF-8 keeps its bytes.
        content = to_table(SPLIT_COLUMNS, rows).encode("utf-8", "surrogateescape")
        write_atomically(self.path / "split.csv", content)

    def _read(self, name: str) -> str:
        try:
            content = (self.path / name).read_bytes()
        except OSError as wrong:
            raise RunError(
                f"'{self.path}' has no readable {name} ({wrong.strerror})",
                hint="it is not a complete run; run 'edgecls train' again",
            ) from wrong
        return content.decode("utf-8", "surrogateescape")


def create_run(root: Path = RUNS) -> RunFolder:
    """Make the next numbered run folder below `root`."""
    number = max(_numbers(root), default=0) + 1
    while True:
        path = root / str(number)
        try:
            path.mkdir(parents=True)
        except FileExistsError:  # another training took this number a moment ago
            number += 1
        except OSError as wrong:
            raise EdgeclsError(
                f"cannot make the run folder '{path}': {wrong.strerror}",
                hint="work in a folder that you may write to, or set --out",
            ) from wrong
        else:
            return RunFolder(path)


def find_latest_run(root: Path = RUNS) -> RunFolder:
    """The complete run with the highest number.

    Raises:
        RunError: There is none.
    """
    for number in sorted(_numbers(root), reverse=True):
        if (run := RunFolder(root / str(number))).is_complete:
            return run
    raise RunError(
        f"there is no complete run in '{root}'",
        hint="run 'edgecls train' first, in this folder, or name a run: edgecls convert RUN",
    )


def open_run(path: Path) -> RunFolder:
    """A named run.

    Raises:
        RunError: It is not a run folder, or training did not come to its end.
    """
    run = RunFolder(path)
    if not path.is_dir():
        raise RunError(f"there is no run folder '{path}'", hint="runs are made by 'edgecls train'")
    if not run.is_complete:
        raise RunError(
            f"the run '{path}' is not complete (no metrics.json)",
            hint=f"training was interrupted; to go on: edgecls train --resume {path}",
        )
    return run


def _numbers(root: Path) -> list[int]:
    if not root.is_dir():
        return []
    return [int(entry.name) for entry in root.iterdir() if entry.name.isdecimal()]
