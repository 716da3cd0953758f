"""Runs that are not complete yet: how they are begun, what is kept of them, how they go on.

While a run is trained, its folder holds `unfinished/`: what is trained on, the newest checkpoints,
and a lock that ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from edgecls.contract.files import write_atomically, write_json
from edgecls.contract.json_text import read_object
from edgecls.contract.run import RUNS, RunFolder, create_run
from edgecls.errors import (
    DatasetError,
    EdgeclsError,
    InvalidValueError,
    RecipeError,
    RunError,
)
from edgecls_train.begun import BEGUN, UNFINISHED, Say
from edgecls_train.breakdown import TrainingBrokeDownError, on_the_way
from edgecls_train.checkpoint import FIRST_STAGE, Checkpoints
from edgecls_train.history import Epoch, history_to_csv
from edgecls_train.learning_curve import CurvePoint
from edgecls_train.recipe import Recipe

_BROKE_DOWN: Final = "broke-down.json"
_CURVE: Final = "learning-curve.json"
_MOST_PICTURES: Final = 1 << 40
_LOCK: Final = "lock"


@contextlib.contextmanager
def open_run(root: Path, say: Say = lambda _: None) -> Iterator[RunFolder]:
    """Make the next run folder below `root`, for a training to fill.

    Whatever goes wrong before the first checkpoint removes it. After that it is kept, and `say` is
    told how to go on.
    """
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    run = create_run(root)
    try:
        with _locked(run):
            yield run
    except BaseException as wrong:  # Ctrl-C too
        if open_checkpoints(run).any_saved:
            _tell_how_to_go_on(run, wrong, say)
        else:
            shutil.rmtree(run.path, ignore_errors=True)
            with contextlib.suppress(OSError):  # another training has begun there
                for folder in missing:
                    folder.rmdir()
        raise


@contextlib.contextmanager
def reopen_run(run: RunFolder, say: Say = lambda _: None) -> Iterator[RunFolder]:
    """Take an interrupted run up again; whatever goes wrong, it is kept.

    Raises:
        RunError: Another process is training it right now.
    """
    with _locked(run):
        for leftover in run.path.glob(".*.part"):  # of files that a kill -9 caught half-written
            leftover.unlink(missing_ok=True)
        try:
            yield run
        except (RunError, RecipeError, DatasetError):  # which say what is in the way
            raise
        except BaseException as wrong:
            _tell_how_to_go_on(run, wrong, say)
            raise


def find_interrupted_run(root: Path = RUNS) -> RunFolder:
    """The run with the highest number that was begun, is not complete, and is not in training.

    Raises:
        RunError: There is none.
    """
    numbered = [entry for entry in _entries(root) if entry.name.isdecimal()]
    for path in sorted(numbered, key=lambda entry: int(entry.name), reverse=True):
        run = RunFolder(path)
        if (path / UNFINISHED / BEGUN).is_file() and not run.is_complete and not _is_locked(run):
            return run
    raise RunError(
        f"there is no interrupted run in '{root}'",
        hint="name one: edgecls train --resume RUN; or train without --resume",
    )


def keep_breakdown(
    run: RunFolder, wrong: TrainingBrokeDownError, recipe: Recipe
) -> TrainingBrokeDownError:
    """Keep a training that broke down: the history of its sound epochs, and why it ended.

    Args:
        run: With the checkpoints of those epochs; nothing is written where there are none.
        wrong: Why.
        recipe: Of the run.

    Returns:
        The error to raise: with the command that goes on, where something is left to go on from.
    """
    history = _saved_history(run)
    if not history:
        return wrong
    told = on_the_way(wrong, run.path, recipe, len(history))
    about = {"epoch": wrong.epoch, "term": wrong.term, "found": wrong.found, "hint": told.hint}
    with contextlib.suppress(EdgeclsError):  # a full disk must not hide why it broke down
        write_atomically(run.path / "history.csv", history_to_csv(history))
        write_json(run.path / UNFINISHED / _BROKE_DOWN, about)
    return told


def _saved_history(run: RunFolder) -> list[Epoch]:
    """The epochs of all stages whose checkpoints can be read, numbered through."""
    history: list[Epoch] = []
    checkpoints = open_checkpoints(run)
    for stage in (checkpoints.of_stage(FIRST_STAGE), checkpoints):
        found = stage.load()
        for epoch in found.history if found else ():
            history.append(dataclasses.replace(epoch, epoch=len(history) + 1))
    return history


def tell_breakdown(run: RunFolder, say: Say) -> None:
    """Say why a run ended when it was trained the last time, where it broke down."""
    with contextlib.suppress(OSError, InvalidValueError):
        about = read_object((run.path / UNFINISHED / _BROKE_DOWN).read_bytes(), _BROKE_DOWN)
        say(f"this run broke down in epoch {about.fields['epoch']}: {about.text('found')}")
        say(f"  ({about.text('hint')})")


def forget_findings(run: RunFolder) -> None:
    """Forget what was found with another recipe: the breakdown, points of the learning curve."""
    for name in (_BROKE_DOWN, _CURVE):
        (run.path / UNFINISHED / name).unlink(missing_ok=True)


def load_curve(run: RunFolder) -> list[CurvePoint]:
    """The points of the learning curve that were measured before the run was interrupted."""
    try:
        about = read_object((run.path / UNFINISHED / _CURVE).read_bytes(), _CURVE)
        return [
            CurvePoint(
                point.number("share", 0.0, 1.0),
                *(
                    point.whole(name, 0, _MOST_PICTURES)
                    for name in ("pictures", "measured", "right")
                ),
            )
            for point in about.children("points")
        ]
    except (OSError, InvalidValueError):
        return []


def save_curve(run: RunFolder, points: Sequence[CurvePoint]) -> None:
    """Keep what was measured of the learning curve until now.

    Raises:
        EdgeclsError: The disk is full or not writable.
    """
    path = run.path / UNFINISHED / _CURVE
    write_json(path, {"points": [dataclasses.asdict(point) for point in points]})


def count_epochs(run: RunFolder) -> int:
    """How many epochs the newest checkpoints have, of all stages together."""
    newest: dict[str, int] = {}
    for path in sorted((run.path / UNFINISHED).glob("*-*.npz")):
        stage, _, number = path.stem.partition("-")
        if number.isdecimal():
            newest[stage] = int(number)
    return sum(newest.values())


def open_checkpoints(run: RunFolder, say: Say = lambda _: None) -> Checkpoints:
    """The checkpoints of a run that is not complete."""
    return Checkpoints(run.path / UNFINISHED, say)


def forget_unfinished(run: RunFolder) -> None:
    """Remove what only going on would need: the run is complete."""
    shutil.rmtree(run.path / UNFINISHED, ignore_errors=True)


@contextlib.contextmanager
def _locked(run: RunFolder) -> Iterator[None]:
    """Hold the run's lock, which the system takes back when the process ends."""
    with _open_lock(run) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as wrong:
            raise RunError(
                f"the run '{run.path}' is being trained by another process",
                hint="wait for it, or end it first",
            ) from wrong
        yield


def _open_lock(run: RunFolder) -> IO[bytes]:
    folder = run.path / UNFINISHED
    try:
        folder.mkdir(exist_ok=True)
        return (folder / _LOCK).open("wb")
    except OSError as wrong:
        raise RunError(
            f"cannot write in the run folder '{run.path}': {wrong.strerror}",
            hint="check that it is there and that you may write to it",
        ) from wrong


def _is_locked(run: RunFolder) -> bool:
    try:
        with _locked(run):
            return False
    except RunError:
        return True


def _tell_how_to_go_on(run: RunFolder, wrong: BaseException, say: Say) -> None:
    if not isinstance(wrong, TrainingBrokeDownError):  # which says itself how to go on
        say(f"what was trained is kept; to go on: edgecls train --resume {run.path}")


def _entries(root: Path) -> list[Path]:
    return list(root.iterdir()) if root.is_dir() else []
