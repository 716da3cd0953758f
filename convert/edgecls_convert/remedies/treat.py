"""Remedies in order, each judged on pictures that it did not learn from."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, TypeAlias

from edgecls.console import ShowProgress
from edgecls.errors import InvalidValueError, ModelFileError, NotAClassifierError
from edgecls_convert.attempt import Attempt, convert_once, open_classifier
from edgecls_convert.calibration import CalibrationSet, load_calibration_set
from edgecls_convert.forms import Target
from edgecls_convert.gate import Tolerance, passes
from edgecls_convert.parity import Comparison, compare_scores, score_pictures, targets_of
from edgecls_convert.remedies.bias import correct_biases
from edgecls_convert.remedies.candidate import Candidate, Judged, pictures_to_judge_on
from edgecls_convert.remedies.equalize import equalize
from edgecls_convert.remedies.finetune import SCHEDULE, Schedule, fine_tune
from edgecls_convert.remedies.fold import fold_norms
from edgecls_convert.remedies.graph import Graph, build_network, read_graph
from edgecls_convert.remedies.outcome import Outcome, Treated
from edgecls_convert.source import ConversionSource
from edgecls_convert.subsets import choose_stratified

RemedyMode: TypeAlias = Literal["none", "needed", "all"]

MORE_CALIBRATION: Final = 500
MOST_TUNED: Final = 2000
_MOST_TUNED_BYTES: Final = 256 << 20
WORDS: Final = {
    "calibration": "other calibration pictures, and more",
    "per-channel": "one scale for each channel of the weights",
    "bias": "bias correction",
    "equalize": "cross-layer equalization, then bias correction",
    "fine-tune": "a short fine-tune with rounded weights",
}


def treat(
    source: ConversionSource,
    attempt: Attempt,
    calibration: CalibrationSet | None,
    target: Target,
    tolerance: Tolerance,
    mode: RemedyMode,
    progress: ShowProgress,
    schedule: Schedule = SCHEDULE,
) -> Treated:
    """Try remedies until one passes the gate, or all of them; keep the best.

    They are judged on validation pictures, so that the held-out ones stay what nothing was chosen
    on: those only say at the end whether the gate opens. A model without a run has no validation
    pictures, and is judged on the held-out ones.

    Args:
        source: The model and its pictures.
        attempt: The first conversion, measured on the held-out pictures.
        calibration: What it was calibrated on; None for a form that needs none: nothing is tried.
        target: The form.
        tolerance: Of the gate.
        mode: `needed` tries only where the gate is shut, and stops once it opens; `all` tries all.
        progress: Shows how far each step is.
        schedule: Of the fine-tune.
    """
    is_open = passes(attempt.comparison, tolerance)
    if mode == "none" or calibration is None or (mode == "needed" and is_open):
        return Treated(attempt, calibration)
    ward = _Ward(source, attempt, calibration, target, schedule, progress)
    for judged in ward.try_all():
        if mode == "needed" and judged is ward.best and passes(judged.comparison, tolerance):
            found = ward.measure_best()
            if passes(found.attempt.comparison, tolerance):
                return found
    found = ward.measure_best()
    if is_open and not passes(found.attempt.comparison, tolerance):
        return Treated(attempt, calibration, ward.outcomes(kept=""))
    return found


class _Ward:
    """The remedies, and the best candidate so far."""

    def __init__(
        self,
        source: ConversionSource,
        attempt: Attempt,
        calibration: CalibrationSet,
        target: Target,
        schedule: Schedule,
        progress: ShowProgress,
    ) -> None:
        self._source, self._attempt, self._schedule = source, attempt, schedule
        self._progress = progress
        self._pictures, self._subset = pictures_to_judge_on(source.pictures, calibration.seed)
        with progress("measuring float and int8 for remedies", self._count) as advance:
            scores = score_pictures(
                (attempt.in_float, attempt.classifier), self._pictures, self._subset, advance
            )
        self._float_scores = scores[0]
        first = Candidate(attempt.network, calibration, target)
        self._first = Judged(first, attempt.classifier, self._compare(scores[1], target))
        self.best = self._first
        self._best_name = ""
        self._outcomes: list[Outcome] = []
        self._tests: dict[str, Comparison] = {"": attempt.comparison}

    @property
    def _count(self) -> int:
        return len(self._pictures.subsets[self._subset])

    def try_all(self) -> Iterator[Judged]:
        """Each remedy in turn: what it makes, judged."""
        remedies: tuple[tuple[str, Callable[[], Candidate]], ...] = (
            ("calibration", self._recalibrate),
            ("per-channel", self._give_channels_scales),
            ("bias", self._correct_biases),
            ("equalize", self._equalize),
            ("fine-tune", self._fine_tune),
        )
        for name, make in remedies:
            if name == "per-channel" and self._first.candidate.target.form != "per-tensor":
                continue  # they have them already
            judged = self._try(name, make)
            if judged is not None:
                yield judged

    def measure_best(self) -> Treated:
        """The best so far on the held-out pictures."""
        best, name = self.best, self._best_name
        if name not in self._tests:
            self._tests[name] = self._measure_on_test(best)
        attempt = Attempt(
            best.candidate.network, best.classifier, self._tests[name], self._attempt.in_float
        )
        return Treated(attempt, best.candidate.calibration, self.outcomes(kept=name))

    def outcomes(self, *, kept: str) -> tuple[Outcome, ...]:
        """Of all remedies so far."""
        return tuple(
            dataclasses.replace(outcome, is_kept=outcome.remedy == kept)
            for outcome in self._outcomes
        )

    def _try(self, name: str, make: Callable[[], Candidate]) -> Judged | None:
        started = time.monotonic()
        try:
            candidate = make()
            judged = self._judge(candidate)
        except (NotAClassifierError, ModelFileError) as wrong:
            note = f"not possible, {wrong.problem}"
            self._outcomes.append(Outcome(name, WORDS[name], note=note))
            return None
        found = judged.comparison
        outcome = Outcome(
            name,
            WORDS[name],
            subset=self._subset,
            images=found.in_int8.images,
            top1=found.in_int8.top1,
            gained=found.in_int8.right - self._first.comparison.in_int8.right,
            drop=found.drop,
            agreement=found.agreement,
            seconds=time.monotonic() - started,
        )
        is_other_form = candidate.target != self._first.candidate.target
        if is_other_form:
            note = f"not kept, since {self._first.candidate.target.form} was asked for"
            outcome = dataclasses.replace(outcome, note=note)
        elif judged.rank > self.best.rank:
            self.best, self._best_name = judged, name
        self._outcomes.append(outcome)
        return judged

    def _judge(self, candidate: Candidate) -> Judged:
        model = convert_once(
            candidate.network, self._source.card, candidate.target, candidate.calibration
        )
        classifier = open_classifier(model)
        with self._progress("measuring the remedy", self._count) as advance:
            scores = score_pictures((classifier,), self._pictures, self._subset, advance)
        return Judged(candidate, classifier, self._compare(scores[0], candidate.target))

    def _compare(self, scores: Any, target: Target) -> Comparison:
        targets = targets_of(self._pictures, self._subset)
        labels = self._source.card.labels
        return compare_scores(self._float_scores, scores, targets, labels, target.form)

    def _measure_on_test(self, judged: Judged) -> Comparison:
        pictures, form = self._source.pictures, judged.candidate.target.form
        with self._progress(f"measuring {form}", len(pictures.subsets["test"])) as advance:
            scores = score_pictures((judged.classifier,), pictures, "test", advance)
        in_float = self._attempt.comparison.float_scores
        if in_float is None:
            raise InvalidValueError("the first conversion was measured without keeping its scores")
        targets, labels = targets_of(pictures, "test"), pictures.card.labels
        return compare_scores(in_float, scores[0], targets, labels, form)

    # The remedies. Each starts from the best calibration set so far.

    def _recalibrate(self) -> Candidate:
        first = self._first.candidate
        wanted = max(MORE_CALIBRATION, 2 * len(first.calibration.images))
        available = len(self._source.pictures.subsets["train"])
        with self._progress("reading other calibration pictures", min(wanted, available)) as a:
            calibration = load_calibration_set(
                self._source.pictures, wanted, first.calibration.seed + 1, a
            )
        return dataclasses.replace(first, calibration=calibration)

    def _give_channels_scales(self) -> Candidate:
        best = self.best.candidate
        return dataclasses.replace(best, target=dataclasses.replace(best.target, form="int8"))

    def _correct_biases(self) -> Candidate:
        return self._corrected(self._folded())

    def _equalize(self) -> Candidate:
        return self._corrected(equalize(self._folded(), self._images))

    def _fine_tune(self) -> Candidate:
        graph = self.best.candidate.graph or self._folded()
        pictures = self._source.pictures
        image_bytes = pictures.card.preprocessing.shape
        count = min(MOST_TUNED, _MOST_TUNED_BYTES // (image_bytes[0] * image_bytes[1] * 3))
        seed = self._first.candidate.calibration.seed
        chosen = choose_stratified(pictures.subsets["train"], count, seed)
        with self._progress("reading pictures to fine-tune on", len(chosen)) as advance:
            images = []
            for done, example in enumerate(chosen, start=1):
                images.append(pictures.load_image(example))
                advance(done)
        with self._progress("fine-tuning", self._schedule.steps) as advance:
            tuned = fine_tune(
                graph,
                self._source.model,
                images,
                self._first.candidate.target.form,
                seed,
                advance,
                self._schedule,
            )
        return self._with_graph(tuned)

    @property
    def _images(self) -> list[Any]:
        return list(self.best.candidate.calibration.images)

    def _folded(self) -> Graph:
        return fold_norms(read_graph(self._source.network))

    def _corrected(self, graph: Graph) -> Candidate:
        form = self._first.candidate.target.form
        return self._with_graph(correct_biases(graph, self._images, form))

    def _with_graph(self, graph: Graph) -> Candidate:
        return dataclasses.replace(self.best.candidate, network=build_network(graph), graph=graph)
