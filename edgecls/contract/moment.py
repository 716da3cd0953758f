"""Times of strangers: a camera's clock, a video's, a log's, each as one that a calendar has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

# The last second of the year 9999: calendars of computers go from 1970 to there.
LAST_S: Final = 253402300799.0


def within_calendar(seconds: float) -> float:
    """The nearest time that can be written as a date; what is no number is 1970.

    Args:
        seconds: Since 1970; any number, also none (NaN).
    """
    return min(max(0.0, seconds), LAST_S)


def to_moment(seconds: float) -> datetime:
    """A time in UTC, from 1970 to 9999; see `within_calendar`."""
    return datetime.fromtimestamp(within_calendar(seconds), UTC)
