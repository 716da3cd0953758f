"""A real browser for the tests of pages: Debian's Chromium, driven by Playwright.

A test asks for the fixture `page` (a desk) or `phone`; a `conftest.py` beside it names them:

    from tests.support.browser import browser, page, phone

Whatever a page throws, and whatever its content policy stops, fails the test at its end.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from tests.support.patience import patience

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SERIOUS: Final = frozenset(("serious", "critical"))
# `--no-sandbox`: in a container the tests run as root, where Chromium has none.
_FLAGS: Final = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--mute-audio")
# Playwright can be started once in a process.
_RUNNING: Final[list[Browser]] = []
_FOUND: Final = """
    async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
        found => [found.impact, found.id, found.nodes.map(node => node.html.slice(0, 120))])
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a screen; the test skips where there is none."""
    chromium = shutil.which("chromium")
    if chromium is None:
        _do_without("there is no browser: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        _do_without("playwright is not installed")
    if _RUNNING:  # started by the tests of another folder, whose conftest names it, too
        yield _RUNNING[0]
        return
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        _RUNNING.append(opened)
        yield opened
        _RUNNING.clear()
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of 1280x800 on a desk."""
    with open_page(browser, viewport={"width": 1280, "height": 800}) as opened:
        yield opened


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """A phone: 390x844, touched and not clicked."""
    size = {"width": 390, "height": 844}
    with open_page(
        browser, viewport=size, device_scale_factor=2, is_mobile=True, has_touch=True
    ) as (opened):
        yield opened


@contextmanager
def open_page(browser: Browser, **settings: Any) -> Iterator[Page]:
    """A window of its own, without the cookies of any other; `settings` as Playwright has them."""
    context = browser.new_context(**settings)
    context.set_default_timeout(patience(5.0) * 1e3)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: _note(said, faults))
    yield opened
    context.close()
    assert faults == []


def wait_for(page: Page, expression: str, value: Any = None, seconds: float = 5.0) -> None:
    """Wait until an expression of JavaScript is true.

    Playwright's own `wait_for_function` asks the page to `eval`, which our pages forbid.

    Args:
        page: Where.
        expression: As for `page.evaluate`.
        value: Its argument.
        seconds: At most, on an idle machine.
    """
    end = time.monotonic() + patience(seconds)
    while not page.evaluate(expression, value):
        assert time.monotonic() < end, f"waited in vain for {expression} of {value!r}"
        page.wait_for_timeout(20)


def wait_for_text(page: Page, selector: str, text: str) -> None:
    """Wait until an element says just this."""
    said = "([where, what]) => document.querySelector(where)?.textContent === what"
    wait_for(page, said, [selector, text])


def check_accessibility(page: Page) -> None:
    """Fail with what axe finds wrong for people who hear, press keys or see badly."""
    page.evaluate(_axe())
    found = page.evaluate(_FOUND)
    assert [violation for violation in found if violation[0] in SERIOUS] == []


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than the window."""
    is_wider: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return is_wider


def keep_screenshot(page: Page, name: str, *, is_whole: bool = False) -> Path | None:
    """Take a picture of the page for the documentation, where `make screenshots` asks for it.

    Args:
        page: As it is now.
        name: Of the file, without `.png`.
        is_whole: All of the page, not only what the window shows.

    Returns:
        The file, of at most 256 colours; None where nobody asks for it.
    """
    folder = os.environ.get("EDGECLS_SCREENSHOTS")
    content = page.screenshot(full_page=is_whole, animations="disabled")
    if not folder:
        return None
    image_module = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    picture = image_module.open(io.BytesIO(content)).convert("RGB")
    path = Path(folder) / f"{name}.png"
    picture.quantize(256, dither=image_module.Dither.NONE).save(path, optimize=True)
    return path


def _note(said: Any, faults: list[str]) -> None:
    # What a server refuses is in the test's own hands.
    if said.type == "error" and not said.text.startswith("Failed to load resource"):
        faults.append(said.text)


def _do_without(reason: str) -> NoReturn:
    """Skip, but where changes are checked before they land: there nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _axe() -> str:
    """axe-core as one script; the package carries the file that npm has."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        _do_without("axe-playwright-python is not installed: it carries axe-core")
    return (Path(package.origin).parent / "axe.min.js").read_text("utf-8")
