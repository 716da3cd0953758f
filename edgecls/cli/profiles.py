"""The board's profile on the command line: defaults for what the user left open."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import typer

from edgecls.console import printable
from edgecls.storage.targets import Reads

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.profile import Profile
    from edgecls.runtimes.accelerator import Accelerator

ProfileOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Board to take defaults from: a name such as raspberry-pi-4b, or a .toml file.",
        show_default="the detected one",
    ),
    Reads("profile"),
]
BoardThreadsOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--threads",
        help="Threads of one inference; small models gain nothing.",
        show_default="the profile's, else 1",
    ),
]


class Defaults(NamedTuple):
    """What a profile says of one model on this board; what the user said is not asked here."""

    profile: Profile
    source: str
    threads: int
    size: str | None
    pixel_format: str
    accelerator: Accelerator | None

    def fill(self, given: dict[str, Any]) -> dict[str, Any]:
        """The options of `camera`, with what the user left open taken from the profile."""
        open_ones = ("source", "threads", "size", "pixel_format")
        return given | {name: getattr(self, name) for name in open_ones if given[name] is None}

    def edge_tpu(self, runtime: str) -> Accelerator | None:
        """The Edge TPU to use, unless the user chose another engine."""
        return self.accelerator if runtime in ("auto", "edgetpu") else None


def find_defaults(profile: str | None, model: Path, source: str | None = None) -> Defaults:
    """Choose a profile, and look up what it says of a model.

    Args:
        profile: The user's choice; None for the board's own.
        model: Its file; whether it is any good is found out later.
        source: The user's choice, which decides whether a camera's size is anybody's business.
    """
    from edgecls.profile import choose_profile
    from edgecls.profile.board import read_board

    board = read_board()
    chosen = choose_profile(profile, board)
    size = _size_of(model)
    where = source or chosen.source_on(board)
    is_v4l2 = where.isdecimal() or where.startswith("/dev/video")
    accelerator, warnings = _choose_edge_tpu(chosen, model)
    defaults = Defaults(
        chosen,
        where,
        chosen.threads_for(size, os.cpu_count() or 1),
        f"{chosen.size[1]}x{chosen.size[0]}" if is_v4l2 and not chosen.is_generic else None,
        chosen.pixel_format,
        accelerator,
    )
    if profile is None and not chosen.is_generic:
        _tell(defaults)
    for warning in (*chosen.doubts(size), *warnings):
        print(f"warning: {printable(str(model))}: {printable(warning)}", file=sys.stderr)
    return defaults


def warn_of_image(profile: Profile, classifier: Classifier) -> None:
    """Say on stderr what of an opened model is too much for the board."""
    for doubt in profile.doubts(0, classifier.model.card.preprocessing.size):
        print(f"warning: {printable(f'{classifier.model.name}: {doubt}')}", file=sys.stderr)


def _tell(defaults: Defaults) -> None:
    count = defaults.threads
    print(
        f"profile {printable(str(defaults.profile))} (detected): source {defaults.source},"
        f" {count} thread{'s' if count > 1 else ''}",
        file=sys.stderr,
    )


def _size_of(model: Path) -> int:
    try:
        return model.stat().st_size
    except (OSError, ValueError):  # told when it is opened
        return 0


def _choose_edge_tpu(profile: Profile, model: Path) -> tuple[Accelerator | None, tuple[str, ...]]:
    """The Edge TPU of a profile for a model that is compiled; advice for one that is not."""
    if not profile.has_edge_tpu:
        return None, ()
    from edgecls.contract.operators import EDGETPU

    try:
        is_compiled = model.is_file() and EDGETPU.encode() in model.read_bytes()
    except (OSError, ValueError):
        return None, ()
    if not is_compiled:
        advice = "it is not compiled for the Edge TPU and runs on the CPU"
        return None, (f"{advice}: 'edgecls convert {model} --edgetpu' compiles it",)
    from edgecls.runtimes.accelerator import Accelerator

    performance = profile.performance
    return Accelerator(profile.device, performance), ()  # type: ignore[arg-type]  # checked there
