"""What an Edge TPU makes of a model, told without one: an estimate, and what is compiled in."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from edgecls.contract.edgetpu_rules import Node, Rule, broken_rule, read_nodes
from edgecls.contract.flatbuffer import Table
from edgecls.contract.operators import EDGETPU
from edgecls.contract.structure import Structure
from edgecls.errors import DamagedModelError, ModelFileError

# "Roughly 8 MB"; the compiler's own code takes a part of it, so that 6.9 to 7.7 MiB were left for
# parameters in the logs of models that others published.
ON_CHIP_BYTES: Final = 8_000_000
_PACKAGE_MARK: Final = b"DWN1"
_ITEM_BYTES: Final = {"float32": 4, "int32": 4, "uint32": 4, "float16": 2, "int16": 2, "int64": 8}
_LEARNED: Final = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"), (1, 2)),
    "TRANSPOSE_CONV": (1, 3),
    "PRELU": (1,),
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """One operator: where it runs, and if not on the Edge TPU, by which rule."""

    index: int
    name: str
    rule: Rule | None

    @property
    def is_mapped(self) -> bool:
        """Whether the Edge TPU computes it."""
        return self.rule is None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the compiler is expected to map: a lower bound, from its published table.

    Args:
        operators: In order of execution.
        subgraphs: Groups of mapped operators; the compiler takes the first one.
        parameter_bytes: Weights and biases of the mapped operators.
    """

    operators: tuple[Mapping, ...]
    subgraphs: int
    parameter_bytes: int

    @property
    def mapped(self) -> int:
        """Number of operators on the Edge TPU."""
        return sum(operator.is_mapped for operator in self.operators)

    @property
    def total(self) -> int:
        """Number of operators."""
        return len(self.operators)

    @property
    def percent(self) -> float:
        """Share of mapped operators, 0 to 100."""
        return 100 * self.mapped / self.total

    @property
    def streamed_bytes(self) -> int:
        """Parameters that do not fit on the chip and are sent again for every inference."""
        return max(0, self.parameter_bytes - ON_CHIP_BYTES)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Operator name -> (mapped, all)."""
        every = Counter(operator.name for operator in self.operators)
        mapped = Counter(operator.name for operator in self.operators if operator.is_mapped)
        return {name: (mapped[name], count) for name, count in every.items()}

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "mapped": self.mapped,
            "total": self.total,
            "percent": round(self.percent, 1),
            "subgraphs": self.subgraphs,
            "parameter_bytes": self.parameter_bytes,
            "streamed_bytes": self.streamed_bytes,
            "on_cpu": [
                {"index": operator.index, "operator": operator.name, "rule": operator.rule.value}
                for operator in self.operators
                if operator.rule
            ],
        }

    def to_lines(self) -> Iterator[str]:
        """For people."""
        parameters = f"{self.parameter_bytes / 1e6:.2f} MB of parameters"
        yield (
            f"Edge TPU (estimate): {self.mapped} of {self.total} operators mapped"
            f" ({self.percent:.0f}%)"
        )
        if self.streamed_bytes:
            yield (
                f"  {parameters}: about {self.streamed_bytes / 1e6:.2f} MB do not fit on the chip"
                " (8 MB) and are streamed at each inference"
            )
        elif self.parameter_bytes:
            yield f"  {parameters}: fit on the chip (about 8 MB)"
        if self.subgraphs > 1:
            yield (
                f"  {self.subgraphs} groups of operators could be mapped; the compiler takes the"
                " first (all with -a, which can be 10 times slower)"
            )
        reasons = Counter((o.name, o.rule) for o in self.operators if o.rule)
        for (name, rule), count in reasons.items():
            yield f"  on the CPU: {count} {name}: {rule.value}"


def estimate_mapping(flatbuffer: bytes, structure: Structure) -> Estimate:
    """Which operators of a model an Edge TPU would compute.

    Args:
        flatbuffer: A model that is not compiled yet, or one that is.
        structure: Of the same bytes.
    """
    nodes = read_nodes(flatbuffer, structure)
    rules = [broken_rule(node) for node in nodes]
    group_of, groups = _group(structure, [rule is None for rule in rules])
    operators = tuple(
        Mapping(i, node.operator.name, Rule.ONE_SUBGRAPH if group_of[i] > 1 else rules[i])
        for i, node in enumerate(nodes)
    )
    parameters = _parameter_bytes(nodes, [operator.is_mapped for operator in operators])
    return Estimate(operators, groups, parameters)


def check_mapping(estimate: Estimate, min_mapped: float) -> None:
    """Refuse a model of which too little would run on the Edge TPU.

    Args:
        estimate: Of the model.
        min_mapped: Least share of operators, in percent.

    Raises:
        ModelFileError: Fewer are mapped; the message names the first rule that is broken.
    """
    if estimate.percent >= min_mapped:
        return
    first = next((f"{o.name} ({o.rule.value})" for o in estimate.operators if o.rule), "none")
    raise ModelFileError(
        f"{estimate.mapped} of {estimate.total} operators ({estimate.percent:.1f}%) would run on"
        f" the Edge TPU, wanted at least {min_mapped:g}%; the first that would not: {first}",
        hint="replace that layer, or lower --min-mapped",
    )


def _group(structure: Structure, supported: list[bool]) -> tuple[list[int], int]:
    """Group operators as an engine hands them to a delegate: each as early as it can be.

    Turns alternate between supported operators (odd) and others (even); an operator takes part in
    the first turn of its kind that all its inputs are ready for.

    Returns:
        For each operator its group of supported ones, from 1 (0: unsupported); how many groups.
    """
    ready: dict[int, int] = {}  # tensor -> the turn that wrote it
    turns = []
    for operator, is_supported in zip(structure.operators, supported, strict=True):
        turn = max((ready.get(index, 1) for index in operator.inputs), default=1)
        turn += bool(turn % 2) != is_supported
        ready |= dict.fromkeys(operator.outputs, turn)
        turns.append(turn)
    used = sorted({turn for turn in turns if turn % 2})
    group_of = {turn: group for group, turn in enumerate(used, start=1)}
    return [group_of.get(turn, 0) for turn in turns], len(used)


def _parameter_bytes(nodes: list[Node], is_mapped: list[bool]) -> int:
    weights: dict[int, int] = {}
    for node, mapped in zip(nodes, is_mapped, strict=True):
        for position in _LEARNED.get(node.operator.name, ()) if mapped else ():
            if position < len(node.inputs) and (tensor := node.inputs[position]):
                size = math.prod(tensor.shape) * _ITEM_BYTES.get(tensor.dtype, 1)
                weights[node.operator.inputs[position]] = size if tensor.is_constant else 0
    return sum(weights.values())


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiled model says of itself.

    Args:
        minimum_runtime: Lowest `RuntimeVersion` of libedgetpu that runs it; 0 when unknown.
        subgraphs: Parts that the Edge TPU runs.
        on_cpu: Operators that are left to the CPU.
    """

    minimum_runtime: int
    subgraphs: int
    on_cpu: int


