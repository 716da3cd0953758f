"""Instructions and memory that a frame takes on three boards, emulated, against committed figures.

Run: python benchmarks/instructions.py            what changed
     python benchmarks/instructions.py --update   write instructions.json and docs/pi-figures.md

Instructions are counted, not timed: a busy machine gives the same figures. A frame is a 640x480
JPEG as a webcam sends it, taken through the loop's own code by one thread: decode, prepare, invoke
(the model), and the rest (scores, decision, events, a JSON line). Needs what `make pi-test` makes.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from devices.emulator.board import (
    BOARDS,
    STAGES,
    Board,
    build_plugin,
    count_instructions,
    measure_memory,
)
from devices.emulator.models import FRAME, MODELS
from devices.emulator.root import CHECKOUT, PLACE

FIGURES: Final = CHECKOUT / "benchmarks/instructions.json"
PAGE: Final = CHECKOUT / "docs/pi-figures.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->"
# More than this share above the committed figure is a regression.
TOLERANCE: Final = 0.03
MEMORY_TOLERANCE: Final = 0.10

# {"instructions": {cpu: {model: {stage: n}}}, "memory_mb": {model: mb}}
Figures = dict[str, Any]


def main() -> None:
    """Measure, print, and compare or update."""
    if not (PLACE / "models.stamp").is_file():
        print("no emulated board here: `make pi-test` makes it")
        return
    found = measure()
    print(to_table(found))
    if "--update" in sys.argv[1:]:
        FIGURES.write_text(json.dumps(found, indent=2) + "\n")
        PAGE.write_text(refresh(PAGE.read_text(), found))
        return
    worse = find_regressions(found, load_figures())
    print("\n".join(worse) or "no figure is worse than the committed one")
    sys.exit(bool(worse))


def load_figures() -> Figures:
    """The committed ones."""
    figures: Figures = json.loads(FIGURES.read_text())
    return figures


def measure() -> Figures:
    """Count on every board, two at a time, and look at the memory on one."""
    plugin = build_plugin()
    names, paths = list(MODELS), list(MODELS.values())

    def count(board: Board) -> dict[str, dict[str, int]]:
        return dict(zip(names, count_instructions(board, plugin, FRAME, paths), strict=True))

    with ThreadPoolExecutor(2) as pool:
        counts = dict(zip((board.cpu for board in BOARDS), pool.map(count, BOARDS), strict=True))
        memory = pool.map(lambda path: measure_memory(BOARDS[1], FRAME, path), paths)
        return {"instructions": counts, "memory_mb": dict(zip(names, memory, strict=True))}


def find_regressions(found: Figures, committed: Figures) -> list[str]:
    """A line for each figure that is worse than the committed one by more than is tolerated."""
    worse = []
    for cpu, models in committed["instructions"].items():
        for model, stages in models.items():
            for stage, before in stages.items():
                now = found["instructions"][cpu][model][stage]
                if now > before * (1 + TOLERANCE):
                    change = f"{now:,} instructions, {now / before - 1:+.1%} against {before:,}"
                    worse.append(f"{cpu}, {model}, {stage}: {change}")
    for model, before in committed["memory_mb"].items():
        now = found["memory_mb"][model]
        if now > before * (1 + MEMORY_TOLERANCE):
            worse.append(f"{model}: {now} MB, {now / before - 1:+.1%} against {before} MB")
    return worse


def to_table(figures: Figures) -> str:
    """As Markdown: millions of instructions a frame, and MB."""
    lines = [
        f"| board | model | {' | '.join(STAGES)} | all | memory |",
        "|---|---|" + "---:|" * (len(STAGES) + 2),
    ]
    for board in BOARDS:
        for model, stages in figures["instructions"][board.cpu].items():
            cells = [stages[stage] for stage in STAGES]
            shown = " | ".join(f"{cell / 1e6:.2f}" for cell in (*cells, sum(cells)))
            memory = f"{figures['memory_mb'][model]:.0f} MB"
            lines.append(f"| {board.name} ({board.cpu}) | {model} | {shown} | {memory} |")
    return "\n".join(lines)


def refresh(page: str, figures: Figures) -> str:
    """The page with today's table between its marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{to_table(figures)}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    main()
