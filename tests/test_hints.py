"""Every package that a message tells to install exists where it is looked for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = ("edgecls", "train/edgecls_train", "convert/edgecls_convert")
# Looked for on PyPI, in Debian 12 and 13 and on Raspberry Pi OS, in November 2026. Of our own,
# which are on no index, only an extra of what is installed already, and a folder of a checkout.
ON_PYPI: Final = frozenset(
    "ai-edge-litert h5py keras mlxtend numpy opencv-python simplejpeg tensorflow tflite-runtime"
    " edgecls[mqtt] edgecls-train[imagenet] . ./".split()
)
IN_DEBIAN: Final = frozenset(
    "dataset-fashion-mnist libgl1 libglib2.0-0 libopenblas0 openssh-client".split()
)
# On Raspberry Pi OS alone, whose boards have the ribbon cameras that it is for.
ON_PI_OS: Final = frozenset(("python3-picamera2",))
# What an f-string puts in: a constant of its module, or the folder of a part of ours.
PUT_IN: Final = "<>"
_INSTALL: Final = re.compile(r"\b(pip|apt|apt-get) install ([^,;:()&\n]*)")


def texts_of(path: Path) -> Iterator[str]:
    """The strings of a module, with a mark where an f-string puts something in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            values = (
                part.value if isinstance(part, ast.Constant) else PUT_IN for part in node.values
            )
            yield "".join(str(value) for value in values)
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
        ):
            yield node.value


def packages_of(words: str) -> list[str]:
    """Package names of an install line, without options, quotes and versions."""
    names = (word.strip("'\"`").split("<")[0].split(">=")[0] for word in words.split())
    return [name for name in names if name and not name.startswith("-")]


def install_lines() -> list[tuple[str, str, str]]:
    """(module, tool, packages) of every such line in what the three distributions say."""
    return [
        (str(path.relative_to(ROOT)), tool, words)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for text in texts_of(path)
        for tool, words in _INSTALL.findall(text.replace(PUT_IN, " "))
    ]


@pytest.mark.fault(147)
def test_no_hint_names_a_package_that_no_index_has() -> None:
    lines = install_lines()
    assert len(lines) > 20
    unknown = [
        (module, name)
        for module, tool, words in lines
        for name in packages_of(words)
        if name not in (ON_PYPI if tool == "pip" else IN_DEBIAN | ON_PI_OS)
    ]
    assert unknown == []


@pytest.mark.fault(147)
def test_no_page_does_so_either() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/*.md"), *ROOT.glob("d*/**/*.md")]
    unknown = [
        (str(page.relative_to(ROOT)), name)
        for page in pages
        for tool, words in _INSTALL.findall(page.read_text(encoding="utf-8"))
        if tool == "pip"
        for name in packages_of(re.split(r"`| {2}", words)[0])
        if name not in ON_PYPI | {"./convert", "./train"}
    ]
    assert len(pages) > 30
    assert unknown == []