def read_compiled(flatbuffer: bytes, structure: Structure) -> Compiled | None:
    """What a compiled model needs; None for one that is not compiled.

    Raises:
        DamagedModelError: Its program for the Edge TPU is cut off.

    Source:
        executable.fbs of libedgetpu: the root table `Package`, whose first field is
        `min_runtime_version`.
    """
    if not structure.is_compiled:
        return None
    tables = Table.root(flatbuffer).tables(2)[0].tables(3)
    programs = [
        table.raw(5)  # custom_options
        for operator, table in zip(structure.operators, tables, strict=True)
        if operator.name == EDGETPU
    ]
    versions = [_minimum_runtime(program) for program in programs]
    return Compiled(max(versions), len(programs), len(structure.operators) - len(programs))


def _minimum_runtime(program: bytes) -> int:
    mark = program.find(_PACKAGE_MARK)
    if mark < 4:
        return 0
    try:
        # The package is a flatbuffer inside: its first four bytes stand before the mark.
        return Table.root(program[mark - 4 :]).number(0, "i")
    except DamagedModelError as wrong:
        raise DamagedModelError(
            f"its program for the Edge TPU is damaged ({wrong.problem})",
            hint="copy it again, or compile it again",
        ) from wrong


def runtime_number(version: str) -> int:
    """14 of `BuildLabel(...), RuntimeVersion(14)`, as libedgetpu gives its version; 0 if absent."""
    found = re.search(r"RuntimeVersion\((\d+)\)", version)
    return int(found[1]) if found else 0
