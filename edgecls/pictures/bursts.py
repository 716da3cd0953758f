"""Which pictures of a folder were taken in one burst, as whoever took them wrote down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from edgecls.pictures.layout import SPELLINGS

LOG_NAME: Final = "records.jsonl"
_MAX_LINE_BYTES: Final = 1 << 20


def read_bursts(root: Path) -> dict[str, str]:
    """The burst of each picture that has one, by the last part of the picture's name.

    `records.jsonl`, which a recording and a collection write, says it in its field `burst`. The
    name of a file is enough: such names begin with a number that is given once, and a picture that
    is put into the folder of another label keeps its name.

    Args:
        root: The folder of the data set; where it has subsets, they have logs of their own.

    Returns:
        Nothing where there is no such file, or where it is of another kind.
    """
    bursts: dict[str, str] = {}
    for folder in (root, *(root / subset for subset in SPELLINGS)):
        try:
            with (folder / LOG_NAME).open("rb") as lines:
                while line := lines.readline(_MAX_LINE_BYTES):
                    if b'"burst"' in line:
                        _take(bursts, line)
        except OSError:
            continue  # most folders have none
    return bursts


def _take(bursts: dict[str, str], line: bytes) -> None:
    try:
        fields = json.loads(line)
        name, burst = fields["file"], fields["burst"]
    except (ValueError, KeyError, TypeError):
        return
    if isinstance(name, str) and isinstance(burst, str) and burst:
        bursts[name.rpartition("/")[2]] = burst
