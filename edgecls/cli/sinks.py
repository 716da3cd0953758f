"""Where the events of `edgecls camera` go: its options, and the sinks that they open."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TypeAlias

import typer

from edgecls.console import CLEAR, printable
from edgecls.storage.targets import EVENTS, FRAMES, RECORDING, Reads, Writes

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.contract.events import SummaryEvent
    from edgecls.pipeline import Loop
    from edgecls.sinks import Sink

_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

_PANEL: Final = "Outputs"

JsonlOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--jsonl", help="Append the events to this file, too.", rich_help_panel=_PANEL),
    Writes(EVENTS),
]
JsonlMaxOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--jsonl-max-mb",
        help="Begin the file anew from this size on; 0: never.",
        rich_help_panel=_PANEL,
    ),
]
JsonlKeepOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--jsonl-keep",
        help="Older files of events that stay: FILE.1, FILE.2, ...",
        rich_help_panel=_PANEL,
    ),
]
CsvOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        help="Append a row for each classified frame to this table.",
        rich_help_panel=_PANEL,
    ),
    Writes(FRAMES),
]
MqttOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--mqtt",
        help="Publish to a broker: mqtt[s]://[user@]host[:port]/[topic].",
        rich_help_panel=_PANEL,
    ),
]
MqttPasswordOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--mqtt-password-file",
        help="File with the broker's password; else EDGECLS_MQTT_PASSWORD.",
        rich_help_panel=_PANEL,
    ),
    Reads("password"),
]
MqttCaOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--mqtt-ca",
        help="Certificates to trust for mqtts://, else the system's.",
        rich_help_panel=_PANEL,
    ),
    Reads("certificates"),
]
MqttDiscoveryOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--mqtt-discovery",
        help="Home Assistant's discovery prefix; '': tell it nothing.",
        rich_help_panel=_PANEL,
    ),
]
RecordOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--record", help="Keep pictures here, in a folder for each label.", rich_help_panel=_PANEL
    ),
    Writes(RECORDING),
]
RecordWhenOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--record-when",
        help="Which: uncertain, changed, every, disagreed or all.",
        rich_help_panel=_PANEL,
    ),
]
RecordEveryOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--record-every", help="With 'every': each so many frames one.", rich_help_panel=_PANEL
    ),
]
RecordBelowOption: TypeAlias = Annotated[
    float,
    typer.Option(
        "--record-below",
        help="Score (0-1) below which a frame is uncertain.",
        rich_help_panel=_PANEL,
    ),
]
RecordQuotaOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--record-quota",
        help="All pictures together; the oldest go first. 0: no limit.",
        rich_help_panel=_PANEL,
    ),
]
RecordFreeOption: TypeAlias = Annotated[
    str,
    typer.Option("--record-free", help="What must stay free on the disk.", rich_help_panel=_PANEL),
]
RecordAlikeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--record-alike/--no-record-alike",
        help="Keep near-identical pictures, too.",
        rich_help_panel=_PANEL,
    ),
]
WindowOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--window", help="Show the frames in a window; q or Esc ends.", rich_help_panel=_PANEL
    ),
]
OnChangeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--on-change",
        help="Run this program when the steady label changes: {label}, {previous}, {score}.",
        rich_help_panel=_PANEL,
    ),
]


class SinkChoices(NamedTuple):
    """What the user said; see the options of the same names."""

    as_json: bool = False
    jsonl: Path | None = None
    jsonl_max_mb: float = 100.0
    jsonl_keep: int = 5
    csv: Path | None = None
    mqtt: str | None = None
    mqtt_password_file: Path | None = None
    mqtt_ca: Path | None = None
    mqtt_discovery: str = "homeassistant"
    record: Path | None = None
    record_when: str = "uncertain"
    record_every: int = 100
    record_below: float = 0.6
    record_quota: str = "2GB"
    record_free: str = "200MB"
    record_alike: bool = False
    on_change: str | None = None
    window: bool = False


def open_sinks(choices: SinkChoices, classifier: Classifier) -> list[Sink]:
    """Open all sinks, or none: what was opened is closed when another one cannot be."""
    with contextlib.ExitStack() as closing:
        sinks: list[Sink] = []
        for make in _makers(choices, classifier):
            sink = make()
            closing.callback(sink.close)
            sinks.append(sink)
        closing.pop_all()
        return sinks


def run_with_window(loop: Loop, sinks: list[Sink]) -> SummaryEvent:
    """Run the loop: here, or beside the window, which needs this thread for itself."""
    if not any(sink.name == "window" for sink in sinks):
        return loop.run()
    from edgecls.sinks.window import WindowSink, run_beside

    window = next(sink for sink in sinks if isinstance(sink, WindowSink))
    window.on_close = loop.stop
    return run_beside(window, loop.run)


def parse_size(text: str) -> int:
    """Bytes of `2GB`, `500M`, `1.5 TB` or `0`."""
    from edgecls.errors import InvalidValueError

    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    if found is None:
        raise InvalidValueError(f"{text!r} is not a size", hint="for example: 500MB, 2GB, 0")
    return int(float(found[1]) * _UNITS[found[2]])


def tell(text: str) -> None:
    """Say something on stderr while the loop runs, without breaking the live line."""
    clear = CLEAR if sys.stdout.isatty() and sys.stderr.isatty() else ""
    with contextlib.suppress(OSError, ValueError):  # nobody listens: no reason to stop
        print(f"{clear}warning: {printable(text)}", file=sys.stderr, flush=True)


def _makers(choices: SinkChoices, classifier: Classifier) -> Iterator[Callable[[], Sink]]:
    yield lambda: _open_out(choices)
    if choices.jsonl is not None:
        yield lambda: _open_jsonl(choices)
    if choices.csv is not None:
        yield lambda: _open_csv(choices)
    if choices.on_change is not None:
        yield lambda: _open_command(choices)
    if choices.record is not None:
        yield lambda: _open_record(choices)
    if choices.window:
        yield _open_window
    if choices.mqtt is not None:
        yield lambda: _open_mqtt(choices, classifier)


def _open_out(choices: SinkChoices) -> Sink:
    from edgecls.sinks.console import ConsoleSink
    from edgecls.sinks.jsonl import JsonlSink

    return JsonlSink(sys.stdout, "stdout") if choices.as_json else ConsoleSink(sys.stdout)


def _open_jsonl(choices: SinkChoices) -> Sink:
    from edgecls.errors import InvalidValueError
    from edgecls.sinks.jsonl import open_jsonl

    assert choices.jsonl is not None
    if not 0 <= choices.jsonl_max_mb < 1e9 or not 0 <= choices.jsonl_keep < 1000:
        raise InvalidValueError("--jsonl-max-mb and --jsonl-keep must be 0 or more")
    max_bytes = round(choices.jsonl_max_mb * 1e6)
    return open_jsonl(choices.jsonl, tell, max_bytes=max_bytes, keep=choices.jsonl_keep)


def _open_csv(choices: SinkChoices) -> Sink:
    from edgecls.sinks.csv import CsvSink

    assert choices.csv is not None
    return CsvSink(choices.csv, tell)


def _open_command(choices: SinkChoices) -> Sink:
    from edgecls.sinks.command import CommandSink

    assert choices.on_change is not None
    return CommandSink(choices.on_change, tell)


def _open_record(choices: SinkChoices) -> Sink:
    from edgecls.sinks.record import RecordSettings, RecordSink

    assert choices.record is not None
    settings = RecordSettings(
        when=choices.record_when,
        every=choices.record_every,
        below=choices.record_below,
        quota_bytes=parse_size(choices.record_quota),
        min_free_bytes=parse_size(choices.record_free),
        is_diverse=not choices.record_alike,
    )
    return RecordSink(choices.record, settings, tell)


def _open_window() -> Sink:
    from edgecls.sinks.window import WindowSink, check_display

    check_display()
    return WindowSink()


def _open_mqtt(choices: SinkChoices, classifier: Classifier) -> Sink:
    from edgecls.sinks.mqtt import MqttSink
    from edgecls.sinks.mqtt.settings import MqttSettings, load_password, parse_broker

    assert choices.mqtt is not None
    broker = parse_broker(choices.mqtt)
    password, warning = load_password(choices.mqtt_password_file)
    if warning:
        tell(warning)
    settings = MqttSettings(broker, password, choices.mqtt_ca, choices.mqtt_discovery)
    return MqttSink(settings, classifier.labels.names, classifier.model.name, tell)
