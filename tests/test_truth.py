"""How well a steady label follows the truth, by hand arithmetic; and the table that tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecls.contract.events import UNKNOWN
from edgecls.contract.labels import Labels
from edgecls.errors import DatasetError
from edgecls.truth import Truth, follow, load_truth

PETS = Labels(("cat", "dog"))
# A cat from 0 s, a dog from 10 s, nothing from 20 s to the end at 30 s.
DAY = Truth((0.0, 10.0, 20.0), ("cat", "dog", UNKNOWN))


class TestFollowing:
    def test_each_change_is_detected_after_a_delay(self) -> None:
        found = follow(DAY, [(0.0, "cat"), (10.5, "dog"), (21.5, UNKNOWN)], 30.0)
        assert (found.changes, found.detected, found.missed) == (2, 2, 0)
        assert found.delays_s == (0.5, 1.5)
        assert found.delay_percentiles() == {"p50": 1.0, "p95": 1.45}
        assert found.right == pytest.approx((30 - 0.5 - 1.5) / 30)
        assert (found.false, found.repeated) == (0, 0)

    def test_the_beginning_is_no_change(self) -> None:
        found = follow(Truth((0.0,), ("cat",)), [(4.0, "cat")], 10.0)
        assert (found.changes, found.delays_s) == (0, ())
        assert found.delay_percentiles() == {"p50": None, "p95": None}
        assert found.right == pytest.approx(0.6)

    def test_a_change_that_is_not_followed_before_the_next_is_missed(self) -> None:
        found = follow(DAY, [(0.0, "cat"), (20.5, UNKNOWN)], 30.0)
        assert (found.detected, found.missed) == (1, 1)
        late = follow(DAY, [(0.0, "cat"), (20.0, "dog")], 30.0)
        assert (late.detected, late.missed, late.false) == (0, 2, 1)

    def test_a_label_that_is_not_right_at_that_moment_is_false(self) -> None:
        found = follow(DAY, [(0.0, "dog"), (1.0, "cat"), (5.0, "dog"), (6.0, "cat")], 30.0)
        assert found.false == 2  # the dogs at 0 s and 5 s

    def test_becoming_unknown_is_not_false_but_coming_back_is_a_repetition(self) -> None:
        found = follow(DAY, [(0.0, "cat"), (3.0, UNKNOWN), (4.0, "cat"), (10.0, "dog")], 20.0)
        assert (found.false, found.repeated) == (0, 1)
        assert found.right == pytest.approx(19 / 20)

    def test_who_is_right_already_has_no_delay(self) -> None:
        found = follow(DAY, [(0.0, "cat"), (9.0, "dog")], 20.0)
        assert found.delays_s == (0.0,)
        assert found.false == 1  # at 9 s it was still a cat

    def test_what_comes_before_the_first_row_is_left_out(self) -> None:
        found = follow(Truth((5.0,), ("cat",)), [(0.0, "dog"), (2.0, "cat")], 10.0)
        assert (found.false, found.right) == (0, 1.0)


class TestTable:
    def load(self, folder: Path, text: str | bytes) -> Truth:
        path = folder / "truth.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_truth(path, PETS)

    @pytest.mark.parametrize(
        ("text", "truth"),
        [
            pytest.param("time,label\n0,cat\n2.5,dog\n", ((0, 2.5), ("cat", "dog")), id="plain"),
            pytest.param("0,cat\n2.5,dog", ((0, 2.5), ("cat", "dog")), id="without a heading"),
            pytest.param(
                "\ufeffTime, Label\r\n0,cat\r\n\r\n1,dog\r\n",
                ((0, 1), ("cat", "dog")),
                id="from a spreadsheet",
            ),
            pytest.param(
                "0:00,cat\n1:30,dog\n1:00:00.5,cat\n",
                ((0, 90, 3600.5), ("cat", "dog", "cat")),
                id="as a player shows it",
            ),
            pytest.param(
                "0,cat\n1,\n2,unknown\n3,dog\n",
                ((0, 1, 3), ("cat", UNKNOWN, "dog")),
                id="nothing, by an empty cell or by name",
            ),
            pytest.param("0,cat\n1,cat\n2,dog", ((0, 2), ("cat", "dog")), id="no change"),
        ],
    )
    def test_rows(
        self, tmp_path: Path, text: str, truth: tuple[tuple[float, ...], tuple[str, ...]]
    ) -> None:
        assert self.load(tmp_path, text) == Truth(*truth)

    def test_frame_numbers_become_times_of_the_recording(self, tmp_path: Path) -> None:
        truth = self.load(tmp_path, "frame,label\n0,cat\n2,dog\n")
        assert truth.unit == "frame"
        assert truth.to_seconds([0.0, 0.1, 0.2]) == Truth((0.0, 0.2), ("cat", "dog"))
        with pytest.raises(DatasetError, match="speaks of frame 2, the recording ends with 1"):
            truth.to_seconds([0.0, 0.1])

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "has no rows"),
            ("time,label\n", "has no rows"),
            ("start,name\n0,cat\n", "begins with 'start,name'"),
            ("0,cat\nnoon,dog\n", "row 2 of .* begins with 'noon', wanted seconds or h:mm:ss"),
            ("frame,label\n1.5,cat\n", "row 1 of .* begins with '1.5', wanted a frame number"),
            ("0,cat\n1,dog,fox\n", "row 2 of .* has 3 cells, wanted a time and a label"),
            ("0,cat\n1,doge\n", "row 2 of .*: the model has no label 'doge'"),
            ("5,cat\n1,dog\n", "row 2 of .* goes back, from 5 to 1"),
            (b"0,caf\xe9\n", "is not UTF-8 text"),
            ("0,cat\n" + "9" * 400 + ",dog\n", "row 2 of .* which no recording lasts"),
            ("0,cat\n1," + "x" * 200_000, "is no table: field larger"),
        ],
        ids=str,
    )
    def test_a_table_that_cannot_be_read(
        self, tmp_path: Path, text: str | bytes, problem: str
    ) -> None:
        with pytest.raises(DatasetError, match=problem):
            self.load(tmp_path, text)

    def test_a_table_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="there is no file"):
            load_truth(tmp_path / "absent.csv", PETS)
