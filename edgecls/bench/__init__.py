"""How fast a model is on this machine: each configuration in a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from edgecls.child.environment import without_secrets
from edgecls.errors import EngineError, InvalidValueError

# Loading, warming up, and a machine that is busy with something else.
_PATIENCE_S: Final = 120.0
# More threads must be worth it: they take cores from the decoder, and heat the board.
LEAST_GAIN: Final = 0.2
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one process measures.

    Args:
        model: The file.
        runtime: A name of `edgecls.runtimes`, or `auto`.
        threads: Of one inference.
        seconds: Of steady running, after the warm-up.
        data: A picture or a folder: decoding and preparing are measured, too; None for noise.
    """

    model: str
    runtime: str = "auto"
    threads: int = 1
    seconds: float = 3.0
    data: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 86_400:
            raise InvalidValueError(f"seconds is {self.seconds}, wanted more than 0")
        if self.threads < 1:
            raise InvalidValueError(
                f"{self.threads} threads were asked for, wanted at least 1",
                hint="such as --threads 1,2,4",
            )


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process measured; field names as `edgecls bench --json` prints them.

    Args:
        model: The file.
        runtime: The engine's name.
        version: The engine's version.
        threads: That the engine used.
        load_ms: Reading, checking and loading the model.
        first_ms: The first inference, which often allocates.
        latency_ms: p50, p95 and p99 of an inference: image in, scores out.
        fps: Per second, one after the other; with `stages_ms` including all stages.
        runs: That were measured.
        rss_mb: Memory of the whole process at its end, in MiB.
        peak_rss_mb: At its highest.
        drift: Median of the last third of runs by that of the first: above 1 it became slower.
        stages_ms: Stage -> p50, p95 and p99, where real pictures were given.
        unreadable: Pictures that were left out.
    """

    model: str
    runtime: str
    version: str
    threads: int
    load_ms: float
    first_ms: float
    latency_ms: dict[str, float]
    fps: float
    runs: int
    rss_mb: float
    peak_rss_mb: float
    drift: float
    stages_ms: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    unreadable: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `edgecls bench --json` prints it."""
        fields = dataclasses.asdict(self)
        if not self.stages_ms:
            del fields["stages_ms"], fields["unreadable"]
        return fields


def measure(configuration: Configuration) -> Measurement:
    """Measure in a new process, so that no configuration warms or burdens the next.

    Raises:
        EngineError: The engine is not installed, refused the model, died, or hung.
    """
    asked = json.dumps(dataclasses.asdict(configuration))
    command = [sys.executable, "-m", "edgecls.bench.worker", asked]
    limit_s = configuration.seconds + _PATIENCE_S
    try:
        done = subprocess.run(
            command, capture_output=True, env=without_secrets(), timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise _failed(configuration, f"was not done after {limit_s:.0f} s") from late
    if done.returncode == -signal.SIGKILL:
        raise EngineError(
            f"the process that measured {configuration.model!r} was killed",
            hint="this machine may have too little memory for it: use a smaller network or image",
        )
    if done.returncode < 0:
        raise _failed(configuration, f"died of {signal.Signals(-done.returncode).name}")
    try:
        found = json.loads(done.stdout)
    except ValueError as wrong:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _failed(configuration, said[-1] if said else "said nothing") from wrong
    if "error" in found:
        raise EngineError(found["error"], hint=found["hint"])
    return Measurement(**found)


def _failed(configuration: Configuration, what: str) -> EngineError:
    return EngineError(
        f"{configuration.runtime} with {configuration.threads} threads: {what}",
        hint="see whether the model is sound: 'edgecls verify'",
    )


def thread_counts(cores: int) -> list[int]:
    """1, 2, 4, ... and the number of cores."""
    powers = [1 << n for n in range(cores.bit_length()) if 1 << n <= cores]
    return sorted({*powers, cores})


def parse_threads(text: str) -> list[int]:
    """The numbers in `1,2,4`, each once.

    Raises:
        InvalidValueError: No list of whole numbers from 1 on.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 6 and int(part) >= 1 for part in parts):
        raise InvalidValueError(
            f"--threads is {text!r}, wanted whole numbers from 1 on", hint="such as 1,2,4"
        )
    return list(dict.fromkeys(int(part) for part in parts))


@dataclass(frozen=True, slots=True)
class Recommendation:
    """How many threads one inference should have, and the median latencies that say so."""

    threads: int
    p50_ms: dict[int, float]

    @property
    def reason(self) -> str:
        """In words."""
        fewest, most = self.p50_ms[min(self.p50_ms)], self.p50_ms[self.threads]
        if self.threads > 1:
            return f"{fewest / most:.1f} times as fast as 1 thread"
        return f"more threads are not at least {LEAST_GAIN:.0%} faster"


def recommend(p50_ms: dict[int, float]) -> Recommendation:
    """The fewest threads that no larger number beats by `LEAST_GAIN` of the latency.

    Args:
        p50_ms: Threads -> median latency.
    """
    chosen, *more = sorted(p50_ms)
    for threads in more:
        if p50_ms[threads] <= (1 - LEAST_GAIN) * p50_ms[chosen]:
            chosen = threads
    return Recommendation(chosen, dict(sorted(p50_ms.items())))


def find_threads(configuration: Configuration, counts: Sequence[int] = ()) -> Recommendation:
    """Measure several numbers of threads in turns, so that a busy moment hits them alike.

    Args:
        configuration: Its `seconds` are shared by the turns of each number.
        counts: To try; `thread_counts` of this machine's cores by default.
    """
    counts = counts or thread_counts(available_cores())
    seconds = configuration.seconds / _ROUNDS
    found: dict[int, list[float]] = {threads: [] for threads in counts}
    for _ in range(_ROUNDS):
        for threads in counts:
            turn = dataclasses.replace(configuration, threads=threads, seconds=seconds)
            found[threads].append(measure(turn).latency_ms["p50"])
    return recommend({threads: median(values) for threads, values in found.items()})


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_model(path: Path, runtime: str) -> None:
    """Refuse at once what no process here should run, in the words that every command has for it.

    Args:
        path: The model file.
        runtime: As the user chose it: a name of `edgecls.runtimes`, `auto` or `all`.

    Raises:
        ModelFileError: As `load_model_file`.
        EngineError: The engine crashes on it, does not end, or cannot run it.
    """
    from edgecls.contract.modelfile import load_model_file
    from edgecls.runtimes import installed_runtimes
    from edgecls.runtimes.gate import refuse_compiled
    from edgecls.runtimes.probe import probe

    model = load_model_file(path)
    if runtime in ("fake", "edgetpu") or (runtime == "auto" and model.structure.is_compiled):
        return
    engine = next(iter(installed_runtimes()), "") if runtime in ("auto", "all") else runtime
    if engine not in installed_runtimes():
        return  # said by those who would load it
    refuse_compiled(model, engine)
    # Not remembered: what is measured is read and loaded in processes of their own.
    probe(model, engine).check()
