"""What edgetpu_compiler prints: read into figures, and its failures into plain words.

Source:
    Logs of Edge TPU Compiler 15.0.340273435 and 16.0.384591198, as their users published them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from edgecls.contract.edgetpu import Estimate

MAPPED: Final = "Mapped to Edge TPU"
_UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_TABLE_LINE: Final = re.compile(r"^([A-Za-z][\w-]*) {2,}(\d+) {2,}(\S.*?)\s*$", re.MULTILINE)
_HEADER: Final = re.compile(r"^Operator\s+Count\s+Status\s*$", re.MULTILINE)

# What it says when it fails -> problem and hint; `\1` stands for what was found.
_FAILURES: Final = (
    (
        r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'",
        r"it does not know \1 in version \2: it is of TensorFlow 2.5's age",
        "use a layer that converts to an older operation; 'edgecls inspect --edgetpu' names them",
    ),
    (
        r"Encountered unresolved custom op: ([\w-]+)",
        r"it does not know the custom operation \1",
        "replace that layer by ones that TFLite has",
    ),
    (
        r"Model not quantized",
        "the model is not quantized to 8 bits",
        "convert it with --int8",
    ),
    (
        r"large activation tensors",
        "its activations are too large for the Edge TPU",
        "use a smaller image, or a network that halves it earlier",
    ),
    (
        r"dynamic-sized tensors",
        "the model has shapes that are not fixed",
        "convert it with 'edgecls convert', which fixes the batch to 1",
    ),
    (
        r"Internal compiler error",
        "it broke down (internal compiler error)",
        "leave out --edgetpu, and replace the layer that 'edgecls inspect --edgetpu' names first",
    ),
    (
        r"[Tt]imed out",
        "it ran out of time",
        "use a smaller network, or a faster machine",
    ),
    (
        r"Model failed in Tflite interpreter",
        "the model does not run in the engine inside it, which is of TensorFlow 2.5's age",
        "use layers that convert to older operations",
    ),
    (
        r"Model could not be parsed|Invalid model",
        "it cannot read the model",
        "convert it again with 'edgecls convert'",
    ),
)


@dataclass(frozen=True, slots=True)
class OperatorLine:
    """One line of the table: so many operators of a kind have this status."""

    name: str
    count: int
    status: str


@dataclass(frozen=True, slots=True)
class CompilerLog:
    """What a compilation came to.

    Args:
        version: Of the compiler; empty when it did not say.
        subgraphs: Parts that the Edge TPU runs.
        total: Operators of the model.
        on_chip_bytes: Parameters kept on the chip.
        streamed_bytes: Parameters sent again for each inference.
        operators: The table.
    """

    version: str
    subgraphs: int
    total: int
    on_chip_bytes: int
    streamed_bytes: int
    operators: tuple[OperatorLine, ...]

    @property
    def mapped(self) -> int:
        """Number of operators on the Edge TPU."""
        return sum(line.count for line in self.operators if line.status == MAPPED)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "compiler": self.version,
            "mapped": self.mapped,
            "total": self.total,
            "subgraphs": self.subgraphs,
            "on_chip_bytes": self.on_chip_bytes,
            "streamed_bytes": self.streamed_bytes,
            "operators": [
                {"operator": line.name, "count": line.count, "status": line.status}
                for line in self.operators
            ],
        }


def parse_log(text: str) -> CompilerLog:
    """Read what a compilation that succeeded printed."""
    header = _HEADER.search(text)
    table = _TABLE_LINE.findall(text, header.end()) if header else []
    operators = tuple(OperatorLine(name, int(count), status) for name, count, status in table)
    listed = sum(line.count for line in operators)
    return CompilerLog(
        version=_find(r"Edge TPU Compiler version (\S+)", text),
        subgraphs=int(_find(r"Number of Edge TPU subgraphs: (\d+)", text) or 0),
        total=int(_find(r"Total number of operations: (\d+)", text) or listed),
        on_chip_bytes=_size("On-chip memory used for caching model parameters", text),
        streamed_bytes=_size("Off-chip memory used for streaming uncached model parameters", text),
        operators=operators,
    )


def find_failure(text: str) -> tuple[str, str]:
    """The problem that a compilation which failed printed, and what to do about it."""
    for pattern, problem, hint in _FAILURES:
        if found := re.search(pattern, text):
            return found.expand(problem), hint
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"it said: {lines[-1]:.200}" if lines else "it said nothing", ""


def find_differences(log: CompilerLog, estimate: Estimate) -> list[str]:
    """Where the compiler did something else than the estimate expected, in words."""
    compiled: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in log.operators:
        compiled[line.name][line.status] += line.count
    expected = estimate.counts()
    found = []
    for name in sorted({*compiled, *expected}):
        statuses = compiled.get(name, {})
        mapped, total = statuses.get(MAPPED, 0), sum(statuses.values())
        if (mapped, total) != expected.get(name, (0, 0)):
            wanted = "{} of {}".format(*expected.get(name, (0, 0)))
            others = ", ".join(f"{n}: {text}" for text, n in statuses.items() if text != MAPPED)
            why = f" ({others})" if others else ""
            found.append(f"{name}: the compiler maps {mapped} of {total}{why}, expected {wanted}")
    if bool(log.streamed_bytes) != bool(estimate.streamed_bytes):
        found.append(
            f"parameters streamed at each inference: {log.streamed_bytes} bytes, expected"
            f" {estimate.streamed_bytes}"
        )
    return found


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _size(what: str, text: str) -> int:
    found = re.search(re.escape(what) + r": ([\d.]+)(B|KiB|MiB|GiB)\b", text)
    return round(float(found[1]) * _UNITS[found[2]]) if found else 0
