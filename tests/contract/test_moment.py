"""Any number is some time that a calendar has."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from edgecls.contract.moment import to_moment, within_calendar
from edgecls.sinks.csv import _moment_of
from edgecls.storage.album import Album, is_picture_name
from edgecls.storage.quota import Quota

STRANGE = [
    pytest.param(-1e12, id="long before 1970"),
    pytest.param(-0.5, id="half a second before 1970"),
    pytest.param(253402300800.0, id="the year 10000"),
    pytest.param(1e20, id="beyond all calendars"),
    pytest.param(math.inf, id="infinity"),
    pytest.param(-math.inf, id="minus infinity"),
    pytest.param(math.nan, id="no number"),
]


@pytest.mark.fault(103)
@pytest.mark.parametrize("seconds", STRANGE)
def test_a_strange_time_is_one_that_a_calendar_has(seconds: float) -> None:
    assert 1970 <= to_moment(seconds).year <= 9999
    assert time.gmtime(within_calendar(seconds)).tm_year == to_moment(seconds).year


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0, "1970-01-01T00:00:00"), (253402300799.0, "9999-12-31T23:59:59")],
)
def test_the_ends_of_the_calendar_are_themselves(seconds: float, written: str) -> None:
    assert to_moment(seconds).isoformat().startswith(written)


@pytest.mark.fault(103)
@pytest.mark.parametrize("seconds", STRANGE)
def test_a_picture_of_a_strange_time_is_kept_under_a_name_like_others(
    seconds: float, tmp_path: Path
) -> None:
    album = Album(tmp_path / "seen", Quota())
    name = album.add("cat", b"x", "jpg", {"time": seconds if math.isfinite(seconds) else 0.0})
    album.close()
    assert is_picture_name(name.rpartition("/")[2])


@pytest.mark.fault(103)
@pytest.mark.parametrize("seconds", [1e20, 253402300800.0, math.inf])
def test_a_table_takes_a_strange_time(seconds: float) -> None:
    assert _moment_of(seconds).startswith("9999-12-31T23:59:59")
