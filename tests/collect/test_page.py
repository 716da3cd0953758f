"""The page in a real browser: by mouse, by keyboard, by touch, for a screen reader."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from edgecls.collect.collection import Reading
from edgecls.collect.index import Picture
from tests.collect.conftest import Served, wait_until
from tests.review.recording import part
from tests.support.browser import check_accessibility, keep_screenshot, scrolls_sideways, wait_for
from tests.support.scripted_camera import picture_of

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

HOSTILE: Final = "<img src=x onerror=alert(1)>"


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """With the labels cat and dog."""
    return serve("cat", "dog")


def look(page: Page, served: Served) -> Page:
    """The page, once it has heard from the board and shows a picture."""
    page.goto(served.url)
    page.wait_for_selector("#source.good")
    page.wait_for_selector("#live[data-frame]")
    return page


def put(page: Page, served: Served, number: int) -> None:
    """Let the camera see another scene, until that is what the page shows."""
    served.camera.show(number)
    newest = served.session.live.newest()
    assert newest is not None
    shown = "number => Number(document.querySelector('#live').dataset.frame) >= number"
    wait_for(page, shown, newest.index)


def tile(page: Page, label: str) -> Locator:
    """The button of a label."""
    return (
        page.locator("#labels li").filter(has=page.get_by_text(label, exact=True)).locator(".take")
    )


def thumbnails(page: Page) -> Locator:
    return page.get_by_role("option").filter(has=page.locator("img"))


def take(served: Served, label: str, *numbers: int) -> None:
    """Pictures that were taken before."""
    for number in numbers:
        served.camera.show(number)
        served.post("press", label=label)


class TestTaking:
    def test_a_press_keeps_just_one_picture_of_what_is_there(
        self, served: Served, page: Page
    ) -> None:
        look(page, served)
        for number, label in ((5, "cat"), (6, "dog"), (7, "cat")):
            put(page, served, number)
            tile(page, label).click()
            wait_until(lambda label=label, number=number: number in served.kept(label))
        assert (served.kept("cat"), served.kept("dog")) == ([5, 7], [6])
        tile(page, "cat").get_by_text("2 pictures").wait_for()

    def test_so_does_a_key(self, served: Served, page: Page) -> None:
        look(page, served)
        for number, key in ((1, "1"), (2, "2"), (3, "1")):
            put(page, served, number)
            page.keyboard.press(key)
            wait_until(lambda number=number: number in served.kept("cat") + served.kept("dog"))
        assert (served.kept("cat"), served.kept("dog")) == ([1, 3], [2])

    def test_holding_keeps_a_burst_of_what_is_new(self, served: Served, page: Page) -> None:
        look(page, served)
        put(page, served, 1)
        box = tile(page, "cat").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        page.mouse.down()
        wait_until(lambda: served.session.counts.alike >= 3)
        assert served.kept("cat") == [1]
        for number in (2, 3):
            served.camera.show(number)
            wait_until(lambda number=number: number in served.kept("cat"))
        page.mouse.up()
        page.wait_for_selector(".take:not(.held)")
        time.sleep(0.5)  # what was on its way
        served.camera.show(4)
        time.sleep(0.5)
        assert served.kept("cat") == [1, 2, 3]
        assert served.collection.moments("cat") == 1
        page.get_by_text("left out: too alike").wait_for()

    def test_so_does_a_key_that_is_held(self, served: Served, page: Page) -> None:
        look(page, served)
        served.camera.is_moving = True
        page.keyboard.down("2")
        wait_until(lambda: len(served.kept("dog")) >= 3)
        page.keyboard.up("2")
        time.sleep(0.6)
        count = len(served.kept("dog"))
        time.sleep(0.6)
        assert len(served.kept("dog")) == count
        assert served.kept("cat") == []

    def test_a_window_that_loses_the_keyboard_holds_nothing(
        self, served: Served, page: Page
    ) -> None:
        look(page, served)
        served.camera.is_moving = True
        page.keyboard.down("2")
        wait_until(lambda: len(served.kept("dog")) >= 2)
        page.evaluate("window.dispatchEvent(new Event('blur'))")
        time.sleep(0.6)
        count = len(served.kept("dog"))
        time.sleep(0.6)
        assert len(served.kept("dog")) == count

    def test_a_slow_disk_lets_no_press_go_and_ends_no_other(
        self, served: Served, page: Page
    ) -> None:
        look(page, served)
        keep = served.collection.keep

        def keep_slowly(*given: Any) -> Picture:
            time.sleep(0.4)
            return keep(*given)

        served.collection.keep = keep_slowly  # type: ignore[method-assign]
        page.keyboard.press("1")
        page.keyboard.press("1")
        served.camera.is_moving = True
        page.keyboard.down("1")
        wait_until(lambda: len(served.kept("cat")) >= 6, 20.0)
        page.keyboard.up("1")

    def test_typing_takes_no_pictures(self, served: Served, page: Page) -> None:
        look(page, served)
        page.keyboard.press("n")
        page.keyboard.type("route 12")
        page.keyboard.press("Enter")
        tile(page, "route 12").wait_for()
        assert served.collection.counts == {"cat": 0, "dog": 0, "route 12": 0}
        page.keyboard.press("3")
        wait_until(lambda: served.kept("route 12") == [0])

    def test_a_press_that_cannot_be_kept_says_why(self, served: Served, page: Page) -> None:
        look(page, served)
        served.camera.is_plugged_in = False
        page.get_by_text("The camera is lost: it was unplugged").wait_for()
        tile(page, "cat").click()
        page.get_by_text("the camera gives no pictures").wait_for()
        assert served.kept("cat") == []


class TestMany:
    def test_chosen_moved_deleted_and_taken_back(self, served: Served, page: Page) -> None:
        take(served, "cat", 0, 1, 2, 3)
        look(page, served)
        shown = thumbnails(page)
        shown.nth(0).click()  # the newest, 3
        shown.nth(1).click()
        page.get_by_text("2 pictures selected").wait_for()
        page.get_by_label("Move to the label").select_option("dog")
        page.get_by_role("button", name="Move", exact=True).click()
        wait_until(lambda: served.kept("dog") == [2, 3])
        page.get_by_text("None selected").wait_for()
        page.get_by_role("button", name="Select all").click()
        page.get_by_text("2 pictures selected").wait_for()
        page.get_by_role("button", name="Delete").click()
        wait_until(lambda: served.kept("cat") == [])
        page.get_by_text("No pictures yet").wait_for()
        page.get_by_role("button", name="Undo: 2 pictures deleted").click()
        wait_until(lambda: served.kept("cat") == [0, 1])
        page.get_by_role("button", name="Undo: 2 pictures moved to dog").click()
        wait_until(lambda: served.kept("cat") == [0, 1, 2, 3])
        assert served.kept("dog") == []

    def test_a_range_with_shift(self, served: Served, page: Page) -> None:
        take(served, "cat", 0, 1, 2, 3, 4)
        look(page, served)
        shown = thumbnails(page)
        shown.nth(1).click()
        shown.nth(3).click(modifiers=["Shift"])
        page.get_by_text("3 pictures selected").wait_for()
        page.keyboard.press("Delete")
        wait_until(lambda: served.kept("cat") == [0, 4])

    def test_the_trash_is_emptied_only_when_it_is_confirmed(
        self, served: Served, page: Page
    ) -> None:
        take(served, "cat", 0)
        look(page, served)
        thumbnails(page).first.click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_text("Trash: ").wait_for()
        page.once("dialog", lambda asked: asked.dismiss())
        page.get_by_role("button", name="Empty the trash").click()
        assert len(list(served.folder.rglob("*.jpg"))) == 1
        page.once("dialog", lambda asked: asked.accept())
        page.get_by_role("button", name="Empty the trash").click()
        wait_until(lambda: list(served.folder.rglob("*.jpg")) == [])

    def test_more_pictures_than_one_page_has(self, served: Served, page: Page) -> None:
        for number in range(130):
            served.collection.keep("cat", picture_of(number % 100), {"time": 0.0})
        look(page, served)
        page.get_by_text("1 to 120 of 130, the newest first").wait_for()
        page.get_by_role("button", name="Older").click()
        page.get_by_text("121 to 130 of 130, the newest first").wait_for()
        wait_until(lambda: thumbnails(page).count() == 10)
        assert page.get_by_role("button", name="Older").is_disabled()
        page.get_by_role("button", name="Newer").click()
        page.get_by_text("1 to 120 of 130, the newest first").wait_for()

    def test_the_last_page_goes_when_its_pictures_go(self, served: Served, page: Page) -> None:
        for number in range(122):
            served.collection.keep("cat", picture_of(number % 100), {"time": 0.0})
        look(page, served)
        page.get_by_role("button", name="Older").click()
        wait_until(lambda: thumbnails(page).count() == 2)
        page.get_by_role("button", name="Select all").click()
        page.get_by_role("button", name="Delete").click()
        wait_until(lambda: len(served.collection.pictures("cat")) == 120)
        wait_until(lambda: thumbnails(page).count() == 120)

    @pytest.mark.fault(101)
    def test_a_page_that_has_missed_a_change_asks_for_all_of_it(
        self, served: Served, page: Page
    ) -> None:
        look(page, served)
        served.app._state.update({"folder": "missed"}, served.collection.overview())
        served.post("press", label="dog")
        tile(page, "dog").get_by_text("1 picture").wait_for()

    @pytest.mark.fault(101)
    def test_a_page_with_a_thousand_labels_follows_what_happens(
        self, serve: Callable[..., Served], page: Page
    ) -> None:
        served = serve(*(f"{number:04} " + "x" * 90 for number in range(1000)))
        look(page, served)
        name = served.get("state")["labels"][700]["label"]
        for count in ("1 picture", "2 pictures"):
            served.post("press", label=name)
            tile(page, name).get_by_text(count, exact=True).wait_for()

    @pytest.mark.fault(99)
    def test_how_far_the_folder_is_read_is_shown(
        self, served: Served, page: Page, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading = Reading(34_000, 100_000, is_over=False)
        with monkeypatch.context() as patched:
            patched.setattr(type(served.collection), "reading", property(lambda _: reading))
            look(page, served)
            page.get_by_text("Reading the folder: 34,000 of 100,000 pictures.").wait_for()
        page.locator("#reading").wait_for(state="hidden")


class TestKeyboard:
    def test_everything_without_a_mouse(self, served: Served, page: Page) -> None:
        look(page, served)
        for number in range(4):
            put(page, served, number)
            page.keyboard.press("1")
            wait_until(lambda number=number: number in served.kept("cat"))
        wait_until(lambda: thumbnails(page).count() == 4)
        tab_to(page, "#grid li")
        page.keyboard.press("Space")  # 3
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")  # 1
        page.get_by_text("2 pictures selected").wait_for()
        page.keyboard.press("2")
        wait_until(lambda: served.kept("dog") == [1, 3])
        page.keyboard.press("Control+a")
        page.keyboard.press("Delete")
        wait_until(lambda: served.kept("cat") == [])
        page.keyboard.press("u")
        wait_until(lambda: served.kept("cat") == [0, 2])
        page.keyboard.press("Control+z")
        wait_until(lambda: served.kept("cat") == [0, 1, 2, 3])

    def test_a_button_is_pressed_by_space_and_enter(self, served: Served, page: Page) -> None:
        look(page, served)
        tab_to(page, ".take")
        page.keyboard.press("Space")
        wait_until(lambda: served.kept("cat") == [0])
        page.keyboard.press("Enter")
        wait_until(lambda: served.kept("cat") == [0, 0])
        time.sleep(0.5)
        assert served.kept("cat") == [0, 0]

    def test_a_picture_is_looked_at_large(self, served: Served, page: Page) -> None:
        take(served, "cat", 0)
        look(page, served)
        tab_to(page, "#grid li")
        page.keyboard.press("Enter")
        wait_for(page, "document.getElementById('large-picture').naturalWidth == 320")
        page.keyboard.press("1")
        page.keyboard.press("Escape")
        page.wait_for_selector("#large", state="hidden")
        assert served.kept("cat") == [0]

    def test_a_screen_reader_presses_by_click_alone(self, served: Served, page: Page) -> None:
        look(page, served)
        tile(page, "dog").dispatch_event("click")
        wait_until(lambda: served.kept("dog") == [0])
        page.locator("#said").get_by_text("dog: 1 picture").wait_for(state="attached")


class TestPhone:
    def test_a_tap_takes_one_picture(self, served: Served, phone: Page) -> None:
        look(phone, served)
        served.camera.show(4)
        tile(phone, "cat").tap()
        wait_until(lambda: served.kept("cat") == [4])
        time.sleep(0.5)
        assert served.kept("cat") == [4]

    def test_picture_and_labels_fit_and_nothing_scrolls_sideways(
        self, serve: Callable[..., Served], phone: Page
    ) -> None:
        served = serve("cat", "dog", "x" * 200, HOSTILE)
        look(phone, served)
        assert not scrolls_sideways(phone)
        box = tile(phone, "dog").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 844
        assert min(box["width"], box["height"]) >= 44

    def test_thumbnails_are_chosen_by_tapping(self, served: Served, phone: Page) -> None:
        take(served, "cat", 0, 1, 2)
        look(phone, served)
        for number in (0, 2):
            thumbnails(phone).nth(number).tap()
        phone.get_by_role("button", name="Delete").tap()
        wait_until(lambda: served.kept("cat") == [1])


class TestText:
    @pytest.mark.fault(20)
    def test_a_label_is_never_markup(self, serve: Callable[..., Served], page: Page) -> None:
        served = serve(HOSTILE, "dog")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        look(page, served)
        tile(page, HOSTILE).click()
        wait_until(lambda: served.kept(HOSTILE) == [0])
        page.get_by_role("button", name=f"Undo: 1 picture kept of {HOSTILE}").wait_for()
        page.get_by_text(f"Too few: {HOSTILE} 1").wait_for()
        thumbnails(page).first.click()
        page.keyboard.press("2")
        wait_until(lambda: served.kept("dog") == [0])
        assert page.locator("img[src=x]").count() == 0
        assert [url for url in asked if not url.startswith(served.url)] == []

    def test_a_file_name_is_not_either(self, served: Served, page: Page) -> None:
        take(served, "cat", 0)
        (served.folder / "cat" / "<b onclick=alert(1)>&quot;.jpg").write_bytes(picture_of(1))
        look(page, served)
        wait_until(lambda: thumbnails(page).count() == 2)
        assert page.locator("#grid b").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(served: Served, page: Page, scheme: str) -> None:
    take(served, "cat", 0, 1)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    look(page, served)
    page.get_by_text("Too few").wait_for()
    page.get_by_text("Keys").click()
    thumbnails(page).first.click()
    check_accessibility(page)


def test_two_pages_see_the_same(served: Served, page: Page, phone: Page) -> None:
    look(page, served)
    look(phone, served)
    tile(page, "cat").click()
    phone.locator("#labels").get_by_text("1 picture", exact=True).wait_for()
    thumbnails(phone).first.wait_for()


def test_a_board_that_is_back_is_found_again(served: Served, page: Page) -> None:
    look(page, served)
    page.context.set_offline(True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.get_by_text("the board does not answer").wait_for()
    page.context.set_offline(False)
    page.wait_for_selector("#source.good")


@pytest.mark.parametrize("device", ["page", "phone"])
def test_a_screenshot_for_the_documentation(
    serve: Callable[..., Served], request: pytest.FixtureRequest, device: str
) -> None:
    page: Page = request.getfixturevalue(device)
    served = serve("bolt", "nut", "washer", "nothing")
    served.camera.draw = lambda number: part(number, number)
    for number in (*range(1, 44, 2), *range(0, 28, 2)):
        take(served, ("nut", "bolt")[number % 2], number)
    if device == "page":
        page.set_viewport_size({"width": 1280, "height": 960})
    look(page, served)
    page.get_by_text("Too few: nut 14, washer 0, nothing 0").wait_for()
    page.get_by_label("Pictures of the label").select_option("nut")
    for number in (1, 2, 4):
        thumbnails(page).nth(number).click()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.get_by_text("3 pictures selected").wait_for()
    wait_for(page, "[...document.images].every(image => !image.src || image.naturalWidth > 0)")
    keep_screenshot(page, "collect" if device == "page" else "collect-phone")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something of a kind has the focus."""
    for _ in range(40):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never reaches {selector}")
