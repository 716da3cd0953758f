"""Requests and replies of HTTP/1.1; what could be understood in two ways is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self, TypeVar
from urllib.parse import parse_qsl

from edgecls.errors import InvalidValueError
from edgecls.web.limits import Limits

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_MOST_FIELDS: Final = 64
_Value = TypeVar("_Value")

# On every reply. No reply is stored, framed, sniffed or read by another site's page, and nothing
# runs that is not a file of this server.
SECURITY: Final = (
    "Content-Security-Policy: default-src 'self'; base-uri 'none'; object-src 'none';"
    " form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    # Not `no-referrer`: with it browsers keep the Origin of a form to themselves.
    "Referrer-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cache-Control: no-store",
)


class BadRequestError(Exception):
    """A request that is refused before anybody looks at what it wants.

    Args:
        status: 400 to 505.
        problem: In a few words.
    """

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Args:
        method: `GET`, `HEAD`, `POST` or whatever else the client wrote.
        path: As it was written, not decoded.
        headers: By lower-case name; of a name that stands twice there is none, it was refused.
        raw_query: Behind the `?`.
        body: Empty where there is none.
        is_last: Whether the connection ends with the reply.
        peer: Address of the client.
        local: Address of this machine that the client connected to.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw_query: str = ""
    body: bytes = b""
    is_last: bool = False
    peer: str = ""
    local: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The fields of the query; of a field that stands twice the last.

        Raises:
            InvalidValueError: There are more than 64.
        """
        return _fields(self.raw_query)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a plain HTML form.

        Raises:
            InvalidValueError: It is none.
        """
        self._check_type("application/x-www-form-urlencoded")
        return _fields(self.body.decode("utf-8", "replace"))

    def json(self) -> dict[str, Any]:
        """The body, an object of JSON.

        Raises:
            InvalidValueError: It is none.
        """
        self._check_type("application/json")
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as wrong:
            raise InvalidValueError("the body is no JSON") from wrong
        if not isinstance(value, dict):
            raise InvalidValueError("the body is no object of JSON")
        return value

    @property
    def length(self) -> int:
        """Bytes of the body that the client announces.

        Raises:
            BadRequestError: It is not a plain number, or the body comes in chunks.
        """
        if "transfer-encoding" in self.headers:
            raise BadRequestError(411, "a body needs a Content-Length here, chunks are not taken")
        if "expect" in self.headers:
            raise BadRequestError(417, "nothing is expected here")
        text = self.headers.get("content-length", "0")
        if not (text.isascii() and text.isdecimal()):
            raise BadRequestError(400, "the Content-Length is no number")
        return int(text) if len(text) < 16 else 1 << 62

    def _check_type(self, wanted: str) -> None:
        found = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if found != wanted:
            raise InvalidValueError(f"the body is {found or 'of no type'}, wanted {wanted}")


def take(body: Mapping[str, Any], name: str, kind: type[_Value]) -> _Value:
    """A field of a body.

    Raises:
        InvalidValueError: It is missing, or of another type.
    """
    value = body.get(name)
    if not isinstance(value, kind):
        raise InvalidValueError(f"the request lacks {name!r}")
    return value


def take_texts(body: Mapping[str, Any], name: str) -> list[str]:
    """A field of a body that is a list of texts; see `take`."""
    values = take(body, name, list)
    if not all(isinstance(value, str) for value in values):
        raise InvalidValueError(f"{name!r} is no list of texts")
    return values


def parse_head(head: bytes, limits: Limits) -> Request:
    """Read the first line and the headers.

    Args:
        head: Up to and without the empty line.
        limits: How many lines.

    Raises:
        BadRequestError: It is not what RFC 9112 wants, or can be understood in two ways.
    """
    first, *lines = head.split(b"\r\n")
    if len(lines) > limits.header_lines:
        raise BadRequestError(431, "too many headers")
    method, target, version = _parse_first(first)
    headers: dict[str, str] = {}
    for line in lines:
        name, value = _parse_line(line)
        if name in headers:
            raise BadRequestError(400, f"the header {name} stands twice")
        headers[name] = value
    if not headers.get("host"):
        raise BadRequestError(400, "there is no Host")
    connection = headers.get("connection", "").lower()
    is_last = "close" in connection or (version == b"HTTP/1.0" and "keep-alive" not in connection)
    path, _, query = target.partition("?")
    return Request(method, path, headers, query, is_last=is_last)


def _parse_first(line: bytes) -> tuple[str, str, bytes]:
    parts = line.split(b" ")
    if len(parts) != 3 or _NAME.fullmatch(parts[0]) is None or not parts[1]:
        raise BadRequestError(400, "the first line is no request")
    method, target, version = parts
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        is_other = version.startswith(b"HTTP/")
        raise BadRequestError(505 if is_other else 400, "only HTTP/1.1 is spoken here")
    return method.decode("ascii"), target.decode("latin-1"), version


def _parse_line(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    # No space may stand before the colon, and no line may go on with the next.
    if not colon or _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
        raise BadRequestError(400, "a header is malformed")
    return name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")


def _fields(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as wrong:
        raise InvalidValueError("the fields cannot be read") from wrong


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Args:
        status: Of HTTP.
        body: Of a reply to HEAD only the length is sent.
        content_type: Of the body.
        headers: More of them; names and values are the server's own words, never a client's.
        delay_s: How long to wait before it is sent; nobody else waits.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    @classmethod
    def of_json(cls, value: Any, status: int = 200) -> Self:
        """An object of JSON."""
        body = json.dumps(value, allow_nan=False).encode()
        return cls(status, body, "application/json; charset=utf-8")

    @classmethod
    def of_error(cls, status: int, problem: str, hint: str = "") -> Self:
        """`{"error", "hint"}`."""
        return cls.of_json({"error": problem, "hint": hint}, status)

    @classmethod
    def of_jpeg(cls, content: bytes, save_as: str = "") -> Self:
        """A picture; with `save_as`, a plain ASCII file name, one that the browser saves."""
        more = {"Content-Disposition": f'attachment; filename="{save_as}"'} if save_as else {}
        return cls(200, content, "image/jpeg", more)

    def to_head(self, *, is_last: bool, length: int | None) -> bytes:
        """The status line and all headers.

        Args:
            is_last: Whether the connection ends with this reply.
            length: Of the body; None for a feed, which goes on until the connection ends.
        """
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            *SECURITY,
            *(f"{name}: {value}" for name, value in self.headers.items()),
            f"Connection: {'close' if is_last else 'keep-alive'}",
        ]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
