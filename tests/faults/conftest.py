"""The command line, and models and pictures to give it."""

from __future__ import annotations

from tests.cli.conftest import cli, model, models, pictures, stranger
from tests.support.stand_in import stand_in, stand_in_library

__all__ = ["cli", "model", "models", "pictures", "stand_in", "stand_in_library", "stranger"]
