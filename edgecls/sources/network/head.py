"""The head of an answer: what HTTP and RTSP have in common. Text in, values out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edgecls.errors import SourceError

REDIRECTS: Final = (301, 302, 303, 307, 308)
MOST_REDIRECTS: Final = 5
_STATUS: Final = re.compile(r"[0-9]{1,9}")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Head:
    """Status and header of an answer; header names are in lower case."""

    status: int
    reason: str
    fields: Mapping[str, str]
    challenges: tuple[str, ...] = field(default=())

    @property
    def content_type(self) -> str:
        """Without its parameters, in lower case; empty if the camera does not say."""
        return self.fields.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def length(self) -> int | None:
        """Of the body, in bytes; None where it is not stated, or is no number."""
        text = self.fields.get("content-length", "")
        return int(text) if _LENGTH.fullmatch(text) else None


def parse_head(lines: Sequence[str], protocol: str = "HTTP") -> Head:
    """Take the head of an answer apart; of a field that comes twice, the last counts.

    Args:
        lines: Without their ends; the first is `HTTP/1.1 200 OK`.
        protocol: `HTTP` or `RTSP`.

    Raises:
        SourceError: That is another protocol, or none.
    """
    version, _, rest = (lines[0] if lines else "").partition(" ")
    status, _, reason = rest.strip().partition(" ")
    if not version.startswith(f"{protocol}/") or not _STATUS.fullmatch(status):
        other = "http" if protocol == "RTSP" else "rtsp"
        raise SourceError(
            f"the camera does not answer in {protocol}",
            hint=f"is it the right port? try {other}://",
        )
    fields, challenges = {}, []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        fields[name] = value
        if name == "www-authenticate":
            challenges.append(value)
    return Head(int(status), reason.strip(), fields, tuple(challenges))
