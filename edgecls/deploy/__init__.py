"""Brings a model to a board: proven here, copied, proven there, and swapped in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgecls.classifier import Classifier
from edgecls.contract.files import read_regular_file
from edgecls.contract.modelfile import MAX_MODEL_BYTES, load_model_file
from edgecls.deploy.connection import Advance, send
from edgecls.deploy.target import Target
from edgecls.errors import DeployError, ModelFileError
from edgecls.runtimes import open_runtime
from edgecls.verification import verify

FOLDER: Final = "/var/lib/edgecls"
UNIT: Final = "edgecls-camera.service"

Hear = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the board, and what must run there afterwards.

    Args:
        folder: Of the model; `~` and a relative one are the user's there.
        program: `edgecls` there; empty to look where setup.sh puts it, and on the PATH.
        unit: The service to restart; empty for none.
        is_verified: Whether golden vectors must come out right there.
        prove_s: So long the restarted service must run on: one that dies in its first seconds was
            ready, too, and is of no use.
    """

    folder: str = FOLDER
    program: str = ""
    unit: str = ""
    is_verified: bool = True
    prove_s: float = 5.0

    def order(self, **more: Any) -> dict[str, Any]:
        """What the board's part is told."""
        return {
            "folder": self.folder,
            "program": self.program,
            "unit": self.unit,
            "is_verified": self.is_verified,
            "prove_s": self.prove_s,
            "is_back": False,
            "bytes": 0,
            "sha256": "",
            **more,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Proven:
    """All bytes of a model file that has passed the gates on this machine."""

    content: bytes

    @property
    def sha256(self) -> str:
        """Of the whole file, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def prove(path: Path, *, is_verified: bool = True) -> Proven:
    """Read a model and pass it through the gates: its bytes, an engine, its golden vectors.

    A model that is compiled for the Edge TPU runs on the board only.

    Raises:
        ModelFileError: It is none, or damaged.
        EngineError: No engine runs it here.
        GoldenMismatchError: Its golden vectors come out otherwise.
        DeployError: It has none, so that no board could tell whether it computes rightly.
    """
    content = read_regular_file(path, MAX_MODEL_BYTES, ModelFileError)
    model = load_model_file(path)
    if not content.startswith(model.flatbuffer):
        raise DeployError(f"{str(path)!r} has changed meanwhile", hint="try again")
    if is_verified and model.golden is None:
        raise DeployError(
            f"{model.name!r} carries no golden vectors, so the board cannot prove it",
            hint="models made by 'edgecls convert' do; --no-verify sends it all the same",
        )
    if not model.structure.is_compiled:
        classifier = Classifier(model, open_runtime(model))
        try:
            if is_verified:
                verify(classifier)
        finally:
            classifier.close()
    return Proven(content)


def deploy(
    target: Target,
    model: Proven,
    place: Place,
    hear: Hear = lambda _: None,
    advance: Advance = lambda _: None,
) -> dict[str, Any]:
    """Bring a model to a board.

    Returns:
        `model` (its path there), `state` (`deployed`, or `unchanged` where it was there already),
        `sha256`, `previous`, `kept`, `vectors`, `runtime`, `latency_ms`, `service`.

    Raises:
        DeployError: The board cannot be reached, or keeps its old model; it says why.
    """
    order = place.order(bytes=len(model.content), sha256=model.sha256)
    return send(target, order, model.content, hear, advance)


def roll_back(target: Target, place: Place, hear: Hear = lambda _: None) -> dict[str, Any]:
    """Have a board take up the model before the one that it has; see `deploy`.

    Raises:
        DeployError: It has none, or keeps what it has.
    """
    return send(target, place.order(is_back=True), b"", hear)
