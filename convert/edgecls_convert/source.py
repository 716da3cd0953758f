"""What is converted: a model, what it promises, and pictures to calibrate and to measure with."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecls.contract.card import ModelCard
from edgecls.contract.run import RunFolder
from edgecls_convert.network import check_keeps_card, load_model, to_network
from edgecls_convert.subsets import RunPictures, open_run_pictures


@dataclass(frozen=True, eq=False)
class ConversionSource:
    """A model with its card and its pictures, of a run or of others.

    Args:
        path: Where it was read from, for messages.
        model: The `keras.Model`, its batch as it was saved: raw pixels (0-255) in, scores out.
            Share it, do not change it: work on copies of its weights.
        card: What it promises; metrics and provenance as training left them.
        pictures: `train` to calibrate with, `test` to measure with, `val` (empty where a model
            comes without a run) to fit temperature and thresholds with.
        warnings: What is doubtful about it, in plain words.
    """

    path: Path
    model: Any
    card: ModelCard
    pictures: RunPictures
    warnings: tuple[str, ...] = ()

    @functools.cached_property
    def network(self) -> Any:
        """The model in inference mode with a batch of one, as it is converted."""
        return to_network(self.model, self.card.preprocessing.shape)


def open_run_source(run: RunFolder, data: str | None = None) -> ConversionSource:
    """What a training left behind.

    Args:
        run: A complete one.
        data: Where its pictures are now; None for where they were.

    Raises:
        RunError: The run does not hold what a conversion needs.
        DatasetError: Its pictures are gone or have changed.
        NotAClassifierError: Its network is not one image in, one list of scores out.
        ModelFileError: Its network cannot be loaded.
    """
    card = run.load_card()
    pictures = open_run_pictures(run, card, data)
    model = load_model(run.model_path)
    check_keeps_card(run.model_path, model, card)
    provenance = {"data": pictures.pictures.origin, **card.provenance}
    return ConversionSource(
        run.path, model, dataclasses.replace(card, provenance=provenance), pictures
    )
