"""The report tells rows that hold from those that do not, and hides none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.__main__ import REPORT, Collector, Row, read_rows, to_page, to_table, with_figures


def test_the_page_is_about_todays_rows() -> None:
    page = REPORT.read_text("utf-8")
    missing = [row.number for row in read_rows().values() if f"| {row.promise} |" not in page]
    assert missing == [], "run 'make fault-report'"


def test_no_promise_is_forgotten() -> None:
    numbers = sorted(read_rows())
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 169


@pytest.mark.parametrize(
    ("row", "verdict", "note"),
    [
        pytest.param(Row(1, "a", "b", passed=2), "pass", "2 tests", id="all passed"),
        pytest.param(
            Row(1, "a", "b", passed=1, skipped=["not root"] * 2),
            "pass",
            "1 test; skipped: not root",
            id="one was skipped",
        ),
        pytest.param(
            Row(1, "a", "b", skipped=["not root"]), "skip", "skipped: not root", id="all skipped"
        ),
        pytest.param(
            Row(1, "a", "b", passed=9, failed=["x"]), "fail", "9 tests; failed: x", id="one failed"
        ),
        pytest.param(Row(1, "a", "b"), "no test", "", id="nobody looked"),
    ],
)
def test_the_verdict_of_a_row(row: Row, verdict: str, note: str) -> None:
    assert row.verdict == verdict
    assert row.note == note
    assert f"{verdict:<8}b" in to_table([row])


def test_tests_are_counted_for_every_row_that_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = fault\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "fault = pytest.mark.fault\n"
        "@fault(1)\n@fault(2)\ndef test_good(): pass\n"
        "@fault(2)\ndef test_bad(): assert False\n"
        "@fault(3)\ndef test_elsewhere(): pytest.skip('no camera here')\n"
        "@pytest.mark.parametrize('n', [pytest.param(1, marks=fault(4)), 2])\n"
        "def test_each(n): pass\n"
        "@pytest.fixture\ndef broken(): raise OSError\n"
        "@fault(5)\ndef test_never_begun(broken): pass\n"
        "def test_of_no_row(): assert False\n"
    )
    rows = {number: Row(number, "a", "b") for number in range(1, 7)}
    monkeypatch.chdir(tmp_path)
    pytest.main(["-q", "-p", "no:cacheprovider", "-m", "fault"], plugins=[Collector(rows)])
    verdicts = [rows[number].verdict for number in range(1, 7)]
    assert verdicts == ["pass", "fail", "skip", "pass", "fail", "no test"]
    assert rows[3].skipped == ["no camera here"]
    assert rows[4].passed == 1


def test_new_figures_take_the_place_of_old_ones() -> None:
    page = to_page([Row(1, "Model", "It lives.", passed=3)], ["### Times\n\n1.2 s\n"])
    assert with_figures(page, ["### Times\n\n1.1 s\n"]) == page.replace("1.2 s", "1.1 s")


def test_the_page_has_every_row_and_the_figures() -> None:
    rows = [Row(1, "Model", "It lives.", passed=3), Row(2, "Model", "It | tells.")]
    page = to_page(rows, ["### Times\n\n1.2 s\n"])
    assert "Of 2 rows: 1 pass, 1 no test.\n" in page
    assert "| 1 | It lives. | 3 tests |\n" in page
    assert "**no test**" in page
    assert page.endswith("### Times\n\n1.2 s\n")
