"""Events for people: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Final, TextIO

from edgecls.console import printable
from edgecls.contract.events import (
    ChangeEvent,
    Event,
    PredictionEvent,
    SourceEvent,
    SummaryEvent,
)
from edgecls.errors import SinkClosedError, SinkError

_REFRESH_S: Final = 0.1
_BAR: Final = 20
_CLEAR: Final = "\r\x1b[K"


class ConsoleSink:
    """Shows the label now, and one line for every change."""

    name = "console"

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_live = out.isatty()
        self._shown_s = 0.0
        self._has_line = False

    def handle(self, event: Event) -> None:
        """Show an event."""
        try:
            if isinstance(event, PredictionEvent):
                self._show_now(event)
            else:
                self._print(_describe(event))
        except BrokenPipeError as gone:
            raise SinkClosedError("nobody reads the console any more") from gone
        except (OSError, ValueError) as wrong:
            raise SinkError(f"cannot write to the console: {wrong}") from wrong

    def close(self) -> None:
        """Leave the live line."""
        if self._has_line:
            self._out.write(_CLEAR)
            self._out.flush()
            self._has_line = False

    def _show_now(self, event: PredictionEvent) -> None:
        if event.name:  # pictures: each is a result of its own
            label = printable(event.label)
            self._print(f"{printable(event.name)}: {label} {event.score:.1%}")
            return
        now = time.monotonic()
        if not self._is_live or now - self._shown_s < _REFRESH_S:
            return
        self._shown_s = now
        bar = "#" * round(event.score * _BAR)
        others = ", ".join(f"{printable(p.label)} {p.score:.0%}" for p in event.predictions[1:])
        self._out.write(
            f"{_CLEAR}{printable(event.label):<16.32} {event.score:6.1%} {bar:<{_BAR}}"
            f" {event.age_ms:5.0f} ms  {others:.40}"
        )
        self._out.flush()
        self._has_line = True

    def _print(self, text: str) -> None:
        self.close()
        self._out.write(text + "\n")
        self._out.flush()


def _describe(event: ChangeEvent | SourceEvent | SummaryEvent) -> str:
    if isinstance(event, ChangeEvent):
        clock = time.strftime("%H:%M:%S", time.localtime(event.time))
        return f"{clock}  {printable(event.label)} ({event.score:.0%})"
    if isinstance(event, SourceEvent):
        reason = f": {printable(event.reason)}" if event.reason else ""
        return f"source {printable(event.source)} is {event.state}{reason}"
    return _describe_summary(event)


def _describe_summary(summary: SummaryEvent) -> str:
    lines = [
        f"{summary.classified} frames classified in {summary.seconds:.1f} s"
        f" ({summary.fps:.1f} a second), {summary.dropped} dropped,"
        f" {summary.unreadable} unreadable"
    ]
    if summary.labelled:
        share = summary.correct / summary.labelled
        lines.append(f"right: {summary.correct} of {summary.labelled} ({share:.1%})")
    if summary.latency_ms:
        lines.append(f"{'latency in ms':<14} {'p50':>9} {'p95':>9} {'p99':>9}")
        lines += [
            f"  {stage:<12} {values['p50']:9.3f} {values['p95']:9.3f} {values['p99']:9.3f}"
            for stage, values in summary.latency_ms.items()
        ]
    lines += [f"sink {name} missed {n} events" for name, n in summary.sink_drops.items()]
    return "\n".join(lines)
