"""The pictures in reports that are files are whole, whatever their shape."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("keras", reason="training needs Keras (edgecls-train)")

from edgecls.pictures import open_pictures
from edgecls_train.check import check_pictures
from edgecls_train.check_page import build_check_page
from edgecls_train.label.place import ProposalFolder
from edgecls_train.label.propose import Guess, Proposals
from edgecls_train.label.sheet import build_sheet
from tests.support.browser import browser, open_page
from tests.support.corners import SHAPES, is_whole, marked_jpeg, shares_seen

__all__ = ["browser"]

DESK = {"viewport": {"width": 1366, "height": 768}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def put(folder: Path, name: str, shape: tuple[int, int]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(marked_jpeg(shape))


def check_page_of(folder: Path, shape: tuple[int, int]) -> str:
    """One picture under two labels, which is a problem that is shown."""
    put(folder, "cat/1.jpg", shape)
    put(folder, "dog/1.jpg", shape)
    pictures = open_pictures(str(folder))
    return build_check_page(pictures, check_pictures(pictures, with_suspects=False))


def sheet_of(folder: Path, shape: tuple[int, int]) -> str:
    """One picture with a proposed label."""
    put(folder, "1.jpg", shape)
    guess = Guess("1.jpg", "cat", 0.9, "dog", 0.1, proposed="cat")
    proposals = Proposals(ProposalFolder(folder / "run"), (guess,), (), ())
    return build_sheet(proposals, folder, folder / "into", 0.8)


@pytest.mark.fault(96)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("settings", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("build", [check_page_of, sheet_of], ids=["check", "label"])
def test_all_four_corners_are_on_the_screen(browser, tmp_path, build, settings, shape):
    report = tmp_path / "report.html"
    report.write_text(build(tmp_path / "pictures", shape), "utf-8")
    with open_page(browser, **settings) as page:
        page.goto(report.as_uri())
        shares = shares_seen(page, page.locator("img").first, shape)
    assert is_whole(shares), shares
