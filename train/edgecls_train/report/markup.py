"""HTML as text: what every section of a report is put together from."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgecls.console import printable


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Args:
        content: Markup.
        kind: CSS class: `number`, or nothing.
        style: CSS of this cell alone.
    """

    content: str
    kind: str = ""
    style: str = ""


def escape(text: str) -> str:
    """Any text, such as a label or a file name, as HTML text or attribute."""
    return html.escape(printable(text))


def data_uri(content: bytes) -> str:
    """A PNG or JPEG as the source of an `img`."""
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def section(anchor: str, title: str, *parts: str) -> str:
    """A section with a heading; empty parts are left out."""
    body = "\n".join(part for part in parts if part)
    return f'<section id="{anchor}">\n<h2>{title}</h2>\n{body}\n</section>'


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def bullets(items: Iterable[str]) -> str:
    """A list of plain texts."""
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else ""


def details(summary: str, content: str) -> str:
    """What most readers do not need; folded."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def text_cell(text: str) -> Cell:
    """Plain text."""
    return Cell(escape(text))


def number_cell(text: str, style: str = "") -> Cell:
    """A figure, aligned to the right."""
    return Cell(escape(text), "number", style)


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], kind: str = "") -> str:
    """A table that scrolls by itself where the page is narrow; the first column names the row."""
    head = "".join(f'<th scope="col">{escape(header)}</th>' for header in headers)
    body = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table{_class(kind)}>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[Cell]) -> str:
    first, *rest = row
    cells = "".join(
        f"<td{_class(cell.kind)}{_style(cell.style)}>{cell.content}</td>" for cell in rest
    )
    return f'<th scope="row">{first.content}</th>{cells}'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _style(style: str) -> str:
    return f' style="{style}"' if style else ""
