"""The page on which a person reviews proposals: thumbnails, labels, scores, no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import edgecls
from edgecls.errors import PictureError
from edgecls.imaging.opencv import cv2
from edgecls.pictures.folder import read_picture
from edgecls_train.report.markup import data_uri, escape, paragraph, section

if TYPE_CHECKING:
    from edgecls_train.label.propose import Guess, Proposals

# About 5 kB a picture: a page of 10 MB still opens on a phone.
_MOST_CERTAIN: Final = 1500
_MOST_UNCERTAIN: Final = 300
_LONGEST_SIDE: Final = 160
_QUALITY: Final = 80
_STYLE: Final = """
.sheet { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 8.5rem), 1fr)); }
.sheet figure { padding: .5rem; }
.sheet img { width: 100%; height: 8rem; object-fit: contain; display: block;
  background: var(--page); }
.sheet img.small { image-rendering: pixelated; }
.sheet figcaption { margin: .4rem 0 0; color: var(--ink); overflow-wrap: anywhere;
  line-height: 1.35; }
.sheet small { display: block; color: var(--quiet); }
.sheet .alike { border-left: 4px solid var(--val); }
"""


def build_sheet(proposals: Proposals, folder: Path, into: Path, min_score: float) -> str:
    """The page.

    Args:
        proposals: What was found.
        folder: Where the pictures are.
        into: Where they are to go.
        min_score: From which on a label was proposed.

    Returns:
        HTML, UTF-8 when encoded; no other file and no script.
    """
    title = f"Proposed labels for {folder.name}"
    style = files("edgecls_train.report").joinpath("style.css").read_text(encoding="utf-8")
    body = "\n".join(
        (
            f"<header><h1>{escape(title)}</h1>",
            _summary(proposals, into, min_score),
            '<p><a href="#proposed">Proposed</a> · <a href="#uncertain">Useful to label by hand</a>'
            ' · <a href="#next">How to go on</a></p>',
            "</header>",
            _certain_section(proposals.certain, folder),
            _uncertain_section(proposals.uncertain, folder),
            _unreadable_section(proposals.unreadable),
            _next_section(proposals),
        )
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n<footer>Written by edgecls {edgecls.__version__}.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _summary(proposals: Proposals, into: Path, min_score: float) -> str:
    return paragraph(
        f"{len(proposals.certain):,} pictures have a label with a score of at least {min_score:g}"
        f" and would go to '{into}'. {len(proposals.uncertain):,} are uncertain and stay, unless"
        " you label them. Nothing has been moved."
    )


def _certain_section(certain: Sequence[Guess], folder: Path) -> str:
    shown = certain[:_MOST_CERTAIN]
    by_label: dict[str, list[Guess]] = {}
    for guess in shown:
        by_label.setdefault(guess.proposed, []).append(guess)
    parts = [
        f"<h3>{escape(label)} <small>{len(guesses)}</small></h3>" + _sheet(guesses, folder)
        for label, guesses in sorted(by_label.items())
    ]
    return section(
        "proposed",
        "Proposed, the most certain first",
        paragraph(
            "Wrong ones: change the label in proposals.csv, empty it, or delete the line."
            if certain
            else "No picture reaches the score."
        ),
        *parts,
        _more(len(certain) - len(shown)),
    )


def _uncertain_section(uncertain: Sequence[Guess], folder: Path) -> str:
    if not uncertain:
        return section("uncertain", "Nothing is uncertain")
    shown = uncertain[:_MOST_UNCERTAIN]
    return section(
        "uncertain",
        "The most useful to label by hand",
        paragraph(
            "Here the model hesitates between two labels, so a person's word teaches it the most:"
            " write labels for the first of these into proposals.csv."
        ),
        _sheet(shown, folder),
        _more(len(uncertain) - len(shown)),
    )


def _unreadable_section(unreadable: Sequence[str]) -> str:
    if not unreadable:
        return ""
    lines = "".join(f"<li>{escape(problem)}</li>" for problem in unreadable)
    return section("unreadable", "Not readable, left where they are", f"<ul>{lines}</ul>")


def _next_section(proposals: Proposals) -> str:
    command = f"edgecls label --apply {proposals.place.path}"
    undo = f"edgecls label --undo {proposals.place.path}"
    return section(
        "next",
        "How to go on",
        f"<pre># move the pictures as {escape(str(proposals.place.table))} says\n{escape(command)}"
        f"\n# and back again\n{escape(undo)}</pre>",
    )


def _sheet(guesses: Iterable[Guess], folder: Path) -> str:
    """Thumbnails; those that show the same as one before are marked."""
    guesses = list(guesses)
    members = Counter(guess.alike for guess in guesses)
    figures = "\n".join(
        _figure(guess, folder, is_repeated=members[guess.alike] > 1) for guess in guesses
    )
    return f'<div class="sheet">\n{figures}\n</div>'


def _figure(guess: Guess, folder: Path, *, is_repeated: bool) -> str:
    second = f"{escape(guess.second)} {guess.second_score:.0%}" if guess.second else ""
    alike = f"<small>shows the same as others: {guess.alike}</small>" if is_repeated else ""
    kind = ' class="alike"' if is_repeated else ""
    return (
        f"<figure{kind}>{_thumbnail(folder / guess.file)}"
        f"<figcaption><b>{escape(guess.label)} {guess.score:.0%}</b>"
        f"<small>{second}</small><small>{escape(guess.file)}</small>{alike}</figcaption></figure>"
    )


def _thumbnail(path: Path) -> str:
    try:
        frame = read_picture(path)
    except PictureError:
        return ""  # it was readable a moment ago
    height, width = frame.shape[:2]
    factor = _LONGEST_SIDE / max(height, width)
    if factor < 1.0:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    done, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        return ""
    kind = ' class="small"' if max(height, width) < _LONGEST_SIDE // 2 else ""
    return f'<img{kind} src="{data_uri(content.tobytes())}" alt="">'


def _more(count: int) -> str:
    return paragraph(f"{count:,} more are in proposals.csv.", "quiet") if count > 0 else ""
