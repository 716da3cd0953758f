"""The command `edgecls train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.console import json_line, printable, progress

if TYPE_CHECKING:
    from edgecls_train.training import TrainedRun


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="A folder with one folder of pictures a class, or 'digits'.",
            show_default="the built-in digits",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A built-in recipe or a .toml file: cnn, cnn-dense, cnn-deep, photos-small.",
            show_default="cnn-deep for the digits, photos-small for folders",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="How often every picture is seen.", show_default="the recipe's"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures a step.", show_default="the recipe's")
    ] = None,
    imgsz: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Height and width of the network's image, in pixels.",
            show_default="the recipe's",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="The same seed gives the same model.", show_default="the recipe's"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where numbered run folders are made.",
            show_default="runs/train",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the summary.")
    ] = False,
) -> None:
    """Train a classifier on labelled pictures.

    Options override the recipe. What comes out is a run folder, runs/train/1 and so on, with the
    model, its accuracy on pictures it has never seen, and the recipe that repeats it.

    \b
    Examples:
      edgecls train                                  the built-in digits
      edgecls train photos --epochs 60               photos/cat/*.jpg, photos/dog/*.jpg
      edgecls train --recipe runs/train/1/recipe.toml
    """
    from edgecls.contract.run import RUNS
    from edgecls.pictures import DIGITS, open_pictures
    from edgecls_train.recipe_file import load_recipe
    from edgecls_train.training import default_recipe, train_classifier

    origin = DIGITS if data is None else data
    chosen = load_recipe(recipe) if recipe is not None else default_recipe(origin)
    chosen = chosen.override(epochs=epochs, batch_size=batch_size, image_side=imgsz, seed=seed)
    pictures = open_pictures(origin)
    if data is None:
        _say(f"no DATA given: training on the built-in digits ({len(pictures)} pictures)")
    runs = RUNS if out is None else out
    trained = train_classifier(pictures, chosen, runs, progress=progress, say=_say)
    if as_json:
        print(json_line(trained.metrics))
    else:
        _print_summary(trained, is_default_place=runs == RUNS)


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _print_summary(trained: TrainedRun, *, is_default_place: bool) -> None:
    from edgecls.metrics import wilson_interval

    test = trained.test
    right = int(test.confusion.trace())
    low, high = wilson_interval(right, test.images)
    weakest = min((q for q in test.per_class if q.images), key=lambda q: q.f1)
    command = "edgecls convert" if is_default_place else f"edgecls convert {trained.run.path}"
    print(
        f"accuracy       {test.top1:.1%} on {test.images} test pictures"
        f" (95% interval {low:.1%} to {high:.1%})\n"
        f"macro F1       {test.macro_f1:.1%}\n"
        f"weakest class  '{printable(weakest.label)}': F1 {weakest.f1:.1%},"
        f" {round(weakest.recall * weakest.images)} of {weakest.images} found\n"
        f"run            {trained.run.path}\n"
        f"next           {command} --int8"
    )
