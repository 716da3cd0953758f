"""What tests of engines share: the stand-in for libedgetpu."""

from __future__ import annotations

from tests.support.stand_in import stand_in, stand_in_library

__all__ = ["stand_in", "stand_in_library"]
