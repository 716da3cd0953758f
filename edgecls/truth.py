"""What a recording really shows, and how well a steady label followed it."""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

import numpy as np

from edgecls.contract.events import UNKNOWN
from edgecls.contract.files import read_regular_file
from edgecls.contract.labels import Labels
from edgecls.contract.moment import LAST_S
from edgecls.decision import no_label
from edgecls.errors import DatasetError

MAX_TRUTH_BYTES: Final = 64 << 20
_CLOCK: Final = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")

Unit = Literal["time", "frame"]


@dataclass(frozen=True, slots=True)
class Truth:
    """From where on in a recording which label is right.

    Args:
        starts: Seconds or frame numbers, ascending.
        labels: The right label from there to the next; `unknown` where there is none.
        unit: Of `starts`.
    """

    starts: tuple[float, ...]
    labels: tuple[str, ...]
    unit: Unit = "time"

    def to_seconds(self, times_s: Sequence[float]) -> Truth:
        """Frame numbers turned into times.

        Args:
            times_s: When each frame of the recording was.

        Raises:
            DatasetError: A frame that the recording does not have.
        """
        if self.unit == "time":
            return self
        if self.starts[-1] >= len(times_s):
            raise DatasetError(
                f"the truth speaks of frame {self.starts[-1]:.0f},"
                f" the recording ends with {len(times_s) - 1}",
                hint="the first frame is 0; is it the truth of this recording?",
            )
        return Truth(tuple(times_s[int(start)] for start in self.starts), self.labels)


@dataclass(frozen=True, slots=True)
class Following:
    """How well a steady label followed the truth.

    Args:
        changes: Of the truth, after its beginning.
        detected: Changes that the steady label followed before the next came.
        missed: Changes that it did not.
        false: Times that it became a label that was not right at that moment.
        repeated: Times that it became the right label once more, after it had left it.
        right: Share of the time in which it was right.
        delays_s: From a change of the truth to that of the steady label, for each detected one.
    """

    changes: int
    detected: int
    missed: int
    false: int
    repeated: int
    right: float
    delays_s: tuple[float, ...]

    def delay_percentiles(self) -> dict[str, float | None]:
        """p50 and p95 of the delays, in seconds; None where nothing was detected."""
        if not self.delays_s:
            return {"p50": None, "p95": None}
        low, high = np.percentile(self.delays_s, (50, 95))
        return {"p50": round(float(low), 3), "p95": round(float(high), 3)}


def follow(truth: Truth, steady: Sequence[tuple[float, str]], end_s: float) -> Following:
    """Compare the changes of a steady label with the truth.

    Args:
        truth: In seconds. What comes before its first row is left out.
        steady: When the steady label became which one, ascending; before the first `unknown`.
        end_s: Where the recording ends.
    """
    delays: list[float] = []
    missed = false = repeated = 0
    right_s = 0.0
    steps = [(-np.inf, UNKNOWN), *steady]
    times = [time_s for time_s, _ in steps]
    for number, (start, label) in enumerate(zip(truth.starts, truth.labels, strict=True)):
        end = truth.starts[number + 1] if number + 1 < len(truth.starts) else end_s
        first = bisect_left(times, start) - 1  # the step that is in force before the start
        within = [steps[first], *(step for step in steps[first + 1 :] if step[0] < end)]
        right_s += _right_s(within, start, end, label)
        arrivals = [max(time_s, start) for time_s, name in within if name == label]
        if number and arrivals:
            delays.append(arrivals[0] - start)
        elif number:
            missed += 1
        false += sum(name not in (label, UNKNOWN) for _, name in within[1:])
        repeated += max(len(arrivals) - 1, 0) if label != UNKNOWN else 0
    seconds = end_s - truth.starts[0]
    return Following(
        changes=len(truth.starts) - 1,
        detected=len(delays),
        missed=missed,
        false=false,
        repeated=repeated,
        right=right_s / seconds if seconds > 0 else 0.0,
        delays_s=tuple(delays),
    )


def _right_s(steps: Sequence[tuple[float, str]], start: float, end: float, label: str) -> float:
    ends = [time_s for time_s, _ in steps[1:]] + [end]
    return sum(
        max(stop - max(time_s, start), 0.0)
        for (time_s, name), stop in zip(steps, ends, strict=True)
        if name == label
    )


def load_truth(path: Path, labels: Labels) -> Truth:
    """Read a table of `time,label` or `frame,label`.

    Times are seconds or h:mm:ss; an empty label or `unknown` says that none is right. A row that
    repeats the label before it is no change.

    Raises:
        DatasetError: It cannot be read; the message names the line.
    """
    content = read_regular_file(path, MAX_TRUTH_BYTES, DatasetError)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise DatasetError(f"'{path}' is not UTF-8 text", hint="save it as UTF-8") from wrong
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    except csv.Error as wrong:
        raise DatasetError(f"'{path}' is no table: {wrong}", hint="wanted 'time,label'") from wrong
    unit, rows = _read_header(path, rows)
    starts: list[float] = []
    names: list[str] = []
    for number, row in enumerate(rows, start=1):
        start, label = _read_row(f"row {number} of '{path}'", row, unit, labels)
        if starts and start < starts[-1]:
            raise DatasetError(
                f"row {number} of '{path}' goes back, from {starts[-1]:g} to {start:g}",
                hint="sort the rows",
            )
        if not names or label != names[-1]:
            starts.append(start)
            names.append(label)
    if not starts:
        raise DatasetError(f"'{path}' has no rows", hint="such as 12.5,cat: from 12.5 s on, cat")
    return Truth(tuple(starts), tuple(names), unit)


def _read_header(path: Path, rows: list[list[str]]) -> tuple[Unit, list[list[str]]]:
    if not rows or len(rows[0]) != 2 or _CLOCK.fullmatch(rows[0][0].strip()):
        return "time", rows
    unit, column = (cell.strip().lower() for cell in rows[0])
    if unit not in ("time", "frame") or column != "label":
        raise DatasetError(
            f"'{path}' begins with {','.join(rows[0])!r:.60}",
            hint="wanted 'time,label' or 'frame,label'",
        )
    return cast(Unit, unit), rows[1:]


def _read_row(where: str, row: list[str], unit: Unit, labels: Labels) -> tuple[float, str]:
    if len(row) != 2:
        raise DatasetError(f"{where} has {len(row)} cells, wanted a {unit} and a label")
    text, label = (cell.strip() for cell in row)
    match = _CLOCK.fullmatch(text)
    if match is None or (unit == "frame" and not text.isdecimal()):
        wanted = "seconds or h:mm:ss" if unit == "time" else "a frame number"
        raise DatasetError(f"{where} begins with {text!r:.40}, wanted {wanted}")
    if label not in ("", UNKNOWN) and label not in labels.names:
        wrong = no_label(label, labels)
        raise DatasetError(f"{where}: {wrong.problem}", hint=wrong.hint)
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    start = hours * 3600 + minutes * 60 + seconds
    if start > LAST_S:
        raise DatasetError(f"{where} begins with {text!r:.40}, which no recording lasts")
    return start, label or UNKNOWN
