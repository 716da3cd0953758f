"""The command `edgecls tune`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import RUNS, Reads, Writes

if TYPE_CHECKING:
    from edgecls_train.tune import Candidate, Trial, Tuning

EXIT_INTERRUPTED: Final = 130
_AMOUNT: Final = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([kKmMgG]?)")
_UNITS: Final = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def _to_amount(text: str | int) -> int:
    """4000000 from `4M`; wrong usage is told before anything heavy is imported."""
    match = _AMOUNT.fullmatch(str(text).strip())
    amount = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if amount < 1:
        raise typer.BadParameter(f"{text!r} is no amount above 0, such as 500k, 4M or 1200000")
    return amount


def tune(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]", help="As for 'edgecls train'.", show_default="the built-in digits"
        ),
        Reads("data"),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe",
            "-r",
            metavar="NAME|FILE",
            help="A recipe to try; give it several times.",
            show_default="three that fit the data",
        ),
        Reads("recipe"),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(
            min=0,
            max=10_000,
            metavar="N",
            help="Search: try N candidates, the recipes and variants of them (learning rate, width,"
            " image size, augmentation); the best third gets all its epochs. 0: only the recipes.",
        ),
    ] = 0,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="M", help="Stop after M minutes; what is complete counts."),
    ] = None,
    max_bytes: Annotated[
        int | None,
        typer.Option(
            parser=_to_amount, metavar="N", help="Most bytes of the int8 model: 500k, 4M."
        ),
    ] = None,
    max_macs: Annotated[
        int | None,
        typer.Option(parser=_to_amount, metavar="N", help="Most multiply-accumulates: 12M."),
    ] = None,
    max_latency_ms: Annotated[
        float | None,
        typer.Option(
            metavar="MS", help="Most milliseconds of the int8 model on this machine, one thread."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Epochs, in place of the recipes' own.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Of the trials, and of what the search draws."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the winner's run folder is made; the trials go to DIR/tune.",
            show_default="runs/train and runs/tune",
        ),
        Writes(RUNS),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
) -> None:
    """Try several recipes and keep the best one that the board can afford.

    Every trial is an ordinary training. They are compared on validation pictures; the test pictures
    choose nothing, so the winner's accuracy on them is honest. What a network costs is measured
    before it is trained, and one that costs too much is not. The winner becomes the latest run,
    which 'edgecls convert' takes; the others stay in runs/tune. Ctrl-C keeps what is complete.

    \b
    Examples:
      edgecls tune                                          three recipes for the digits
      edgecls tune photos --recipe photos-small --recipe mine.toml
      edgecls tune photos --trials 9 --minutes 60 --max-macs 20M
      edgecls tune photos --max-bytes 500k --max-latency-ms 5
    """
    from edgecls.contract.run import RUNS
    from edgecls.pictures import DIGITS, open_pictures
    from edgecls_train.tune import Limits, Place, tune_recipes

    limits = Limits(max_bytes, max_macs, max_latency_ms)
    origin = DIGITS if data is None else data
    candidates = _plan(origin, recipe or [], trials, epochs, seed)
    pictures = open_pictures(origin)
    if data is None:
        _say(f"no DATA given: tuning on the built-in digits ({len(pictures)} pictures)")
    tuning = tune_recipes(
        pictures,
        candidates,
        Place() if out is None else Place(out, out / "tune"),
        limits=limits,
        minutes=minutes,
        is_search=trials > 0,
        progress=progress,
        say=_say,
    )
    if as_json:
        print(json_line(tuning.to_json()))
    else:
        _print_table(tuning)
        _print_summary(tuning, is_default_place=tuning.run.path.parent == RUNS)
    if tuning.stopped == "interrupted":
        raise typer.Exit(EXIT_INTERRUPTED)


def _plan(
    origin: str, names: list[str], trials: int, epochs: int | None, seed: int | None
) -> list[Candidate]:
    from edgecls_train.recipe_file import load_recipe
    from edgecls_train.tune import default_recipes, plan_candidates

    recipes = [load_recipe(name) for name in names] or default_recipes(origin)
    recipes = [recipe.override(epochs=epochs, seed=seed) for recipe in recipes]
    return plan_candidates(recipes, trials, seed or 0)


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)


def _print_table(tuning: Tuning) -> None:
    front = {trial.number for trial in tuning.front}
    header = ("trial", "", "recipe", "epochs", "validation", "MACs", "int8", "latency", "seconds")
    rows = [header, *(_row(trial, tuning, front) for trial in tuning.trials)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
        print("  ".join([*left, *right]).rstrip())
    print("* winner   - on the best front: nothing of as few MACs is better")
    for trial in tuning.trials:
        if trial.outcome != "trained":
            print(
                f"{trial.number}: {trial.outcome}" + (f": {printable(trial.why)}" * bool(trial.why))
            )


def _row(trial: Trial, tuning: Tuning, front: set[int]) -> tuple[str, ...]:
    mark = "*" if trial.number == tuning.winner.number else "-" if trial.number in front else ""
    name = printable(trial.recipe) + (f" ({trial.changes})" if trial.changes else "")
    cost = trial.cost
    trained = trial.run is not None
    return (
        str(trial.number),
        mark,
        name,
        str(trial.epochs),
        f"{trial.accuracy:.1%}" if trained else trial.outcome,
        f"{cost.macs / 1e6:,.2f} M" if cost else "",
        f"{cost.bytes / 1e3:,.0f} kB" if cost else "",
        f"{cost.latency_ms:.3g} ms" if cost else "",
        f"{trial.seconds:.0f}" if trained else "",
    )


def _print_summary(tuning: Tuning, *, is_default_place: bool) -> None:
    winner, test = tuning.winner, tuning.metrics["test"]
    low, high = test["top1_interval"]
    command = "edgecls convert" if is_default_place else f"edgecls convert {tuning.run.path}"
    lines: list[tuple[str, Any]] = [
        ("winner", f"trial {winner.number}, {printable(winner.recipe)}"),
        (
            "accuracy",
            f"{test['top1']:.1%} on {test['images']} test pictures"
            f" (95% interval {low:.1%} to {high:.1%})",
        ),
    ]
    if (other := tuning.cheaper) and other.cost and winner.cost and other.run:
        share = other.cost.macs / max(1, winner.cost.macs)
        lines.append(
            (
                "cheaper",
                f"trial {other.number} is as good within the winner's 95% interval, at"
                f" {share:.0%} of its MACs: edgecls convert {other.run.path}",
            )
        )
    if tuning.stopped:
        lines.append(("stopped", f"{tuning.stopped}; trials that were not complete do not count"))
    lines += [("picture", tuning.picture), ("run", tuning.run.path), ("next", f"{command} --int8")]
    for name, value in lines:
        print(f"{name:<14} {value}")
