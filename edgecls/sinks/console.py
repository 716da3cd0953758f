"""Events for people: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, TextIO

from edgecls.console import printable
from edgecls.contract.conditions import DriftEvent
from edgecls.contract.events import (
    ChangeEvent,
    Event,
    LabelEvent,
    ModelEvent,
    PredictionEvent,
    ShadowEvent,
    SourceEvent,
    SummaryEvent,
    UnreadableEvent,
)
from edgecls.contract.moment import within_calendar
from edgecls.contract.warning_event import WarningEvent
from edgecls.errors import SinkClosedError, SinkError
from edgecls.imaging.captured import CapturedFrame
from edgecls.sinks import Sink

_REFRESH_S: Final = 0.1
_BAR: Final = 20
_LIMITS: Final = {
    "source": "the source: the loop waited for frames",
    "decode": "decoding: the loop waited for it",
    "fps": "--fps: the loop paused",
    "model": "the model: the loop was busy with it",
}
_CLEAR: Final = "\r\x1b[K"
_FIRST_CLOCK_S: Final = 1e9  # in 2001; no recording is that long


class ConsoleSink(Sink):
    """Shows the label now, and one line for every change."""

    name = "console"

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_live = out.isatty()
        self._shown_s = 0.0
        self._has_line = False

    def wants(self, event: Event, _frame: CapturedFrame | None = None) -> bool:
        """All but what is not shown: predictions of a stream, where no terminal is refreshed."""
        if not isinstance(event, PredictionEvent) or event.name:
            return True
        return self._is_live and time.monotonic() - self._shown_s >= _REFRESH_S

    def handle(self, event: Event, _frame: CapturedFrame | None = None) -> None:
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
            f"{_age(event):>9}  {others:.40}"
        )
        self._out.flush()
        self._has_line = True

    def _print(self, text: str) -> None:
        self.close()
        self._out.write(text + "\n")
        self._out.flush()


def _age(event: PredictionEvent) -> str:
    return "" if event.age_ms is None else f"{event.age_ms:.0f} ms"


def _describe(
    event: ChangeEvent
    | LabelEvent
    | ShadowEvent
    | ModelEvent
    | SourceEvent
    | UnreadableEvent
    | DriftEvent
    | WarningEvent
    | SummaryEvent,
) -> str:
    if isinstance(event, SummaryEvent):
        return _describe_summary(event)
    if isinstance(event, UnreadableEvent):
        return f"unreadable: {printable(event.reason)}"
    if isinstance(event, SourceEvent):
        reason = f": {printable(event.reason)}" if event.reason else ""
        return f"source {printable(event.source)} is {event.state}{reason}"
    if isinstance(event, WarningEvent):
        what = event.reason or f"no longer {event.trouble}, after {event.seconds:.0f} s"
        return f"source {printable(event.source)}: {printable(what)}"
    if isinstance(event, ModelEvent):
        reason = f": {printable(event.reason)}" if event.reason else ""
        return f"model {printable(event.model)} is {event.state}{reason}"
    clock = _clock(event.time)
    if isinstance(event, DriftEvent):
        return f"{clock}  {_describe_drift(event)}"
    if isinstance(event, ChangeEvent):
        return f"{clock}  {printable(event.label)} ({event.score:.0%})"
    if isinstance(event, LabelEvent):
        seconds = f" for {event.seconds:.1f} s" if event.seconds else ""
        return f"{clock}  {printable(event.label)} {event.state}{seconds}"
    live = f"{printable(event.label)} ({event.score:.0%})"
    candidate = f"{printable(event.candidate)} ({event.candidate_score:.0%})"
    return f"{clock}  {live}, the candidate says {candidate}"


def _describe_drift(event: DriftEvent) -> str:
    learnt = f"learnt {event.median:.4g} ({event.low:.4g} to {event.high:.4g})"
    what = "has left what was learnt" if event.state == "drifting" else "is as learnt again"
    return f"drift: {printable(event.statistic)} {what}: {event.seen:.4g}, {learnt}"


def _clock(time_s: float) -> str:
    # A recording's own time begins with 0, the clock's in 1970: it is no time of any day.
    is_media = time_s < _FIRST_CLOCK_S
    time_s = within_calendar(time_s)
    return time.strftime("%H:%M:%S", time.gmtime(time_s) if is_media else time.localtime(time_s))


def _describe_summary(summary: SummaryEvent) -> str:
    lines = [
        f"{summary.classified} frames classified in {summary.seconds:.1f} s"
        f" ({summary.fps:.1f} a second), {summary.dropped} dropped,"
        f" {summary.unreadable} unreadable"
        + (f", {summary.gated} without motion" if summary.gated else "")
        + (f", {summary.failed} failed in the model" if summary.failed else "")
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
    if summary.time_shares:
        what, share = max(summary.time_shares.items(), key=lambda item: item[1])
        lines.append(f"limited by {_LIMITS[what]} ({share:.0%} of the time)")
    if flips := summary.flips_per_hour:
        lines.append(
            f"changes an hour: {flips['label']:.0f} of single frames, {flips['steady']:.0f} steady"
        )
    if shadow := summary.shadow:
        agreement = "-" if shadow["agreement"] is None else f"{shadow['agreement']:.1%}"
        lines.append(
            f"{printable(shadow['model'])} agrees in {agreement} of {shadow['compared']} frames,"
            f" {shadow['skipped']} skipped, {shadow['failed']} failed"
        )
    if summary.drifting:
        lines.append(f"drift: {', '.join(summary.drifting)} left what the model learnt")
    if summary.source:
        lines.append(f"source: {_describe_source(summary.source)}")
    lines += [f"sink {name} missed {n} events" for name, n in summary.sink_drops.items()]
    for name, counts in summary.sinks.items():
        told = [f"{number} {what}" for what, number in counts.items() if what != "dropped"]
        if told:
            lines.append(f"{printable(name)}: {', '.join(told)}")
    return "\n".join(lines)


def _describe_source(source: Mapping[str, float]) -> str:
    told = []
    if lost := source.get("lost"):
        times = "once" if lost == 1 else f"{lost:.0f} times"
        told.append(f"lost {times}, away for {source.get('away_s', 0):.1f} s")
    told += [
        f"{name.removesuffix('_s')} for {seconds:.0f} s"
        for name, seconds in source.items()
        if name not in ("lost", "away_s")
    ]
    return ", ".join(told)
