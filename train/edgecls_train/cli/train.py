"""The command `edgecls train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import DRAWING, RUNS, Reads, Writes
from edgecls_train.cli.knobs import with_knobs

if TYPE_CHECKING:
    from edgecls_train.ready import ReadyRun
    from edgecls_train.training import TrainedRun


@with_knobs
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="A folder with one folder of pictures a class, a .csv of path,label, 'digits' or"
            " 'fashion-mnist'. With --resume: a run.",
            show_default="the built-in digits",
        ),
        Reads("data"),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A built-in recipe or a .toml file; an unknown name lists them.",
            show_default="one that fits the data",
        ),
        Reads("recipe"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run (DATA, or the latest there is) with all that it was"
            " begun with. Only the epochs, learning rates and penalties may change.",
        ),
    ] = False,
    moved_to: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="With --resume: where the pictures are now, if they have moved.",
        ),
        Reads("data"),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Draw augmented pictures into this file, and train nothing."
        ),
        Writes(DRAWING),
    ] = None,
    learning_curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve",
            help="Train with a quarter and half of the pictures too: would more help?",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where numbered run folders are made.",
            show_default="runs/train",
        ),
        Writes(RUNS),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the summary.")
    ] = False,
    **knobs: Any,
) -> None:
    """Train a classifier on labelled pictures.

    Every key of a recipe is an option, and options override the recipe. What comes out is a run
    folder, runs/train/1 and so on, with the model, its accuracy on pictures it has never seen, and
    the recipe that repeats it.

    \b
    Examples:
      edgecls train                                  the built-in digits
      edgecls train photos --epochs 60               photos/cat/*.jpg, photos/dog/*.jpg
      edgecls train photos --preview sheet.png       what augmentation does to them
      edgecls train --resume                         after Ctrl-C, a crash or a power cut
      edgecls train --recipe runs/train/1/recipe.toml
    """
    from edgecls.contract.run import RUNS, RunFolder
    from edgecls_train.ready import is_ready_made, make_ready_run
    from edgecls_train.training import resume_classifier, train_classifier

    runs = RUNS if out is None else out
    show: Any = {"learning_curve": learning_curve, "progress": progress, "say": _say}
    if resume:
        _refuse_with_resume(recipe, preview, knobs)
        run = None if data is None else RunFolder(Path(data))
        trained = resume_classifier(run, runs, data=moved_to, changes=knobs, **show)
    else:
        if moved_to is not None:
            raise typer.BadParameter(f"--data goes with --resume; else: edgecls train {moved_to}")
        pictures, chosen = _open(data, recipe, knobs)
        if pictures is None or is_ready_made(chosen):
            ready = make_ready_run(pictures, chosen, runs, progress=progress, say=_say)
            _print_ready(ready, as_json=as_json)
            return
        if preview is not None:
            _draw_preview(pictures, chosen, preview)
            return
        trained = train_classifier(pictures, chosen, runs, **show)
    if as_json:
        print(json_line(trained.metrics))
    else:
        _print_summary(trained, is_default_place=trained.run.path.parent == RUNS)


def _open(data: str | None, recipe: str | None, knobs: dict[str, Any]) -> tuple[Any, Any]:
    """The pictures and the resolved recipe."""
    from edgecls.pictures import DIGITS, open_pictures
    from edgecls_train.ready import is_ready_made
    from edgecls_train.recipe_file import load_recipe
    from edgecls_train.recipe_keys import override_recipe
    from edgecls_train.training import default_recipe

    origin = DIGITS if data is None else data
    chosen = load_recipe(recipe) if recipe is not None else default_recipe(origin, _say)
    chosen = override_recipe(chosen, knobs)
    if data is None and is_ready_made(chosen):
        return None, chosen
    pictures = open_pictures(origin)
    if data is None:
        _say(f"no DATA given: training on the built-in digits ({len(pictures)} pictures)")
    return pictures, chosen


def _refuse_with_resume(recipe: str | None, preview: Path | None, knobs: dict[str, Any]) -> None:
    from edgecls.errors import RecipeError
    from edgecls_train.recipe_keys import CHANGEABLE

    given = [name for name, value in knobs.items() if value is not None and name not in CHANGEABLE]
    others = [name for name, value in (("recipe", recipe), ("preview", preview)) if value]
    if given or others:
        name = [*others, *given][0]
        option = ("--no-" if knobs.get(name) is False else "--") + name.replace("_", "-")
        raise RecipeError(
            f"{option} cannot be given with --resume: a run goes on with the recipe it began with",
            hint=f"leave {option} out, or train again without --resume",
        )


def _draw_preview(pictures: Any, recipe: Any, path: Path) -> None:
    from edgecls.contract.files import write_atomically
    from edgecls_train.training import preview_augmentation

    write_atomically(path, preview_augmentation(pictures, recipe))
    print(f"preview        {path}: pictures on the left, what training may see beside them")


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _print_ready(ready: ReadyRun, *, as_json: bool) -> None:
    if as_json:
        print(json_line(ready.metrics))
        return
    if ready.test is not None:
        print(f"accuracy       {ready.test.top1:.1%} on {ready.test.images} pictures, as published")
    print(f"run            {ready.run.path}")
    pictures = "" if ready.test is not None else " --data PICTURES"
    print(f"next           edgecls convert {ready.run.path} --int8{pictures}")


def _print_summary(trained: TrainedRun, *, is_default_place: bool) -> None:
    from edgecls.metrics import wilson_interval

    test = trained.test
    right = int(test.confusion.trace())
    low, high = wilson_interval(right, test.images)
    weakest = min((q for q in test.per_class if q.images), key=lambda q: q.f1)
    command = "edgecls convert" if is_default_place else f"edgecls convert {trained.run.path}"
    remarks = [finding["summary"] for finding in trained.metrics["findings"]]
    if "learning_curve" in trained.metrics:
        remarks.insert(0, trained.metrics["learning_curve"]["verdict"])
    print(
        f"accuracy       {test.top1:.1%} on {test.images} test pictures"
        f" (95% interval {low:.1%} to {high:.1%})\n"
        f"macro F1       {test.macro_f1:.1%}\n"
        f"weakest class  '{printable(weakest.label)}': F1 {weakest.f1:.1%},"
        f" {round(weakest.recall * weakest.images)} of {weakest.images} found\n"
        + "".join(f"note           {printable(remark)}\n" for remark in remarks)
        + f"run            {trained.run.path}\n"
        f"report         {trained.run.path / 'report.html'}\n"
        f"next           {command} --int8"
    )
