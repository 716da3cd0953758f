"""Runs that are not complete yet: how they begin, what is kept of them, and how they go on.

While a run is trained, its folder holds `unfinished/`: what is trained on, the newest checkpoints,
and a lock that ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from edgecls.contract.files import write_atomically, write_json
from edgecls.contract.run import RUNS, RunFolder, create_run
from edgecls.errors import RecipeError, RunError
from edgecls_train.backend import library_versions
from edgecls_train.checkpoint import Checkpoints
from edgecls_train.dataset import Dataset
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import load_recipe, recipe_to_toml

Say = Callable[[str], None]

UNFINISHED: Final = "unfinished"
_BEGUN: Final = "begun.json"
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run was begun with.

    Args:
        recipe: As resolved.
        origin: What `open_pictures` opens the data by.
        fingerprint: Of the data.
        versions: Of the libraries.
    """

    recipe: Recipe
    origin: str
    fingerprint: str
    versions: dict[str, str]

    def refuse_other_data(self, dataset: Dataset) -> None:
        """Refuse to go on with other pictures than those that the run was begun with.

        Raises:
            RunError: A picture has come, gone or changed.
        """
        if dataset.fingerprint != self.fingerprint:
            raise RunError(
                f"the pictures in '{self.origin}' have changed since the run was begun",
                hint="bring the old pictures back, or train again without --resume",
            )

    def tell_other_versions(self, say: Say) -> None:
        """Say which libraries are not those that the run was begun with."""
        for name, version in library_versions().items():
            if self.versions.get(name) != version:
                before = self.versions.get(name, "absent")
                say(f"{name} is {version}, the run was begun with {before}: weights may differ")


@contextlib.contextmanager
def open_run(root: Path, say: Say = lambda _: None) -> Iterator[RunFolder]:
    """Make the next run folder below `root`, for a training to fill.

    Whatever goes wrong before the first checkpoint removes it, and so does a recipe that cannot
    work. After that it is kept, and `say` is told how to go on.
    """
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    run = create_run(root)
    try:
        with _locked(run):
            yield run
    except BaseException as wrong:  # Ctrl-C too
        if open_checkpoints(run).any_saved and not isinstance(wrong, RecipeError):
            _tell_how_to_go_on(run, say)
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
        except BaseException:
            _tell_how_to_go_on(run, say)
            raise


def save_begun(run: RunFolder, recipe: Recipe, dataset: Dataset) -> None:
    """Write what `load_begun` needs.

    Raises:
        EdgeclsError: The disk is full or not writable.
    """
    write_atomically(run.path / "recipe.toml", recipe_to_toml(recipe).encode())
    begun = {
        "data": dataset.origin,
        "fingerprint": dataset.fingerprint,
        "versions": library_versions(),
    }
    write_json(run.path / UNFINISHED / _BEGUN, begun)


def load_begun(run: RunFolder) -> Begun:
    """What an interrupted run was begun with.

    Raises:
        RunError: It is complete, was never begun, or its files are damaged.
    """
    if run.is_complete:
        raise RunError(
            f"the run '{run.path}' is complete: there is nothing to go on with",
            hint="train again with more --epochs and --recipe "
            f"{run.path / 'recipe.toml'} if it should be longer",
        )
    path = run.path / UNFINISHED / _BEGUN
    try:
        begun = json.loads(path.read_bytes())
        return Begun(
            load_recipe(str(run.path / "recipe.toml")),
            str(begun["data"]),
            str(begun["fingerprint"]),
            dict(begun["versions"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise RunError(
            f"'{run.path}' is no run that can be gone on with ({path.name}: {wrong})",
            hint="runs are made by 'edgecls train'; train again without --resume",
        ) from wrong


def find_interrupted_run(root: Path = RUNS) -> RunFolder:
    """The run with the highest number that was begun, is not complete, and is not in training.

    Raises:
        RunError: There is none.
    """
    numbered = [entry for entry in _entries(root) if entry.name.isdecimal()]
    for path in sorted(numbered, key=lambda entry: int(entry.name), reverse=True):
        run = RunFolder(path)
        if (path / UNFINISHED / _BEGUN).is_file() and not run.is_complete and not _is_locked(run):
            return run
    raise RunError(
        f"there is no interrupted run in '{root}'",
        hint="name one: edgecls train --resume RUN; or train without --resume",
    )


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


def _tell_how_to_go_on(run: RunFolder, say: Say) -> None:
    say(f"what was trained is kept; to go on: edgecls train --resume {run.path}")


def _entries(root: Path) -> list[Path]:
    return list(root.iterdir()) if root.is_dir() else []
