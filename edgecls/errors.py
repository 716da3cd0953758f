"""Every error that edgecls raises on purpose, each with a hint on what to do next.

EdgeclsError
├── InvalidValueError          a value that no card, tensor or setting may have (ValueError)
│   ├── ShapeError             an array of another shape or dtype than promised
│   └── TargetError            a place that must not be written to: others own it, or it is read
├── ModelFileError             a file that cannot be used as a model (ValueError)
│   ├── DamagedModelError      it was a model, but its bytes have changed or are missing
│   └── NotAClassifierError    a sound model that does something else
├── PictureError               a picture that cannot be read (ValueError)
├── DatasetError               a folder of pictures that cannot be trained on (ValueError)
├── RecipeError                a recipe that is unknown or wrong (ValueError)
├── RunError                   a run folder that is missing or incomplete (ValueError)
├── AccuracyLossError          a converted model that lost more than allowed (ValueError)
├── GoldenMismatchError        a board that does not reproduce the golden vectors (ValueError)
├── NotInstalledError          an optional part that is not installed (ImportError)
├── EngineError                an engine that failed to load or run a model (RuntimeError)
│   └── FrameFailedError       an engine that failed on one frame, and is ready for the next
├── DeployError                a board that cannot be reached, or keeps its old model (OSError)
├── SourceError                a camera, stream or file that gives no frames (OSError)
│   └── NoSuchSourceError      nothing that waiting for it could bring
└── SinkError                  a place that takes no predictions (OSError)
    └── SinkClosedError        its reader went away, as `head` does

Any other exception that reaches the user is a bug of ours. The user is told so in one line; with
`EDGECLS_STRICT=1`, as the tests and the fuzzers have it, the process ends with a traceback.
"""

import os
from typing import Final

EXIT_BUG: Final = 70  # EX_SOFTWARE of sysexits.h


def is_strict() -> bool:
    """Whether what nobody expected ends the process, with a traceback and exit code 70.

    Whoever goes on after a bug of ours, so that it costs one event or one page and not the loop,
    asks this first and raises it again.
    """
    return os.environ.get("EDGECLS_STRICT", "") not in ("", "0")


class EdgeclsError(Exception):
    """A problem that the user can act on.

    Args:
        problem: What was found and what was wanted, in one line, with the value quoted.
        hint: What to do next; empty when the problem says it all.
    """

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}\n  hint: {self.hint}" if self.hint else self.problem


class InvalidValueError(EdgeclsError, ValueError):
    """A value that no card, tensor or setting may have."""


class ShapeError(InvalidValueError):
    """An array of another shape or dtype than promised."""


class TargetError(InvalidValueError):
    """A file or folder that must not be written to: others made it, or the command reads it."""


class ModelFileError(EdgeclsError, ValueError):
    """A file that cannot be used as a model."""


class DamagedModelError(ModelFileError):
    """A model whose bytes have changed or are missing."""


class NotAClassifierError(ModelFileError):
    """A sound model that is not an image classifier."""


class PictureError(EdgeclsError, ValueError):
    """A picture that cannot be read."""


class DatasetError(EdgeclsError, ValueError):
    """A folder of pictures that cannot be trained or measured on."""


class RecipeError(EdgeclsError, ValueError):
    """A recipe that is unknown or wrong."""


class RunError(EdgeclsError, ValueError):
    """A run folder that is missing or incomplete."""


class AccuracyLossError(EdgeclsError, ValueError):
    """A converted model that lost more accuracy than allowed."""


class GoldenMismatchError(EdgeclsError, ValueError):
    """Golden vectors that this machine does not reproduce."""


class NotInstalledError(EdgeclsError, ImportError):
    """An optional part that is not installed."""


class EngineError(EdgeclsError, RuntimeError):
    """An engine that failed to load or to run a model."""


class FrameFailedError(EngineError):
    """An engine failed on one frame, or gave no numbers for it; it is ready for the next."""


class DeployError(EdgeclsError, OSError):
    """A board that cannot be reached, or that keeps the model it has."""


class SourceError(EdgeclsError, OSError):
    """A source that gives no frames."""


class NoSuchSourceError(SourceError):
    """A source that is written wrongly or refused: no waiting will bring it."""


class SinkError(EdgeclsError, OSError):
    """A sink that takes no predictions."""


class SinkClosedError(SinkError):
    """A sink whose reader went away: the end of the work, and no failure."""
