"""What is in a file or folder that is there already, by content: ours of which kind, or a person's.

Only what is certain counts as ours. Whatever this module does not know, a person has made.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

RECORDS_NAME: Final = "records.jsonl"
LABELS_NAME: Final = ".labels.json"
# What folders of ours keep their notes in, besides hidden files.
NOTES: Final = frozenset(
    (RECORDS_NAME, "moves.csv", "proposals.csv", "proposals.json", "tuning.json", "metrics.json")
)
EVENT: Final = b'{"event"'
RECORD: Final = b'{"file"'
# Programs of others write lines that begin with `{"event"`, too, but not with these words.
_EVENTS: Final = (
    rb'\{"event": "(?:prediction|change|entered|left|held|shadow|drift|warning|model|source'
    rb'|unreadable|summary)", "'
)
# Pages and drawings that edgecls writes say so; another page of the same name is somebody's own.
PAGE_MARK: Final = '<meta name="generator" content="edgecls">'
DRAWING_MARK: Final = b"tEXtSoftware\0edgecls"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_COLLECTED: Final = b'"when": "collected"'
_PROOF: Final = b'"sha256": "'
_HEAD_BYTES: Final = 4096
# A table of `classify`, with as many labels as were asked for.
_GUESSES: Final = rb"file,error(?:,label_\d+,score_\d+)+\r?\n"
# What an album calls its first picture.
_FIRST: Final = r"0{8}1-[0-9]{8}T[0-9]{6}Z\.(?:jpg|png)"
_RUN_FILES: Final = ("metrics.json", "split.csv", "model.keras")
# As deep as the pictures of a data set lie: DATA/train/cat/1.jpg.
_DEPTH: Final = 3
_MOST_ENTRIES: Final = 20_000
# Without .png: those are looked at, for edgecls draws some.
_SUFFIXES: Final = tuple(".jpg .jpeg .bmp .gif .webp .tif .tiff .heic .avif .ppm .pgm".split())


def read_head(path: Path) -> bytes:
    """The beginning of a regular file.

    Raises:
        OSError: It cannot be read; never waits for a pipe.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.pread(handle, _HEAD_BYTES, 0) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    finally:
        os.close(handle)


