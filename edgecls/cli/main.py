"""The command `edgecls`: its own commands, those of the other distributions, and signposts."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
import threading
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edgecls import __version__
from edgecls.cli.declared import refuse_targets
from edgecls.cli.grouped import GroupedCommand
from edgecls.cli.service import tell_failure
from edgecls.console import guard_streams, print_error, silence_libraries
from edgecls.errors import EXIT_BUG, EdgeclsError, is_strict

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "edgecls.commands"
# The board's own: each is a function of its name in the module of its name.
_OWN: Final = frozenset(
    (
        "bench",
        "camera",
        "cameras",
        "classify",
        "collect",
        "compare",
        "deploy",
        "doctor",
        "evaluate",
        "inspect",
        "replay",
        "review",
        "verify",
    )
)
# Commands that belong to a workstation, and the distribution that has them.
ELSEWHERE: Final = {
    "check": "edgecls-train",
    "train": "edgecls-train",
    "convert": "edgecls-convert",
    "explain": "edgecls-train",
    "tune": "edgecls-train",
    "label": "edgecls-train",
}
_HELP: Final = {
    "check": "Look for problems in labelled pictures (needs edgecls-train).",
    "train": "Train a classifier (needs edgecls-train).",
    "convert": "Convert to int8 (needs edgecls-convert).",
    "explain": "Show where a classifier looks (needs edgecls-train).",
    "tune": "Try several recipes, keep the best (needs edgecls-train).",
    "label": "Propose labels for pictures (needs edgecls-train).",
}
# The three lines of the heart first.
_ORDER: Final = (
    "train",
    "convert",
    "camera",
    "collect",
    "review",
    "classify",
    "evaluate",
    "compare",
    "replay",
    "explain",
    "check",
    "tune",
    "label",
    "inspect",
    "verify",
    "bench",
    "cameras",
    "deploy",
    "doctor",
)

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


def main() -> None:
    """Run `edgecls`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started it: `edgecls ... >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    guard_streams()
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked in _OWN and not os.environ.get("EDGECLS_DEBUG"):
        silence_libraries()
    if is_strict():
        threading.excepthook = _end_of_a_thread
    try:
        make_app(asked)()
    except KeyboardInterrupt:  # while a command was being imported
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except (MemoryError, OSError) as wrong:
        sys.exit(_tell_unexpected(wrong))
    finally:
        _flush()


def _flush() -> None:
    """Without this, Python complains at exit about a reader that went away or a full disk."""
    try:
        sys.stdout.flush()
    except OSError as wrong:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(wrong, BrokenPipeError):
            sys.exit(_tell_unexpected(wrong))


def _end_of_a_thread(ended: threading.ExceptHookArgs) -> None:
    """A bug in a thread ends the process, too: nobody would notice that its work is not done."""
    traceback.print_exception(ended.exc_type, ended.exc_value, ended.exc_traceback)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(EXIT_BUG)


def _explain(wrong: Exception) -> tuple[str, str]:
    """Problem and hint of what no command expects; no problem where it is a bug of ours."""
    if isinstance(wrong, MemoryError):
        return "this machine has too little memory for that", "close other programs, or do less"
    if not isinstance(wrong, OSError) or wrong.strerror is None:
        return "", ""
    hint = _REMEDIES.get(wrong.errno or 0, "")
    if wrong.filename is not None:
        name = os.fsdecode(wrong.filename) if not isinstance(wrong.filename, int) else "its file"
        return f"{name!r}: {wrong.strerror}", hint or "see 'ls -ld' of it and of its folder"
    if wrong.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return f"the output cannot be written: {wrong.strerror}", hint
    return (wrong.strerror, hint) if hint else ("", "")


# Of the operating system, when it refuses: what its user can do.
_REMEDIES: Final = {
    errno.EACCES: "run 'ls -ld' on it and on its folder: they belong to another user",
    errno.EPERM: "run 'ls -ld' on it and on its folder: they belong to another user",
    errno.EROFS: "its disk is read-only: choose a folder on another one",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EIO: "its disk or the connection to it is broken: see 'dmesg'",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "too many files are open on this machine: close other programs",
    errno.ENOMEM: "close other programs, or do less",
    errno.EAGAIN: "raise the limit of processes: ulimit -u",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "a symbolic link leads to itself: remove it",
    errno.ENOENT: "was it moved or deleted meanwhile?",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
    errno.EISDIR: "it is a folder, and a file is wanted",
}


def make_app(asked: str = "") -> typer.Typer:
    """The command line, with what is installed on this machine.

    Args:
        asked: Of the board's own commands the one that will be run: the others, and what belongs on
            a workstation, are not even imported, which halves the start. Else all are there.
    """
    app = typer.Typer(
        name="edgecls",
        help=(
            "Image classification on edge devices: train, convert to int8, classify camera"
            " frames.\n\n\b\nedgecls train\nedgecls convert --int8\n"
            "edgecls camera --model model.tflite"
        ),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    if asked in _OWN:
        app.command(asked, cls=GroupedCommand)(guarded(_load(asked)))
        return app
    from importlib.metadata import entry_points  # mail parsing and more, half as much as Typer

    installed = {point.name: point for point in entry_points(group=GROUP)}
    for name in (*_ORDER, *sorted(set(installed) - set(_ORDER))):
        if name in _OWN:
            app.command(name, cls=GroupedCommand)(guarded(_load(name)))
        elif name in installed:
            _add_installed(app, name, installed[name])
        else:
            _add_signpost(
                app,
                name,
                f"'edgecls {name}' is not installed here: it belongs on a workstation",
                _how_to_install(ELSEWHERE[name]),
            )
    return app


def _load(name: str) -> Callable[..., None]:
    command: Callable[..., None] = getattr(import_module(f"edgecls.cli.{name}"), name)
    return command


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors become one line with a hint and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            refuse_targets(command, options)
            command(*args, **options)
        except (typer.Exit, typer.BadParameter):
            raise
        except EdgeclsError as wrong:
            print_error(wrong.problem, wrong.hint)
            tell_failure(wrong.problem)
            raise typer.Exit(EXIT_ERROR) from None
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            # `edgecls ... | head`: whoever read has had enough, which is no error.
            raise typer.Exit(0) from None
        except Exception as wrong:
            if os.environ.get("EDGECLS_DEBUG"):
                raise
            raise typer.Exit(_tell_unexpected(wrong)) from None

    return run


def _tell_unexpected(wrong: Exception) -> int:
    """Say what no command has foreseen; returns the exit code."""
    problem, hint = _explain(wrong)
    if not problem:
        if is_strict():
            traceback.print_exception(wrong)
            return EXIT_BUG
        problem = f"edgecls failed in a way it should not: {type(wrong).__name__}: {wrong}"
        hint = "set EDGECLS_DEBUG=1 to see where, and please report it"
    print_error(problem, hint)
    tell_failure(problem)
    return EXIT_ERROR


def _print_version(is_asked_for: bool) -> None:
    if is_asked_for:
        print(f"edgecls {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[  # its callback does the work, before a command is missed
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """What stands before the command."""


def _add_installed(app: typer.Typer, name: str, point: EntryPoint) -> None:
    try:
        command = point.load()
    except Exception as wrong:  # noqa: BLE001  # a half-installed part leaves the board's alone
        package = point.dist.name if point.dist else point.module
        _add_signpost(
            app,
            name,
            f"'edgecls {name}' is installed but cannot be loaded: {wrong}",
            _how_to_install(package, "--force-reinstall --no-deps "),
        )
    else:
        app.command(name, cls=GroupedCommand)(guarded(command))


def _how_to_install(package: str, options: str = "") -> str:
    """The pip line; of our own parts, which are on no index, from where they come."""
    if package not in ELSEWHERE.values():
        return f"pip install {options}{package}"
    return f"in a checkout of edgecls: pip install {options}./{package.removeprefix('edgecls-')}"


def _add_signpost(app: typer.Typer, name: str, problem: str, hint: str) -> None:
    settings = {
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }

    @app.command(name, help=_HELP.get(name, problem), context_settings=settings)
    def signpost() -> None:
        print_error(problem, hint)
        raise typer.Exit(EXIT_USAGE)
