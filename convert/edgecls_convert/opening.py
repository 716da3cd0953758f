"""What the command was given -> what is converted: a run, the latest one, or a `.keras` file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgecls.contract.files import read_regular_file
from edgecls.contract.labels import Labels
from edgecls.contract.run import RunFolder, find_latest_run, open_run
from edgecls.errors import DatasetError, InvalidValueError
from edgecls_convert.foreign import ForeignSettings, open_foreign_source
from edgecls_convert.formats import is_saved_model
from edgecls_convert.source import ConversionSource, open_run_source

_MAX_LABELS_BYTES: Final = 4 << 20


def find_run(path: Path) -> RunFolder | None:
    """The run that is meant by its folder or by the model in it; None for any other model file.

    Raises:
        RunError: It is not there, or not complete.
    """
    if not path.suffix or (path.is_dir() and not is_saved_model(path)):
        return open_run(path)
    run = RunFolder(path.parent)
    return run if run.is_complete and path == run.model_path else None


def open_source(path: Path | None, data: str | None, settings: ForeignSettings) -> ConversionSource:
    """Open a run, or a model file with its pictures.

    Args:
        path: A run folder, a `.keras` file, or None for the latest run.
        data: Pictures; for a run where they are now, None for where they were.
        settings: For a model without a run.

    Raises:
        DatasetError: A model without a run and without pictures.
        EdgeclsError: See `open_run_source` and `open_foreign_source`.
    """
    if path is None:
        return open_run_source(find_latest_run(), data)
    run = find_run(path)
    if run is not None:
        return open_run_source(run, data)
    if data is None:
        raise DatasetError(
            f"'{path}' comes without a run, and so without pictures to calibrate and measure with",
            hint=f"give some, one folder a class: edgecls convert {path} --data FOLDER",
        )
    return open_foreign_source(path, data, settings)


def load_labels(path: Path) -> Labels:
    """The labels of a file: one name a line, in the order of the scores.

    Raises:
        InvalidValueError: It cannot be read, or is no list of labels.
    """
    content = read_regular_file(path, _MAX_LABELS_BYTES, InvalidValueError)
    try:
        return Labels.from_text(content)
    except InvalidValueError as wrong:
        raise InvalidValueError(f"label file '{path}': {wrong.problem}", hint=wrong.hint) from wrong
