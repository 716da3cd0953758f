"""`python -m tests.fuzz`: run all fuzzers, or some, as long as one likes; exit 1 on a finding."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from edgecls.console import progress
from tests.fuzz.supervisor import Report, fuzz
from tests.fuzz.target import TARGETS, load_target

_ALIKE: Final = 3
FOUND: Final = Path(__file__).parent / "found"
REPORT: Final = Path(__file__).parents[2] / "docs/reliability/fuzz.md"


def main() -> None:
    """Parse, run, print: a line for each target, and what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--target", choices=list(TARGETS), nargs="+", default=list(TARGETS), help="else all"
    )
    parser.add_argument("--count", type=int, default=1000, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds for each")
    parser.add_argument("--report", action="store_true", help=f"write what was seen to {REPORT}")
    asked = parser.parse_args()
    os.environ["EDGECLS_STRICT"] = "1"  # a bug told in one friendly line is a finding
    findings = 0
    for name in asked.target:
        with progress(f"fuzz {name}", asked.count) as advance:
            report = fuzz(name, asked.count, asked.seed, budget_s=asked.budget, advance=advance)
        print(json.dumps(report.to_json()), flush=True)
        _keep(report)
        findings += len(report.findings)
        if asked.report:
            write_report(REPORT, report)
    sys.exit(1 if findings else 0)


def _keep(report: Report) -> None:
    """Findings as fixtures, to be fixed and kept; of those that end alike a few will do."""
    alike: Counter[str] = Counter()
    for found in report.findings:
        last = found.what.strip().splitlines()[-1]
        alike[last] += 1
        if alike[last] > _ALIKE:
            continue
        folder = FOUND / report.target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / found.name).write_bytes(found.content)
        print(f"{folder / found.name}: {last}", file=sys.stderr)


_HEAD: Final = """### Damaged and hostile input

A finding is a crash or a hang of the process that reads, an error that is none of ours, or memory
beyond what the target may take. Time and memory are those of the process that reads, of the one
input with the most. `python -m tests.fuzz --count 10000` runs them all.

| what | mutants | findings | what came of them | slowest, s | most, MB | shown by |
|---|--:|--:|---|--:|--:|---|
"""


def to_row(report: Report) -> str:
    """What was seen, with the command that shows it again."""
    shown = f"--target {report.target} --count {report.count} --seed {report.seed}"
    outcomes = "; ".join(f"{count} {what}" for what, count in report.outcomes.most_common())
    return (
        f"| {load_target(report.target).what} | {report.count} | {len(report.findings)}"
        f" | {outcomes} | {report.slowest_s:.2f} | {report.most_mb:.0f}"
        f" | `python -m tests.fuzz {shown}` |\n"
    )


def write_report(path: Path, report: Report) -> None:
    """Put a row into the table of all fuzzers, in the place of an older one of this target."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    rows = {name: row for row in lines for name in TARGETS if f"--target {name} " in row}
    rows[report.target] = to_row(report)
    ordered = [rows[name] for name in TARGETS if name in rows]
    path.parent.mkdir(exist_ok=True)
    path.write_text(_HEAD + "".join(ordered), "utf-8")


if __name__ == "__main__":
    main()