def picture_format(head: bytes) -> str:
    """The format of a picture, by its first bytes; empty for what is none."""
    formats = {b"\xff\xd8\xff": "JPEG", _PNG: "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
    formats |= {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"8BPS": "Photoshop", b"\0\0\1\0": "icon"}
    for begins, name in formats.items():
        if head.startswith(begins):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and len(head) >= 26:
        return "BMP"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif"):
        return "HEIC or AVIF"
    if re.match(rb"P[1-7]\s", head):
        return "PNM"
    return ""


def describe(head: bytes) -> str:
    """What a file is, in words, by its first bytes."""
    if name := picture_format(head):
        return f"a picture ({name})"
    if head[4:8] == b"TFL3":
        return "a model file"
    if head.startswith(b"\x89HDF") or (head.startswith(b"PK") and b"config.json" in head):
        return "a Keras model"
    is_ours = (is_page, is_guess_table, is_frame_table, is_events)
    if any(is_one(head) for is_one in is_ours) or head.startswith(RECORD):
        return "something else that edgecls wrote"
    if head.startswith(b"PK"):
        return "a ZIP archive"
    is_text = b"\0" not in head and head.decode("utf-8", "ignore").encode() != b""
    return "a text or table that edgecls did not write" if is_text else "a file of another kind"


def is_events(head: bytes, _file: BinaryIO | None = None) -> bool:
    """Whether a file was written by `camera --jsonl`, or was begun by it."""
    return re.match(_EVENTS, head) is not None or (EVENT + b": ").startswith(head)


def is_frame_table(head: bytes, _file: BinaryIO | None = None) -> bool:
    """Whether a file was written by `camera --csv`, its header perhaps cut off by a power cut."""
    from edgecls.contract.tables import FRAME_COLUMNS, to_row

    header = to_row(FRAME_COLUMNS).encode()
    return head.startswith(header) or header.startswith(head)


def is_guess_table(head: bytes, _file: BinaryIO | None = None) -> bool:
    """Whether a file was written by `classify --csv`."""
    return re.match(_GUESSES, head) is not None


def is_page(head: bytes, _file: BinaryIO | None = None) -> bool:
    """Whether an HTML page was written by edgecls."""
    return PAGE_MARK.encode() in head


def is_drawing(head: bytes, _file: BinaryIO | None = None) -> bool:
    """Whether a PNG was drawn by edgecls; see `mark_drawing`."""
    return head.startswith(_PNG) and DRAWING_MARK in head[:128]


def is_own_model(head: bytes, file: BinaryIO) -> bool:
    """Whether a model file was written by edgecls: it carries a card."""
    if head[4:8] != b"TFL3":
        return False
    before = b""
    while chunk := file.read(1 << 20):
        if b"EDGECLS_CARD" in before + chunk:
            return True
        before = chunk[-16:]
    return False


def may_be_token(head: bytes, _file: BinaryIO | None = None) -> bool:
    """Whether a file may hold a page's token: one line of visible ASCII, or nothing yet."""
    return re.fullmatch(rb"[\x21-\x7e]{0,512}\s{0,2}", head) is not None


def mark_drawing(png: bytes) -> bytes:
    """A PNG that says who drew it, so that it may be drawn anew and no photo ever is."""
    import zlib

    text = DRAWING_MARK
    body = text + zlib.crc32(text).to_bytes(4, "big")
    header_end = len(_PNG) + 25  # IHDR comes first and has this length
    return png[:header_end] + (len(text) - 4).to_bytes(4, "big") + body + png[header_end:]


def kind_of_folder(folder: Path) -> str:
    """What a folder is: a word of those below, `folder` for one without pictures.

    recording   of `camera --record`
    old recording   of an earlier one, whose log has no SHA-256: no quota deletes what it names, so
                that a person may go on with it as with a data set
    collection  of `collect`, or what `review` put pictures into
    run, proposals, tuning, quarantine   of `train`, `label`, `tune` and `check`
    data set    folders of pictures that a person, or another program, has made
    pictures    a folder that holds pictures itself

    Raises:
        OSError: It cannot be read.
    """
    if (folder / LABELS_NAME).is_file():
        return "collection"
    if (folder / RECORDS_NAME).is_file() and (kind := _kind_of_log(folder / RECORDS_NAME)):
        return kind
    if any((folder / name).is_file() for name in _RUN_FILES):
        return "run"
    if (folder / "proposals.json").is_file():
        return "proposals"
    if (folder / "tuning.json").is_file():
        return "tuning"
    if (folder / "moves.csv").is_file() and is_moves(read_head(folder / "moves.csv")):
        return "quarantine"
    found = find_picture(folder)
    if not found:
        return "folder"
    if (folder / RECORDS_NAME).is_file() and re.fullmatch(_FIRST, found.rpartition("/")[2]):
        return "recording"  # the power went before its first picture had a line
    return "data set" if "/" in found else "pictures"


def is_moves(head: bytes) -> bool:
    """Whether a file is the table of what a quarantine moved."""
    from edgecls.contract.tables import MOVE_COLUMNS, to_row

    return head.startswith(to_row(MOVE_COLUMNS).rstrip().encode())


def find_picture(folder: Path, *, is_strict: bool = False) -> str:
    """The name of a picture below a folder, such as `cat/1.jpg`; empty where there is none.

    One in a folder of its own comes before one in the folder itself. It looks no deeper than
    pictures of a data set lie, passes over hidden ones, and gives up after very many other files.

    Args:
        folder: Where to look.
        is_strict: Whether the drawings in the folders of runs count, too.
    """
    return _find_picture(folder, _DEPTH, iter(range(_MOST_ENTRIES)), is_strict=is_strict)


def _find_picture(folder: Path, depth: int, budget: Iterator[int], *, is_strict: bool) -> str:
    entries = [entry for entry in _entries(folder) if not entry.name.startswith(".")]
    for entry in entries if depth > 1 else ():
        below = Path(entry.path)
        if not _is_folder(entry) or (not is_strict and _is_own_place(below)):
            continue
        if name := _find_picture(below, depth - 1, budget, is_strict=is_strict):
            return f"{entry.name}/{name}"
    return next((entry.name for entry in entries if _is_picture(entry, budget)), "")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # it vanished, or is not ours to read


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_own_place(folder: Path) -> bool:
    """Whether a folder is a run or the like, whose drawings are no photos."""
    return any((folder / name).is_file() for name in (*_RUN_FILES, "proposals.json", "tuning.json"))


def _is_picture(entry: os.DirEntry[str], budget: Iterator[int]) -> bool:
    try:
        if not entry.is_file() or next(budget, None) is None:
            return False
        if entry.name.lower().endswith(_SUFFIXES):
            return True
        head = read_head(Path(entry.path))
        return bool(picture_format(head)) and not is_drawing(head)
    except OSError:
        return False


def _kind_of_log(log: Path) -> str:
    """Whose log it is; empty where nothing was ever kept, or it is no log of ours."""
    kind = ""
    with log.open("rb") as lines:
        for line in lines:
            if _COLLECTED in line:
                return "collection"
            if line.startswith(RECORD) and kind != "recording":
                kind = "recording" if _PROOF in line else "old recording"
    return kind
