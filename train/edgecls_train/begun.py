"""What a run was begun with, so that going on needs no option to be said again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgecls.contract.files import read_regular_file, write_atomically, write_json
from edgecls.contract.json_text import read_object
from edgecls.contract.run import RunFolder
from edgecls.errors import InvalidValueError, RecipeError, RunError
from edgecls_train.backend import library_versions
from edgecls_train.dataset import Dataset
from edgecls_train.recipe import Recipe
from edgecls_train.recipe_file import MAX_RECIPE_BYTES, load_recipe, parse_recipe, recipe_to_toml
from edgecls_train.recipe_keys import (
    CHANGEABLE,
    Flag,
    find_changes,
    override_recipe,
    section_of,
)

Say = Callable[[str], None]

# The folder in a run's folder that holds all that only going on needs.
UNFINISHED: Final = "unfinished"
BEGUN: Final = "begun.json"
_RECIPE: Final = "recipe.toml"
_MOST_BYTES: Final = 2 * MAX_RECIPE_BYTES
_WORDS: Final = frozenset({"name", "description"})


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run was begun with.

    Args:
        recipe: As resolved.
        origin: What `open_pictures` opens the data by.
        fingerprint: Of the data.
        versions: Of the libraries.
        learning_curve: Whether trainings on parts of the pictures follow.
        changes: What the recipe was changed in on the way, in words.
        edited: The recipe as it stands in the run's folder now, where that is another one.
    """

    recipe: Recipe
    origin: str
    fingerprint: str
    versions: dict[str, str]
    learning_curve: bool = False
    changes: tuple[str, ...] = ()
    edited: Recipe | None = None

    def refuse_other_data(self, dataset: Dataset) -> None:
        """Refuse to go on with other pictures than those that the run was begun with.

        Raises:
            RunError: A picture has come, gone or changed.
        """
        if dataset.fingerprint == self.fingerprint:
            return
        if dataset.origin == self.origin:
            raise RunError(
                f"the pictures in '{self.origin}' have changed since the run was begun",
                hint="bring the old pictures back (--data FOLDER where they are elsewhere), or"
                " train again without --resume",
            )
        raise RunError(
            f"the pictures in '{dataset.origin}' are not those that the run was begun with, in"
            f" '{self.origin}'",
            hint="a moved folder holds the same files under the same names; or train again"
            " without --resume",
        )

    def tell_other_versions(self, say: Say) -> None:
        """Say which libraries are not those that the run was begun with."""
        for name, version in library_versions().items():
            if self.versions.get(name) != version:
                before = self.versions.get(name, "absent")
                say(f"{name} is {version}, the run was begun with {before}: weights may differ")

    def change_recipe(self, given: Mapping[str, Any], epochs: int, say: Say) -> Begun:
        """Go on with another recipe: what was edited in the run's folder, and what flags say.

        Args:
            given: Flag name -> value; None is a flag that was not given.
            epochs: How many were trained with the recipe as it was.
            say: Is told of every key.

        Raises:
            RecipeError: A key on which the pictures, the split or the network hang was changed.
        """
        recipe = override_recipe(self.edited or self.recipe, given)
        changes = find_changes(self.recipe, recipe)
        fixed = [flag for flag in changes if flag.name not in CHANGEABLE]
        if fixed:
            raise _cannot_change(fixed, self.recipe)
        words = [f"{flag.name} {old} -> {new}" for flag, (old, new) in changes.items()]
        for change in words:
            say(f"the recipe was changed since the run was begun: {change}, from here on")
        told = (f"after epoch {epochs}: {change}" for change in words)
        return dataclasses.replace(self, recipe=recipe, changes=(*self.changes, *told), edited=None)


def _cannot_change(fixed: Sequence[Flag], begun: Recipe) -> RecipeError:
    flag = fixed[0]
    was = getattr(section_of(begun, flag.table), flag.key, None)
    names = ", ".join(f"{each.name!r}" for each in fixed)
    options = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(CHANGEABLE - _WORDS))
    return RecipeError(
        f"{names} cannot change while a run goes on: {flag.name!r} was {was!r} when it was begun",
        hint=f"put it back into the run's recipe.toml, or train again; what may change: {options}",
    )


def save_begun(run: RunFolder, begun: Begun) -> None:
    """Write what `load_begun` needs.

    Raises:
        EdgeclsError: The disk is full or not writable.
    """
    recipe = recipe_to_toml(begun.recipe)
    about = {
        "data": begun.origin,
        "fingerprint": begun.fingerprint,
        "versions": begun.versions,
        "learning_curve": begun.learning_curve,
        "changes": list(begun.changes),
        "recipe": recipe,
    }
    write_json(run.path / UNFINISHED / BEGUN, about)
    write_atomically(run.path / _RECIPE, recipe.encode())


def load_begun(run: RunFolder) -> Begun:
    """What an interrupted run was begun with.

    Raises:
        RunError: It is complete, was never begun, or its files are damaged.
        RecipeError: Its recipe was edited, and is none any more.
    """
    if run.is_complete:
        raise RunError(
            f"the run '{run.path}' is complete: there is nothing to go on with",
            hint="train again with more --epochs and --recipe "
            f"{run.path / _RECIPE} if it should be longer",
        )
    path = run.path / UNFINISHED / BEGUN
    try:
        about = read_object(read_regular_file(path, _MOST_BYTES, RunError), BEGUN)
        text = about.text("recipe", "", most=_MOST_BYTES)
        now = load_recipe(str(run.path / _RECIPE)) if (run.path / _RECIPE).exists() else None
        begun = parse_recipe(text, BEGUN) if text else now
        if begun is None:
            raise RunError(f"there is no {_RECIPE}")
        return Begun(
            begun,
            about.path("data"),
            about.text("fingerprint"),
            {name: str(version) for name, version in about.child("versions").fields.items()},
            about.flag("learning_curve", False),
            tuple(about.texts("changes")),
            now if now != begun else None,
        )
    except (InvalidValueError, RunError) as wrong:
        raise RunError(
            f"'{run.path}' is no run that can be gone on with ({wrong.problem})",
            hint="runs are made by 'edgecls train'; train again without --resume",
        ) from wrong
