"""`edgecls camera`: classify what a camera sees, now."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from edgecls.cli.candidates import (
    ReloadOption,
    ShadowEveryOption,
    ShadowOption,
    make_reloader,
    open_shadow,
)
from edgecls.cli.decisions import (
    AllowOption,
    DecisionChoices,
    DenyOption,
    HeldOption,
    HoldOption,
    LabelEventsOption,
    MarginOption,
    NoSmoothingOption,
    SmoothingOption,
    ThresholdOption,
    to_settings,
    warn_of_low_scores,
)
from edgecls.cli.drift import DriftOption, open_watch
from edgecls.cli.frames import (
    CameraFpsOption,
    FlipOption,
    FrameChoices,
    IdleFpsOption,
    MotionOption,
    MotionThresholdOption,
    PixelFormatOption,
    RoiOption,
    RotateOption,
    SizeOption,
)
from edgecls.cli.interrupts import Interrupts
from edgecls.cli.options import (
    DeviceOption,
    JsonOption,
    LabelsOption,
    ModelOption,
    OnLossOption,
    PerformanceOption,
    RuntimeOption,
    TopOption,
    choose_accelerator,
    load_labels,
    open_classifier,
)
from edgecls.cli.profiles import BoardThreadsOption, ProfileOption, find_defaults, warn_of_image
from edgecls.cli.service import open_service, wait_for_turn
from edgecls.cli.sinks import (
    CsvOption,
    JsonlKeepOption,
    JsonlMaxOption,
    JsonlOption,
    MqttCaOption,
    MqttDiscoveryOption,
    MqttOption,
    MqttPasswordOption,
    OnChangeOption,
    RecordAlikeOption,
    RecordBelowOption,
    RecordEveryOption,
    RecordFreeOption,
    RecordOption,
    RecordQuotaOption,
    RecordWhenOption,
    SinkChoices,
    WindowOption,
    open_sinks,
    run_with_window,
)
from edgecls.cli.source import (
    MemoryOption,
    SourceChoices,
    TimeoutOption,
    WaitOption,
    WarnAfterOption,
)
from edgecls.cli.view import ViewChoices, connect_view, open_view
from edgecls.cli.web import HostNameOption, TokenFileOption, ViewOption
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.pipeline import Loop
    from edgecls.sinks import Sink

_Choices = TypeVar(
    "_Choices", FrameChoices, DecisionChoices, SinkChoices, SourceChoices, ViewChoices
)


def camera(
    model: ModelOption,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            "-s",
            help="0, /dev/video0, picamera:0, http://..., rtsp://..., a video, a picture, a folder,"
            " fake:digits, fake:colors.",
            show_default="the profile's, else 0",
        ),
        Reads("source"),
    ] = None,
    profile: ProfileOption = None,
    labels: LabelsOption = None,
    top_k: TopOption = 3,
    threshold: ThresholdOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    smoothing: SmoothingOption = None,
    margin: MarginOption = None,
    hold: HoldOption = None,
    no_smoothing: NoSmoothingOption = False,
    label_events: LabelEventsOption = False,
    held: HeldOption = None,
    fps: Annotated[float, typer.Option(help="Frames classified a second at most; 0: all.")] = 0.0,
    max_frames: Annotated[int, typer.Option(help="Classify so many frames; 0: no end.")] = 0,
    duration: Annotated[float, typer.Option(help="Run for so many seconds; 0: no end.")] = 0.0,
    rotate: RotateOption = 0,
    flip: FlipOption = "none",
    roi: RoiOption = None,
    size: SizeOption = None,
    camera_fps: CameraFpsOption = None,
    pixel_format: PixelFormatOption = None,
    has_motion: MotionOption = False,
    motion_threshold: MotionThresholdOption = 10.0,
    idle_fps: IdleFpsOption = 1.0,
    wait: WaitOption = None,
    source_timeout: TimeoutOption = 5.0,
    source_memory: MemoryOption = 400.0,
    warn_after: WarnAfterOption = 10.0,
    as_json: JsonOption = False,
    runtime: RuntimeOption = "auto",
    threads: BoardThreadsOption = None,
    device: DeviceOption = None,
    performance: PerformanceOption = None,
    on_loss: OnLossOption = None,
    is_verified: Annotated[
        bool,
        typer.Option("--verify/--no-verify", help="Replay the model's golden vectors first."),
    ] = True,
    shadow: ShadowOption = None,
    shadow_every: ShadowEveryOption = 10,
    reload: ReloadOption = False,
    has_drift: DriftOption = True,
    jsonl: JsonlOption = None,
    jsonl_max_mb: JsonlMaxOption = 100.0,
    jsonl_keep: JsonlKeepOption = 5,
    csv: CsvOption = None,
    mqtt: MqttOption = None,
    mqtt_password_file: MqttPasswordOption = None,
    mqtt_ca: MqttCaOption = None,
    mqtt_discovery: MqttDiscoveryOption = "homeassistant",
    record: RecordOption = None,
    record_when: RecordWhenOption = "uncertain",
    record_every: RecordEveryOption = 100,
    record_below: RecordBelowOption = 0.6,
    record_quota: RecordQuotaOption = "2GB",
    record_free: RecordFreeOption = "200MB",
    record_alike: RecordAlikeOption = False,
    on_change: OnChangeOption = None,
    window: WindowOption = False,
    view: ViewOption = None,
    host_name: HostNameOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Classify camera frames, the newest first, until Ctrl-C.

    \b
    edgecls camera --model model.tflite
    edgecls camera --model model.tflite --source /dev/video2 --json
    edgecls camera --model model.tflite --source fake:digits --max-frames 200
    edgecls camera --model model.tflite --rotate 180 --roi 0.25,0,0.5,1 --motion
    edgecls camera --model model.tflite --view
    """
    given = locals()
    wait_for_turn()
    from edgecls.pipeline import Loop, LoopSettings

    defaults = find_defaults(profile, model, source)
    given = defaults.fill(given)
    source, threads = given["source"], given["threads"]
    frames = _pick(FrameChoices, given)
    settings = LoopSettings(
        top_k=top_k,
        fps=fps,
        max_frames=max_frames,
        duration_s=duration,
        view=frames.to_view(),
        motion=frames.to_motion(),
        warn_s=warn_after,
        asked_fps=camera_fps or 0.0,
    )
    accelerator = choose_accelerator(device, performance, on_loss) or defaults.edge_tpu(runtime)
    names = load_labels(labels)
    reloader = (
        make_reloader(model, names, runtime, threads, accelerator, is_verified=is_verified)
        if reload
        else None
    )
    classifier = open_classifier(model, labels, runtime, threads, accelerator)
    warn_of_image(defaults.profile, classifier)
    decisions = to_settings(_pick(DecisionChoices, given), classifier.labels)
    warn_of_low_scores(decisions, classifier)
    candidate = open_shadow(shadow, shadow_every, names, classifier, decisions)
    choices = _pick(SourceChoices, given)
    wishes = choices.add_to(frames.to_wishes(classifier.model.card.preprocessing.size))
    _verify(classifier, is_verified=is_verified)
    sinks = [*open_sinks(_pick(SinkChoices, given), classifier), *open_service(settings)]
    sinks += open_view(_pick(ViewChoices, given), classifier, sinks)
    loop = Loop(
        choices.make_opener(source, wishes, is_limited=bool(max_frames)),
        classifier,
        sinks,
        dataclasses.replace(settings, decisions=decisions),
        shadow=candidate,
        reloader=reloader,
        watch=open_watch(classifier, is_on=has_drift, is_reloaded=reload),
    )
    connect_view(sinks, loop)
    _run(loop, sinks)


def _pick(kind: type[_Choices], given: dict[str, Any]) -> _Choices:
    """The options that a tuple has fields for: each field has the name of its option."""
    return kind(**{name: given[name] for name in kind._fields})


def _run(loop: Loop, sinks: list[Sink]) -> None:
    from edgecls.errors import SinkClosedError

    with Interrupts(loop.stop) as interrupts:
        summary = run_with_window(loop, sinks)
    if loop.has_stuck_sink:
        # Its thread holds the lock of stdout, for which Python would wait at its end.
        os._exit(130 if interrupts.is_interrupted else 0)
    if interrupts.is_interrupted:
        raise typer.Exit(130)
    for failure in loop.sink_failures:
        if not isinstance(failure, SinkClosedError):
            raise failure
    if not summary.classified:
        print("warning: no frame was classified", file=sys.stderr)


def _verify(classifier: Classifier, *, is_verified: bool) -> None:
    # The fake engine computes nothing that golden vectors could be compared with.
    if is_verified and classifier.model.golden is not None and classifier.runtime.name != "fake":
        from edgecls.verification import verify

        verify(classifier)
