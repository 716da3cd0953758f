"""`edgecls collect`: take pictures for training, in the browser."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from edgecls.cli.frames import (
    CameraFpsOption,
    FlipOption,
    FrameChoices,
    PixelFormatOption,
    RoiOption,
    RotateOption,
    SizeOption,
)
from edgecls.cli.interrupts import Interrupts
from edgecls.cli.options import JsonOption
from edgecls.cli.sinks import parse_size
from edgecls.cli.source import SourceChoices, TimeoutOption, WaitOption, WarnAfterOption
from edgecls.cli.web import (
    HostNameOption,
    ListenOption,
    TokenFileOption,
    open_web,
    warn,
)
from edgecls.console import json_line, printable
from edgecls.storage.targets import DATA_SET, Reads, Writes

if TYPE_CHECKING:
    from edgecls.collect.app import CollectApp
    from edgecls.collect.collection import Collection
    from edgecls.collect.live import Live
    from edgecls.collect.session import Session

_MOST_LABELS: Final = 20
# A small folder is read by then, and its page need not say how far it is.
_AT_ONCE_S: Final = 0.3


def collect(
    folder: Annotated[
        Path,
        typer.Argument(help="The data set; made if it is missing.", metavar="DIR"),
        Writes(DATA_SET),
    ] = Path("pictures"),
    labels: Annotated[
        str,
        typer.Option("--labels", "-l", help="What there is to see, in the order of the keys: a,b."),
    ] = "",
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            "-s",
            help="0, /dev/video0, picamera:0, http://..., rtsp://..., a video, a folder,"
            " fake:digits.",
            show_default="the board's profile's, else 0",
        ),
        Reads("source"),
    ] = None,
    rotate: RotateOption = 0,
    flip: FlipOption = "none",
    roi: RoiOption = None,
    size: SizeOption = None,
    camera_fps: CameraFpsOption = None,
    pixel_format: PixelFormatOption = "auto",
    wait: WaitOption = None,
    source_timeout: TimeoutOption = 5.0,
    warn_after: WarnAfterOption = 10.0,
    listen: ListenOption = "127.0.0.1:8080",
    host_name: HostNameOption = None,
    token_file: TokenFileOption = None,
    quota: Annotated[
        str,
        typer.Option(help="All pictures together; beyond it collecting stops. 0: no limit."),
    ] = "10GB",
    free: Annotated[str, typer.Option(help="What must stay free on the disk.")] = "200MB",
    as_json: JsonOption = False,
) -> None:
    """Take labelled pictures with the camera, in the browser: one key a label.

    \b
    edgecls collect --labels cat,dog
    edgecls collect --labels cat,dog --source picamera:0 --rotate 180 pictures
    edgecls collect --listen 0.0.0.0:8080      # from a phone; asks for the token
    edgecls train pictures
    """
    from edgecls.collect.app import CollectApp
    from edgecls.collect.collection import Collection
    from edgecls.collect.live import Live
    from edgecls.collect.names import parse_labels
    from edgecls.collect.session import Session
    from edgecls.web import FrameStream, Listen

    frames = FrameChoices(
        rotate=rotate,
        flip=flip,
        roi=roi,
        size=size,
        camera_fps=camera_fps,
        pixel_format=pixel_format,
    )
    patience = SourceChoices(wait, source_timeout)
    wishes = patience.add_to(frames.to_wishes(None))
    opener = patience.make_opener(source or _find_source(), wishes, is_limited=False)
    stream = FrameStream()
    live = Live(opener, stream, frames.to_view(), warn_s=warn_after, asked_fps=camera_fps or 0.0)
    quota_bytes, min_free_bytes = parse_size(quota), parse_size(free)
    names = parse_labels(labels) if labels else ()
    Listen.parse(listen)  # what is wrong is said before a folder is made
    with contextlib.ExitStack() as closing:
        closing.callback(live.close)
        live.open()
        collection = Collection(
            folder,
            names,
            quota_bytes=quota_bytes,
            min_free_bytes=min_free_bytes,
            tell=warn,
            is_read_later=True,
        )
        closing.callback(collection.close)
        collection.wait_until_read(_AT_ONCE_S)
        session = Session(collection, live, warn)
        app = CollectApp(session, stream)
        interrupts = closing.enter_context(Interrupts())
        with contextlib.closing(open_web(app.web, listen, host_name, token_file, warn)):
            _run(live, app, collection, interrupts)
        _print_summary(session, as_json=as_json)
    if interrupts.is_interrupted:
        raise typer.Exit(130)


def _find_source() -> str:
    """The camera that this board usually has."""
    from edgecls.profile import choose_profile
    from edgecls.profile.board import read_board

    board = read_board()
    return choose_profile(None, board).source_on(board)


def _run(live: Live, app: CollectApp, collection: Collection, interrupts: Interrupts) -> None:
    """Until a signal comes, the camera's thread fails, or the folder cannot be read."""
    live.start()
    app.survey.start()
    try:
        interrupts.wait(lambda: live.failure is not None or collection.failure is not None)
    finally:
        app.survey.close()
        live.close()
    failure = live.failure or collection.failure
    if failure is not None:
        raise failure


def _print_summary(session: Session, *, as_json: bool) -> None:
    labels = dict(session.collection.counts)
    counts = session.counts
    if as_json:
        done = dataclasses.asdict(counts)
        folder = str(session.collection.folder)
        total = sum(labels.values())
        summary = {"event": "summary", "folder": folder, "pictures": total, "labels": labels}
        print(json_line(summary | done | {"frames": session.live.frames}))
        return
    named = [f"{printable(label)} {count}" for label, count in labels.items()]
    more = [f"and {len(named) - _MOST_LABELS} labels more"] if len(named) > _MOST_LABELS else []
    there = ", ".join(named[:_MOST_LABELS] + more)
    print(f"{printable(str(session.collection.folder))}: {there or 'no labels'}")
    if not (reading := session.collection.reading).is_over:
        print(f"of {reading.expected or 'all its'} pictures {reading.read} were read")
    print(
        f"kept {counts.kept}, left out {counts.alike} that looked alike,"
        f" deleted {counts.discarded}, relabelled {counts.relabelled}"
    )
