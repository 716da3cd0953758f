"""`python -m tests.faults`: run every test of a fault, print the table, write docs/reliability.md.

Exit 1 if a row fails or has no test. Longer runs write what they saw into docs/reliability/*.md;
the report takes these in as they are, `python -m tests.faults --figures` without running a test.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
ROWS: Final = Path(__file__).with_name("rows.toml")
REPORT: Final = ROOT / "docs/reliability.md"
FIGURES: Final = ROOT / "docs/reliability"


@dataclass(slots=True)
class Row:
    """A promise, and what its tests came to.

    Args:
        number: Of the row.
        group: Which part of edgecls it is about.
        promise: In words.
    """

    number: int
    group: str
    promise: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """`pass`, `skip`, `fail` or `no test`."""
        if self.failed:
            return "fail"
        if self.passed:
            return "pass"
        return "skip" if self.skipped else "no test"

    @property
    def note(self) -> str:
        """How many tests, what failed, and why some were skipped."""
        parts = [f"{self.passed} tests" if self.passed != 1 else "1 test"] if self.passed else []
        parts += [f"failed: {name}" for name in self.failed]
        parts += [f"skipped: {why}" for why in dict.fromkeys(self.skipped)]
        return "; ".join(parts)


def read_rows() -> dict[int, Row]:
    """All promises, by number."""
    groups = tomllib.loads(ROWS.read_text("utf-8"))
    rows = [
        Row(int(number), group, promise)
        for group, promises in groups.items()
        for number, promise in promises.items()
    ]
    return {row.number: row for row in rows}


class Collector:
    """A plugin of pytest that notes what became of each row."""

    def __init__(self, rows: dict[int, Row]) -> None:
        self._rows = rows
        self._marks: dict[str, set[int]] = defaultdict(set)

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Note which test shows which rows."""
        for item in items:
            for mark in item.iter_markers("fault"):
                self._marks[item.nodeid].update(mark.args)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of a test; its set-up and its end count, too."""
        for number in self._marks[report.nodeid]:
            row = self._rows[number]
            if report.failed:
                row.failed.append(report.nodeid)
            elif report.skipped:
                row.skipped.append(_reason_of(report))
            elif report.when == "call":
                row.passed += 1


def _reason_of(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").splitlines()[0]


def _figures() -> list[str]:
    texts = [path.read_text("utf-8").strip() for path in sorted(FIGURES.glob("*.md"))]
    # Some are pages of their own, with a title.
    return [re.sub(r"^#+ ", "### ", text, flags=re.MULTILINE) for text in texts]


def to_table(rows: Sequence[Row]) -> str:
    """For a terminal."""
    return "".join(
        f"{row.number:>3}  {row.verdict:<8}{row.promise}\n"
        + "".join(f"{'':13}{line}\n" for line in _complaints(row))
        for row in rows
    )


def _complaints(row: Row) -> list[str]:
    return [f"failed: {name}" for name in row.failed] + [
        f"skipped: {why}" for why in dict.fromkeys(row.skipped)
    ]


def to_page(rows: Sequence[Row], figures: Sequence[str]) -> str:
    """For docs/reliability.md."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in _VERDICTS}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    lines = [_HEAD, f"Of {len(rows)} rows: {told}.\n"]
    for group in dict.fromkeys(row.group for row in rows):
        lines.append(f"\n## {group}\n\n| | what holds | shown |\n|--:|---|---|\n")
        for row in rows:
            if row.group == group:
                note = f"**{row.verdict}**" if row.verdict != "pass" else ""
                shown = "; ".join(part for part in (note, row.note) if part)
                lines.append(f"| {row.number} | {row.promise} | {shown.replace('|', '/')} |\n")
    return with_figures("".join(lines), figures)


def with_figures(page: str, figures: Sequence[str]) -> str:
    """The page with these figures, in the place of those that it had."""
    told = "".join(f"\n{text.strip()}\n" for text in figures)
    return page.partition(_FIGURES_HEAD)[0] + (_FIGURES_HEAD + told if told else "")


_FIGURES_HEAD: Final = "\n## Figures\n\nWritten by the commands that measured them.\n"
_VERDICTS: Final = ("pass", "skip", "fail", "no test")
_HEAD: Final = """# What edgecls survives

Each row is a promise, and a test that fails when it is broken: with real damaged files, stalled
servers, full disks, power cuts and brokers, not with stand-ins, wherever this machine has them.
`make fault-report` runs the tests and writes this page; `pytest -m fault` runs them alone.
"Refused" means: one line that names the problem, a hint, exit 1, nothing written or lost.

"""


def main(arguments: Sequence[str] = ()) -> int:
    """Run the tests; returns the exit code. `--figures`: only take in new figures."""
    if list(arguments) == ["--figures"]:
        REPORT.write_text(with_figures(REPORT.read_text("utf-8"), _figures()), "utf-8")
        return 0
    os.environ["EDGECLS_STRICT"] = "1"  # a bug told in one friendly line is no refusal
    rows = read_rows()
    options: list[Any] = ["-m", "fault", "-q", "--no-header", *arguments]
    code = pytest.main(options, plugins=[Collector(rows)])
    ordered = sorted(rows.values(), key=lambda row: row.number)
    sys.stdout.write("\n" + to_table(ordered))
    REPORT.write_text(to_page(ordered, _figures()), "utf-8")
    sys.stdout.write(f"written: {REPORT.relative_to(ROOT)}\n")
    is_whole = all(row.verdict in ("pass", "skip") for row in ordered)
    return 0 if is_whole and code in (pytest.ExitCode.OK,) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
