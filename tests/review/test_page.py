"""The page of a review in a real browser: what is pressed is what becomes of the files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from edgecls.imaging.decode import decode
from tests.review.conftest import Desk
from tests.review.recording import contents, part
from tests.support.browser import (
    check_accessibility,
    keep_screenshot,
    scrolls_sideways,
    wait_for,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

OpenDesk = Callable[..., Desk]
# Label, score, scene, seconds: a burst of two of which the model is least sure, and three others.
SHOWN = (
    ("cat", 0.9, 1, 10.0),
    ("cat", 0.55, 2, 20.0),
    ("cat", 0.6, 2, 20.5),
    ("dog", 0.7, 3, 30.0),
    ("dog", 0.8, 4, 40.0),
)
HOSTILE = "<img src=x onerror=document.title='hacked'>"


def scenes_of(desk: Desk) -> dict[str, list[int]]:
    """Where the scenes are now: labels of the data set, `left` and `trash` of the folder."""
    import hashlib

    from tests.review.recording import jpeg_of

    scene_of = {
        hashlib.sha256(jpeg_of(seed, number)).hexdigest(): seed
        for number, (_, _, seed, _) in enumerate(SHOWN)
    }
    found: dict[str, list[int]] = {}
    for digest, name in contents(desk.into).items():
        if not name.startswith("."):
            found.setdefault(name.partition("/")[0], []).append(scene_of[digest])
    for digest, name in contents(desk.folder).items():
        if not name.startswith("."):
            found.setdefault("left", []).append(scene_of[digest])
    return {place: sorted(scenes) for place, scenes in sorted(found.items())}


def open_at(page: Page, desk: Desk) -> None:
    page.goto(desk.url)
    page.locator("#main[aria-busy=false]").wait_for()


def wait_for_left(page: Page, text: str) -> None:
    page.locator("#done", has_text=text).wait_for()
    page.locator("#main[aria-busy=false]").wait_for()


def test_exactly_the_chosen_files_move(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    assert page.inner_text("#title") == "Group 1 of 4: 2 pictures, cat, 55% sure"
    page.click("#accept")
    wait_for_left(page, "2 of 5 decided")
    page.get_by_role("button", name="cat", exact=False).first.wait_for()
    page.locator("#labels button", has_text="cat").click()
    wait_for_left(page, "3 of 5 decided")
    page.click("#reject")
    wait_for_left(page, "4 of 5 decided")
    assert scenes_of(desk) == {"cat": [2, 2, 3], "left": [1]}


def test_a_part_of_a_group_may_be_chosen(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    page.locator("#pictures button").nth(1).click()
    assert page.inner_text("#chosen") == "1 of 2 pictures chosen"
    page.click("#reject")
    wait_for_left(page, "1 of 5 decided")
    # The other one is still to be decided about, before all others.
    page.locator("#title", has_text="1 picture, cat, 60% sure").wait_for()
    page.click("#accept")
    wait_for_left(page, "2 of 5 decided")
    assert scenes_of(desk) == {"cat": [2], "left": [1, 3, 4]}


def test_the_keyboard_is_enough(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    for key, said in (
        ("Enter", "2 of 5 decided"),  # scene 2 is a cat
        ("x", "3 of 5 decided"),  # scene 3 is nothing
        ("u", "2 of 5 decided"),  # or is it
    ):
        page.keyboard.press(key)
        wait_for_left(page, said)
    page.keyboard.press("n")
    page.keyboard.type("fox")
    page.keyboard.press("Enter")
    wait_for_left(page, "3 of 5 decided")
    page.keyboard.press(".")
    page.locator("#title", has_text="cat, 90% sure").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.locator("#chosen", has_text="0 of 1").wait_for()
    page.keyboard.press("l")
    page.locator("#chosen", has_text="1 of 1").wait_for()
    page.keyboard.press("b")
    page.locator("#title", has_text="dog, 80% sure").wait_for()
    key = page.locator("#labels button", has_text="fox").get_attribute("aria-keyshortcuts")
    page.keyboard.press(str(key))
    wait_for_left(page, "4 of 5 decided")
    page.keyboard.press("a")
    page.locator("#over-title").wait_for()
    assert scenes_of(desk) == {"cat": [1, 2, 2], "fox": [3, 4]}


def test_a_key_that_is_held_decides_once(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    for _ in range(5):  # without a release between them, as a held key repeats
        page.keyboard.down("x")
    page.keyboard.up("x")
    wait_for_left(page, "2 of 5 decided")
    page.wait_for_timeout(200)
    assert desk.review.left == 3


def test_undo_brings_back_the_files_and_the_group(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    before = contents(desk.folder)
    open_at(page, desk)
    page.click("#accept")
    wait_for_left(page, "2 of 5 decided")
    page.locator("#toast button", has_text="Undo").click()
    wait_for_left(page, "0 of 5 decided")
    page.locator("#title", has_text="2 pictures, cat, 55% sure").wait_for()
    assert contents(desk.folder) == before
    assert page.is_disabled("#undo")


def test_a_hostile_label_stays_text(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk([(HOSTILE, 0.6, 1, 10.0), *SHOWN[3:]], labels=[HOSTILE])
    open_at(page, desk)
    assert HOSTILE in page.inner_text("#title")
    page.locator("#labels button", has_text=HOSTILE).click()
    wait_for_left(page, "1 of 3 decided")
    assert page.title() == "Review"
    assert page.locator("img[src='x']").count() == 0
    assert (desk.into / HOSTILE).is_dir()


def test_what_the_disk_refuses_is_said_and_nothing_is_lost(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    page.fill("#name", ".hidden")
    page.click("#other button")
    page.locator("#problem", has_text="begins with a dot").wait_for()
    assert desk.review.left == 5
    page.click("#accept")
    wait_for_left(page, "2 of 5 decided")
    assert page.is_hidden("#problem")


def test_the_trash_is_emptied_when_it_was_confirmed(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    page.click("#reject")
    page.locator("#trash-text", has_text="2 pictures in the trash").wait_for()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("#empty")
    assert len(contents(desk.folder)) == 5
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#empty")
    page.locator("#empty").wait_for(state="hidden")
    assert len(contents(desk.folder)) == 3


def test_it_is_accessible_in_light_and_dark_and_at_its_end(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN, labels=["bird"])
    open_at(page, desk)
    check_accessibility(page)
    page.emulate_media(color_scheme="dark")
    check_accessibility(page)
    page.click("#accept")
    wait_for_left(page, "2 of 5 decided")
    check_accessibility(page)
    for _ in range(3):
        left = desk.review.left
        page.keyboard.press("a")
        wait_for_left(page, f"{5 - left + 1} of 5")
    page.locator("#over-title").wait_for()
    check_accessibility(page)


def test_it_fits_a_phone(open_desk: OpenDesk, phone: Page) -> None:
    desk = open_desk(SHOWN, labels=["a label that is rather long", "bird"])
    open_at(phone, desk)
    assert not scrolls_sideways(phone)
    phone.tap("#accept")
    wait_for_left(phone, "2 of 5 decided")
    check_accessibility(phone)
    assert scenes_of(desk) == {"cat": [2, 2], "left": [1, 3, 4]}


def test_two_pages_cannot_decide_twice(open_desk: OpenDesk, page: Page, phone: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    open_at(phone, desk)
    page.click("#accept")
    wait_for_left(page, "2 of 5 decided")
    phone.tap("#reject")
    phone.locator("#problem", has_text="decided already").wait_for()
    assert scenes_of(desk) == {"cat": [2, 2], "left": [1, 3, 4]}


def test_a_group_as_a_screenshot(open_desk: OpenDesk, page: Page) -> None:
    shown: list[Any] = [("nut", 0.52 + number / 100, 1, 20 + number / 2) for number in range(6)]
    shown += [("nut", 0.7, 2, 50.0), ("nut", 0.75, 4, 90.0), ("bolt", 0.8, 5, 130.0)]
    desk = open_desk(shown, labels=["bolt", "nut", "washer", "nothing"], draw=part)
    page.set_viewport_size({"width": 1280, "height": 860})
    open_at(page, desk)
    page.wait_for_load_state("networkidle")
    keep_screenshot(page, "review")
    assert page.locator("#pictures img").count() == 6


@pytest.mark.fault(97)
def test_no_picture_stands_above_the_caption_of_another(open_desk: OpenDesk, page: Page) -> None:
    desk = open_desk(SHOWN)
    open_at(page, desk)
    wait_for(page, "document.querySelector('#large').naturalWidth > 0")
    before = middle_of_the_picture(page)
    page.route("**/picture?*", lambda _route: None)  # the next ones never come
    page.get_by_role("button", name="Later").click()
    page.locator("#caption", has_text="dog 70%").wait_for()
    page.wait_for_timeout(300)
    assert max(before) > 40
    assert max(middle_of_the_picture(page)) < 20  # the empty box


def middle_of_the_picture(page: Page) -> list[int]:
    """The colour of the screen there."""
    box = page.locator(".picture").bounding_box()
    assert box is not None
    screen = decode(page.screenshot())
    row, column = round(box["y"] + box["height"] / 2), round(box["x"] + box["width"] / 2)
    found: list[int] = screen[row, column].tolist()
    return found
