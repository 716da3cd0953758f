"""`edgecls bench`: how fast a model is on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.options import JsonOption, ModelOption
from edgecls.cli.profiles import ProfileOption, find_defaults
from edgecls.console import json_line, printable, progress
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.bench import Configuration, Measurement
    from edgecls.bench.machine import Watch


def bench(
    model: ModelOption,
    threads: Annotated[
        str | None,
        typer.Option(
            "--threads",
            help="Threads of one inference, such as 1,2,4.",
            show_default="the profile's, else 1",
        ),
    ] = None,
    profile: ProfileOption = None,
    runtime: Annotated[
        str, typer.Option("--runtime", help="Engine: auto, all that are installed, or a name.")
    ] = "auto",
    seconds: Annotated[
        float, typer.Option("--seconds", help="Of each configuration, after its warm-up.")
    ] = 3.0,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Pictures: measure decoding and preparing them, too."),
        Reads("pictures"),
    ] = None,
    is_search: Annotated[
        bool, typer.Option("--find-threads", help="Recommend a number of threads.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure loading, latency, throughput and memory, each configuration in its own process.

    \b
    edgecls bench --model model.tflite
    edgecls bench --model model.tflite --threads 1,2,4 --runtime all --data pictures/
    edgecls bench --model model.tflite --find-threads
    """
    from edgecls.bench import Configuration, check_model, parse_threads
    from edgecls.bench.machine import Watch, describe_machine

    counts = parse_threads(threads) if threads is not None else []
    check_model(model, runtime)
    defaults = find_defaults(profile, model)
    counts = counts or [defaults.threads]
    plan = [
        Configuration(str(model), name, count, seconds, None if data is None else str(data))
        for name in _runtimes(runtime)
        for count in _fitting(counts)
    ]
    machine, watch = describe_machine(), Watch()
    if is_search:
        _search(plan[0], watch, as_json=as_json)
        return
    if not as_json:
        print(f"machine   {printable(str(machine))}")
        if not defaults.profile.is_generic:
            print(f"profile   {printable(str(defaults.profile))}")
    found, failures = _measure_all(plan)
    warnings = watch.warnings(found)
    if as_json:
        for measurement in found:
            line = {**measurement.to_json(), "machine": machine.to_json(), "warnings": warnings}
            print(json_line({**line, "profile": str(defaults.profile)}))
    else:
        _print_table(found)
    _complain(warnings, failures, as_json=as_json)
    if failures:
        raise typer.Exit(1)


def _runtimes(runtime: str) -> list[str]:
    from edgecls.errors import InvalidValueError, NotInstalledError
    from edgecls.runtimes import RUNTIMES, installed_runtimes

    if runtime == "all":
        found = installed_runtimes()
        if not found:
            raise NotInstalledError(
                "no engine for .tflite files is installed", hint="pip install ai-edge-litert"
            )
        return found
    if runtime != "auto" and runtime not in RUNTIMES:
        raise InvalidValueError(
            f"there is no runtime {runtime!r}", hint=f"known: auto, all, {', '.join(RUNTIMES)}"
        )
    return [runtime]


def _fitting(counts: list[int]) -> list[int]:
    """Numbers of threads that this machine has cores for; at least one of them."""
    from edgecls.bench import available_cores

    cores = available_cores()
    too_many = [count for count in counts if count > cores]
    if too_many:
        told = ", ".join(map(str, too_many))
        print(f"left out: {told} threads, this machine has {cores} cores", file=sys.stderr)
    return [count for count in counts if count <= cores] or [cores]


def _measure_all(plan: list[Configuration]) -> tuple[list[Measurement], list[str]]:
    from edgecls.bench import measure
    from edgecls.errors import EngineError

    found, failures = [], []
    with progress("bench", len(plan) if sys.stderr.isatty() else None) as advance:
        for done, configuration in enumerate(plan, start=1):
            try:
                found.append(measure(configuration))
            except EngineError as wrong:
                if len(plan) == 1:
                    raise
                failures.append(wrong.problem)
            advance(done)
    return found, failures


def _search(configuration: Configuration, watch: Watch, *, as_json: bool) -> None:
    from edgecls.bench import find_threads

    found = find_threads(configuration)
    warnings = watch.warnings()
    if as_json:
        line = {
            "model": configuration.model,
            "recommended_threads": found.threads,
            "reason": found.reason,
            "p50_ms": {str(threads): value for threads, value in found.p50_ms.items()},
            "warnings": warnings,
        }
        print(json_line(line))
        return
    for threads, value in found.p50_ms.items():
        print(f"{threads} thread{'s' if threads > 1 else ' '}  p50 {value:8.3f} ms")
    print(f"recommended: --threads {found.threads} ({found.reason})")
    _complain(warnings, [], as_json=as_json)


def _print_table(found: list[Measurement]) -> None:
    if not found:
        return
    print(
        f"{'engine':<22} {'threads':>7} {'load':>8} {'first':>8} {'p50':>8} {'p95':>8} {'p99':>8}"
        f" {'fps':>8} {'memory':>8}"
    )
    for each in found:
        latency = " ".join(f"{each.latency_ms[name]:8.3f}" for name in ("p50", "p95", "p99"))
        engine = printable(f"{each.runtime} {each.version}")
        print(
            f"{engine:<22.22} {each.threads:>7} {each.load_ms:8.1f} {each.first_ms:8.2f} {latency}"
            f" {each.fps:8.1f} {each.rss_mb:>5.0f} MB"
        )
        for stage, spread in each.stages_ms.items():
            values = " ".join(f"{spread[name]:8.3f}" for name in ("p50", "p95", "p99"))
            print(f"  {stage:<46} {values}")
    print("load, first and latency in ms; fps one after the other")


def _complain(warnings: list[str], failures: list[str], *, as_json: bool) -> None:
    for failure in failures:
        print(f"error: {printable(failure)}", file=sys.stderr)
    for warning in [] if as_json else warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)
