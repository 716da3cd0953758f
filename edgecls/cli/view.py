"""`edgecls camera --view`: the sink that tells pages what happens, and the server of the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgecls.cli.sinks import tell

if TYPE_CHECKING:
    from edgecls.classifier import Classifier
    from edgecls.pipeline import Loop
    from edgecls.sinks import Sink


class ViewChoices(NamedTuple):
    """What the user said; see the options of the same names."""

    view: str | None = None
    host_name: list[str] | None = None
    token_file: Path | None = None


def open_view(choices: ViewChoices, classifier: Classifier, sinks: list[Sink]) -> list[Sink]:
    """The sink of the page, if there is to be one.

    Args:
        choices: What the user said.
        classifier: Whose model the page names.
        sinks: The others; of a recording among them the page has the switch. They are closed
            where the page cannot be served.

    Raises:
        EdgeclsError: The address is none or taken, or there is no token.
    """
    if choices.view is None:
        _check_alone(choices)
        return []
    from edgecls.cli.web import open_web
    from edgecls.errors import EdgeclsError
    from edgecls.sinks.record import RecordSink
    from edgecls.sinks.view import ViewSink

    recorder = next((sink for sink in sinks if isinstance(sink, RecordSink)), None)
    view = ViewSink(classifier.model.name, classifier.labels.names, recorder)
    try:
        server = open_web(view.app, choices.view, choices.host_name, choices.token_file, tell)
    except EdgeclsError:
        for sink in sinks:
            sink.close()
        raise
    view.stop_serving = server.close
    return [view]


def connect_view(sinks: list[Sink], loop: Loop) -> None:
    """Let the page ask the loop for its figures."""
    for sink in sinks:
        if sink.name == "view":
            from edgecls.sinks.view import ViewSink

            assert isinstance(sink, ViewSink)
            sink.figures = loop.figures


def _check_alone(choices: ViewChoices) -> None:
    from edgecls.errors import InvalidValueError

    if choices.host_name or choices.token_file:
        raise InvalidValueError("--host-name and --token-file are of the page", hint="add --view")
