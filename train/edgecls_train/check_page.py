"""The result of a check as one HTML page that shows the pictures."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import numpy as np

import edgecls
from edgecls.contract.preprocessing import Preprocessing
from edgecls.errors import PictureError
from edgecls.imaging.decode import Frame
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import prepare
from edgecls.pictures import PictureSet
from edgecls.storage.kinds import PAGE_MARK
from edgecls_train.check import Checkup
from edgecls_train.evidence import Problem
from edgecls_train.report.markup import (
    data_uri,
    details,
    escape,
    number_cell,
    paragraph,
    section,
    table,
    text_cell,
)

# A page that a phone can still open: at most some 4 MB.
_SHOWN_OF_PROBLEM: Final = 24
_SHOWN_IN_ALL: Final = 600
_THUMBNAIL_SIDE: Final = 160
_JPEG_QUALITY: Final = 80
_FOLDED_CLASSES: Final = 20

_STYLE: Final = """
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr));
  gap: .75rem; margin: .5rem 0; padding: 0; list-style: none; }
.pictures li { background: var(--card); border: 1px solid var(--rule); border-radius: .5rem;
  padding: .5rem; font-size: .8rem; line-height: 1.3; overflow-wrap: anywhere; }
.pictures img, .pictures .none { display: block; width: 100%; height: 7rem; object-fit: contain;
  margin-bottom: .35rem; }
.pictures .none { display: grid; place-items: center; color: var(--quiet);
  border: 1px dashed var(--rule); }
.pictures span { color: var(--quiet); display: block; }
.blocking { color: var(--warn); }
"""


def build_check_page(pictures: PictureSet, checkup: Checkup) -> str:
    """A page that needs no other file and no script.

    Args:
        pictures: The set that was checked.
        checkup: What was found.

    Returns:
        HTML; every label and file name in it is escaped. UTF-8 when encoded.
    """
    title = f"Pictures in {pictures.origin}"
    where = {name: index for index, name in enumerate(pictures.names)}
    left = _SHOWN_IN_ALL
    sections = []
    for number, problem in enumerate(checkup.problems):
        shown = problem.files[: min(left, _SHOWN_OF_PROBLEM)]
        left -= len(shown)
        sections.append(_problem_section(number, problem, shown, pictures, where))
    body = "\n".join([_summary(title, checkup), *sections, _classes(checkup)])
    style = files("edgecls_train.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'{PAGE_MARK}<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n{body}\n<footer>Written by edgecls {edgecls.__version__}.</footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def _summary(title: str, checkup: Checkup) -> str:
    blocking = sum(problem.blocking for problem in checkup.problems)
    figures = (
        (f"{checkup.images:,}", "pictures"),
        (f"{len(checkup.classes):,}", "classes"),
        (f"{len(checkup.problems):,}", "problems"),
        (f"{blocking:,}", "blocking problems"),
    )
    boxes = "".join(
        f'<div class="figure"><b>{figure}</b><span>{what}</span></div>' for figure, what in figures
    )
    verdict = (
        "Training on these pictures is impossible or its figures would be untrue: see the"
        " blocking problems."
        if blocking
        else "Nothing here stands in the way of training."
    )
    notes = "".join(paragraph(note, "quiet") for note in checkup.notes)
    return (
        f"<header><h1>{escape(title)}</h1></header>\n"
        f'<div class="figures">{boxes}</div>\n{paragraph(verdict)}{notes}'
    )


def _problem_section(
    number: int,
    problem: Problem,
    shown: tuple[str, ...],
    pictures: PictureSet,
    where: dict[str, int],
) -> str:
    heading = escape(problem.kind.replace("-", " ").capitalize())
    if problem.blocking:
        heading += ' <span class="blocking">(blocking)</span>'
    notes = problem.notes or ("",) * len(problem.files)
    items = "".join(
        _picture(pictures, where[name], note) for name, note in zip(shown, notes, strict=False)
    )
    rest = len(problem.files) - len(shown)
    more = paragraph(f"and {rest:,} more, see --json", "quiet") if rest else ""
    gallery = f'<ul class="pictures">{items}</ul>' if items else ""
    return section(f"problem{number}", heading, paragraph(problem.advice), gallery, more)


def _picture(pictures: PictureSet, index: int, note: str) -> str:
    name = pictures.names[index]
    label = pictures.labels[int(pictures.targets[index])]
    try:
        source = data_uri(_thumbnail(pictures.load_frame(index)))
        image = f'<img src="{source}" alt="{escape(name)}" loading="lazy">'
    except PictureError:
        image = '<div class="none">no picture</div>'
    remark = f"<span>{escape(note)}</span>" if note and note != label else ""
    return f"<li>{image}<b>{escape(label)}</b><span>{escape(name)}</span>{remark}</li>"


def _thumbnail(frame: Frame) -> bytes:
    """A small JPEG of a frame, at most 160 pixels wide and high; small frames stay as they are."""
    height, width = frame.shape[:2]
    scale = min(1.0, _THUMBNAIL_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = prepare(frame, Preprocessing(size=size, crop="stretch"))
    bgr = np.ascontiguousarray(small[:, :, ::-1])
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1])


def _classes(checkup: Checkup) -> str:
    rows = [
        (text_cell(label), number_cell(f"{count:,}")) for label, count in checkup.classes.items()
    ]
    shown = table(("label", "pictures"), rows)
    if len(rows) > _FOLDED_CLASSES:
        shown = details(f"Pictures of each of the {len(rows)} classes", shown)
    return section("classes", "Classes", shown)
