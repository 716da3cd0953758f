"""Statistics of the held-out pictures, for the card: what boards compare their frames with."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from edgecls.classifier import Classifier
from edgecls.console import ShowProgress
from edgecls.contract.card import Output
from edgecls.contract.learnt import STATISTICS, Learnt, learn
from edgecls.imaging.statistics import measure_image
from edgecls_convert.subsets import Example, RunPictures, choose_stratified

# Enough for the outer quantiles; a larger set would cost seconds for the same figures.
MOST_PICTURES: Final = 1000
# From fewer nothing can be said about what is usual.
LEAST_PICTURES: Final = 20


def measure_learnt(
    classifier: Classifier,
    output: Output,
    pictures: RunPictures,
    seed: int,
    progress: ShowProgress,
) -> dict[str, Learnt]:
    """Measure held-out pictures as a board will measure its frames: prepared, and after its engine.

    The pictures are those that training has not seen, test and validation: what a network has
    trained on it is surer of than of anything a camera will ever show it.

    Args:
        classifier: The converted form on the board's engine.
        output: The decision of the card to be written; its temperature changes scores.
        pictures: Of the run.
        seed: Of the choice where there are very many pictures.
        progress: Shows how far it is.

    Returns:
        Statistic -> what it was; nothing where there are too few pictures to say what is usual.
    """
    held_out: list[Example] = [*pictures.subsets["test"], *pictures.subsets["val"]]
    chosen = choose_stratified(held_out, MOST_PICTURES, seed)
    if len(chosen) < LEAST_PICTURES:
        return {}
    card = dataclasses.replace(classifier.model.card, output=output)
    decided = Classifier(dataclasses.replace(classifier.model, card=card), classifier.runtime)
    rows: list[dict[str, float]] = []
    with progress("measuring what is usual", len(chosen)) as advance:
        for done, example in enumerate(chosen, start=1):
            image = pictures.load_image(example)
            score = float(decided.to_scores(decided.run_image(image)).max())
            rows.append({**measure_image(image), "score": score})
            advance(done)
    targets = np.array([example.target for example in chosen], np.int64)
    return {
        name: learn(name, np.array([row[name] for row in rows]), targets)
        for name in STATISTICS
        if name in rows[0]
    }
