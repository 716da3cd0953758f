"""A camera that is not there yet: it is lost from the start, and looked for like any other."""

from __future__ import annotations

from typing import NoReturn

from edgecls.contract.address import redact_address
from edgecls.errors import SourceError
from edgecls.sources import Closing


class AbsentSource(Closing):
    """Stands in for a camera until it can be opened.

    Args:
        text: As the user wrote it.
        wrong: Why it cannot be opened.
    """

    is_live = True
    is_sequence = True

    def __init__(self, text: str, wrong: SourceError) -> None:
        self.name = redact_address(text)
        self._wrong = wrong

    def read(self) -> NoReturn:
        """Raises the SourceError that opening it raised."""
        raise self._wrong
