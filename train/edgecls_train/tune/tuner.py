"""Trains candidate after candidate, each an ordinary run, and makes the best one the latest run."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from edgecls.console import Advance, ShowProgress
from edgecls.contract.files import write_atomically, write_json
from edgecls.contract.run import RUNS, RunFolder, create_run
from edgecls.errors import EdgeclsError, EngineError, NotInstalledError, RecipeError
from edgecls.pictures import PictureSet
from edgecls_train.backend import load_keras
from edgecls_train.progress import no_progress
from edgecls_train.report.markup import escape
from edgecls_train.training import train_classifier
from edgecls_train.tune.cost import Cost, Limits, measure_cost, network_form
from edgecls_train.tune.draw import draw_front
from edgecls_train.tune.plan import Candidate, count_survivors, plan_rungs, shorten
from edgecls_train.tune.results import Outcome, Trial, Tuning, rank

TUNINGS: Final = Path("runs/tune")
Say = Callable[[str], None]
Stopped = Literal["", "out of time", "interrupted"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where numbered folders are made: `runs` for the winner, `tunings` for all trials of one."""

    runs: Path = RUNS
    tunings: Path = TUNINGS


HERE: Final = Place()
NO_LIMITS: Final = Limits()


def tune_recipes(
    pictures: PictureSet,
    candidates: Sequence[Candidate],
    place: Place = HERE,
    *,
    limits: Limits = NO_LIMITS,
    minutes: float | None = None,
    is_search: bool = False,
    progress: ShowProgress = no_progress,
    say: Say = lambda _: None,
) -> Tuning:
    """Train candidates and compare them on validation pictures; test pictures choose nothing.

    Ctrl-C and the end of the time keep every trial that is complete, and the best of them wins.

    Args:
        pictures: At least three of each class.
        candidates: What to try, at least one.
        place: Where to; each trial stays there as a complete run.
        limits: A network that costs more is not trained.
        minutes: The time there is, which ends a trial between two epochs; None: all there is.
        is_search: Whether only the best third is trained for all its epochs.
        progress: Shows how far each trial is.
        say: Takes lines for people.

    Raises:
        RecipeError: No candidate is within the limits, or none could be trained.
        DatasetError: The pictures cannot be split, or most cannot be read.
        KeyboardInterrupt: Before any trial was complete.
        EdgeclsError: The disk is full, or nothing was trained in the time there was.
    """
    load_keras()  # before any progress is shown: it silences stderr
    end = float("inf") if minutes is None else time.monotonic() + 60.0 * minutes
    folder = create_run(place.tunings).path
    tuner = _Tuner(pictures, folder, limits, end, progress, say)
    try:
        tuner.try_all(candidates, plan_rungs(len(candidates)) if is_search else (1.0,))
        return tuner.conclude(place.runs)
    finally:
        _remove_unless_trained(folder)


