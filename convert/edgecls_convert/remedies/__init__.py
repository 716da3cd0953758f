"""What is tried when a converted model lost too much: gentle things first, the best is kept."""

from __future__ import annotations

from edgecls_convert.remedies.outcome import Outcome, Treated
from edgecls_convert.remedies.treat import RemedyMode, treat

__all__ = ["Outcome", "RemedyMode", "Treated", "treat"]
