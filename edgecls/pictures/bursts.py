"""Which pictures of a folder were taken in one burst, as whoever took them wrote down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgecls.contract.json_text import JsonObject, read_lines
from edgecls.errors import InvalidValueError
from edgecls.pictures.layout import SPELLINGS

LOG_NAME: Final = "records.jsonl"
# As long as a name of ours is: 12 digits of a press, 23 of a review.
MOST_OF_BURST: Final = 200


def read_bursts(root: Path, complain: Callable[[str], None] = lambda _: None) -> dict[str, str]:
    """The burst of each picture that has one, by the last part of the picture's name.

    `records.jsonl`, which a recording and a collection write, says it in its field `burst`. The
    name of a file is enough: such names begin with a number that is given once, and a picture that
    is put into the folder of another label keeps its name.

    Args:
        root: The folder of the data set; where it has subsets, they have logs of their own.
        complain: Takes what is wrong with a line, which is passed over.

    Returns:
        Nothing where there is no such file, or where it is of another kind.
    """
    bursts: dict[str, str] = {}
    for folder in (root, *(root / subset for subset in SPELLINGS)):
        for line in read_lines(folder / LOG_NAME, complain, holds=b'"burst"'):
            try:
                if burst := burst_of(line):
                    bursts[line.path("file").rpartition("/")[2]] = burst
            except InvalidValueError as wrong:
                complain(wrong.problem)
    return bursts


def burst_of(line: JsonObject) -> str:
    """What a picture was taken in, of its line in the log; empty where nobody wrote it down.

    Raises:
        InvalidValueError: It is no name.
    """
    return line.text("burst", "", most=MOST_OF_BURST)