def _remove_unless_trained(folder: Path) -> None:
    if not any(path.is_dir() for path in folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()  # unless there are others


class _OutOfTime(Exception):
    """The time ended between two epochs."""


class _Tuner:
    """The trials so far, and what they share."""

    def __init__(
        self,
        pictures: PictureSet,
        folder: Path,
        limits: Limits,
        end: float,
        progress: ShowProgress,
        say: Say,
    ) -> None:
        self._pictures = pictures
        self._folder = folder
        self._limits = limits
        self._end = end
        self._progress = progress
        self._say = say
        self._trials: list[Trial] = []
        self._planned = 0
        self._stopped: Stopped = ""

    def try_all(self, candidates: Sequence[Candidate], rungs: Sequence[float]) -> None:
        """Fill the trials, the cheapest of each rung first: something is complete early."""
        try:
            affordable = self._price(candidates)
            left = len(affordable)
            for _ in rungs:
                self._planned += left
                left = count_survivors(left)
            for share in rungs:
                ordered = sorted(affordable, key=lambda pair: pair[1].macs)
                tried = {self._train(*pair, share).number: pair for pair in ordered}
                latest = [trial for trial in self._trials if trial.number in tried]
                survivors = rank(latest)[: count_survivors(len(tried))]
                affordable = [tried[trial.number] for trial in survivors]
        except _OutOfTime:
            self._stopped = "out of time"
        except KeyboardInterrupt:
            if not rank(self._trials):
                raise
            self._stopped = "interrupted"
            self._say("interrupted: the trials that are complete are kept")

    def conclude(self, runs: Path) -> Tuning:
        """Make the best trial the latest run.

        Raises:
            RecipeError: There is none.
        """
        ranked = rank(self._trials)
        if not ranked or ranked[0].run is None:
            raise self._nothing_trained()
        winner = ranked[0]
        picture = self._folder / "tuning.png"
        write_atomically(picture, draw_front(self._trials, winner, self._limits))
        run, metrics = publish(ranked[0].run, runs)
        tuning = Tuning(
            tuple(self._trials), winner, run, metrics, picture, self._limits, self._stopped
        )
        write_json(self._folder / "tuning.json", tuning.to_json())
        return tuning

    def _price(self, candidates: Sequence[Candidate]) -> list[tuple[Candidate, Cost]]:
        """The candidates within the limits; the others become trials that were not trained."""
        affordable = []
        known: dict[Hashable, Cost] = {}
        with self._progress("measuring networks", len(candidates)) as advance:
            for done, candidate in enumerate(candidates, start=1):
                try:
                    form = network_form(candidate.recipe)
                    if form not in known:
                        known[form] = measure_cost(candidate.recipe, len(self._pictures.labels))
                    cost = known[form]
                except (RecipeError, EngineError) as wrong:
                    self._note(candidate, None, "failed", wrong.problem)
                else:
                    excess = self._limits.find_excess(cost)
                    if excess:
                        self._note(candidate, cost, "over the limit", excess)
                    else:
                        affordable.append((candidate, cost))
                advance(done, candidate.recipe.name)
        return affordable

    def _train(self, candidate: Candidate, cost: Cost, share: float) -> Trial:
        recipe = shorten(candidate.recipe, share)
        number = 1 + sum(trial.outcome in ("trained", "failed") for trial in self._trials)
        title = f"trial {min(number, self._planned)} of {self._planned}, {recipe.name}"
        self._check_time()
        try:
            trained = train_classifier(
                self._pictures,
                recipe,
                self._folder,
                progress=lambda task, total: self._until_the_end(f"{title}: {task}", total),
                say=self._say,
            )
        except (RecipeError, NotInstalledError) as wrong:
            return self._note(candidate, cost, "failed", wrong.problem, epochs=recipe.epochs)
        except _OutOfTime:
            self._note(candidate, cost, "out of time", epochs=recipe.epochs)
            raise
        except KeyboardInterrupt:
            self._note(candidate, cost, "interrupted", epochs=recipe.epochs)
            raise
        val = trained.metrics["val"]
        return self._note(
            candidate,
            cost,
            "trained",
            epochs=recipe.epochs,
            run=trained.run,
            right=sum(row[place] for place, row in enumerate(val["confusion"])),
            images=val["images"],
            seconds=trained.metrics["seconds"],
        )

    def _note(
        self, candidate: Candidate, cost: Cost | None, outcome: Outcome, why: str = "", **more: Any
    ) -> Trial:
        more.setdefault("epochs", candidate.recipe.epochs)
        name = candidate.recipe.name
        trial = Trial(
            number=len(self._trials) + 1,
            recipe=name,
            changes=candidate.changes,
            cost=cost,
            outcome=outcome,
            why=why,
            **more,
        )
        self._trials.append(trial)
        # After a crash, what was tried is known.
        trials = [entry.to_json() for entry in self._trials]
        write_json(self._folder / "tuning.json", {"trials": trials})
        return trial

    @contextlib.contextmanager
    def _until_the_end(self, title: str, total: int) -> Iterator[Advance]:
        with self._progress(title, total) as advance:

            def limited(done: int, note: str = "") -> None:
                advance(done, note)
                if done < total:
                    self._check_time()

            yield limited

    def _check_time(self) -> None:
        if time.monotonic() >= self._end:
            raise _OutOfTime

    def _nothing_trained(self) -> EdgeclsError:
        over = [trial for trial in self._trials if trial.outcome == "over the limit"]
        failed = [trial for trial in self._trials if trial.outcome == "failed"]
        if self._stopped:
            return EdgeclsError(
                "the time ended before any trial was complete",
                hint="set more --minutes, fewer --epochs, or smaller recipes",
            )
        if failed:
            return RecipeError(
                f"no recipe could be trained; the first, {failed[0].recipe!r}: {failed[0].why}"
            )
        smallest = min(over, key=lambda trial: trial.cost.macs if trial.cost else 0)
        return RecipeError(
            f"no network is within the limits; the smallest, {smallest.recipe!r}, takes"
            f" {smallest.why}",
            hint="raise the limit, or give smaller recipes, a smaller width or image size",
        )


def publish(trial: RunFolder, runs: Path) -> tuple[RunFolder, dict[str, Any]]:
    """Copy a complete run to the next number below `runs`, its own path in it replaced.

    Returns:
        The copy, and what its `metrics.json` holds.

    Raises:
        EdgeclsError: The disk is full or not writable; nothing is left.
    """
    run = create_run(runs)
    try:
        for path in trial.path.iterdir():
            if path.is_file() and path.name not in ("metrics.json", "report.html"):
                shutil.copy2(path, run.path)
        report = (trial.path / "report.html").read_text("utf-8")
        report = report.replace(escape(str(trial.path)), escape(str(run.path)))
        write_atomically(run.path / "report.html", report.encode())
        metrics = trial.load_metrics() | {"run": str(run.path), "model": str(run.model_path)}
        run.save_metrics(metrics)
    except BaseException as wrong:
        shutil.rmtree(run.path, ignore_errors=True)
        if isinstance(wrong, OSError):
            raise EdgeclsError(
                f"cannot copy '{trial.path}' to '{run.path}': {wrong.strerror}",
                hint=f"it is a complete run: edgecls convert {trial.path}",
            ) from wrong
        raise
    return run, metrics
