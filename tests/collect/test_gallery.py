"""Thumbnails: small, made once, as many as fit into memory."""

from __future__ import annotations

import threading
import time

import pytest

from edgecls.collect.gallery import Gallery
from edgecls.collect.index import Picture
from edgecls.errors import PictureError
from edgecls.imaging.decode import decode
from tests.collect.conftest import wait_until
from tests.support.frames import jpeg_of, scene


def picture(number: int, changed_ns: int = 0) -> Picture:
    return Picture(f"id-{number}", f"cat/{number}.jpg", 1, changed_ns)


class Files:
    """Pictures, and how often each was read."""

    def __init__(self, size: tuple[int, int] = (480, 640)) -> None:
        self.read_names: list[str] = []
        self._size = size

    def read(self, wanted: Picture) -> bytes:
        self.read_names.append(wanted.name)
        return jpeg_of(scene(int(wanted.id.removeprefix("id-")), self._size))


@pytest.mark.parametrize(
    ("size", "small"),
    [
        pytest.param((480, 640), (120, 160), id="wide"),
        pytest.param((1920, 960), (160, 80), id="high"),
        pytest.param((48, 64), (48, 64), id="smaller already"),
        pytest.param((6, 4000), (1, 160), id="a strip"),
    ],
)
def test_a_thumbnail_has_at_most_160_pixels_a_side(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    thumbnail = Gallery(Files(size).read).thumbnail(picture(1))
    assert decode(thumbnail).shape[:2] == small


def test_it_is_made_once() -> None:
    files = Files()
    gallery = Gallery(files.read)
    first = gallery.thumbnail(picture(1))
    assert gallery.thumbnail(picture(1)) == first
    assert files.read_names == ["cat/1.jpg"]


def test_it_is_made_again_when_the_file_is_another() -> None:
    files = Files()
    gallery = Gallery(files.read)
    gallery.thumbnail(picture(1))
    gallery.thumbnail(picture(1, changed_ns=5))
    assert len(files.read_names) == 2


def test_those_that_nobody_asks_for_go_first() -> None:
    files = Files()
    size = len(Gallery(files.read).thumbnail(picture(1)))
    gallery = Gallery(files.read, memory_bytes=3 * size + size // 2)
    for number in (1, 2, 3, 1, 4):
        gallery.thumbnail(picture(number))
    files.read_names.clear()
    for number in (1, 4, 3):
        gallery.thumbnail(picture(number))
    assert files.read_names == []
    gallery.thumbnail(picture(2))
    assert files.read_names == ["cat/2.jpg"]


def test_memory_stays_below_its_limit() -> None:
    gallery = Gallery(Files((120, 160)).read, memory_bytes=40_000)
    for number in range(100):
        gallery.thumbnail(picture(number))
        assert gallery.size_bytes <= 40_000
    assert gallery.size_bytes > 20_000


def test_a_picture_that_was_looked_at_has_a_look() -> None:
    gallery = Gallery(Files().read)
    assert gallery.look(picture(1)) is None
    gallery.thumbnail(picture(1))
    look = gallery.look(picture(1))
    assert look is not None
    assert 60 < look.brightness < 190


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(jpeg_of(scene(1))[:-100], id="cut off"),
    ],
)
def test_what_is_no_picture_is_known_as_such(content: bytes) -> None:
    gallery = Gallery(lambda _: content)
    with pytest.raises(PictureError):
        gallery.thumbnail(picture(1))
    assert gallery.is_known(picture(1))
    assert gallery.look(picture(1)) is None


def test_many_who_ask_at_once_make_one_at_a_time() -> None:
    at_once, most = [0], [0]

    def read(wanted: Picture) -> bytes:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        content = Files().read(wanted)
        at_once[0] -= 1
        return content

    gallery = Gallery(read)
    threads = [
        threading.Thread(target=gallery.thumbnail, args=(picture(number),)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert gallery.size_bytes > 0


class Slow:
    """Pictures of which some are never read to their end, as on a disk that does not answer."""

    def __init__(self, *stuck: int) -> None:
        self.answer = threading.Event()
        self.asked: list[str] = []
        self._stuck = {f"id-{number}" for number in stuck}

    def read(self, wanted: Picture) -> bytes:
        self.asked.append(wanted.id)
        if wanted.id in self._stuck:
            self.answer.wait(60)
        return jpeg_of(scene(1))


@pytest.mark.fault(104)
def test_a_picture_that_takes_long_delays_no_other_one() -> None:
    files = Slow(1)
    gallery = Gallery(files.read, limit_s=30)
    waiting = threading.Thread(target=gallery.thumbnail, args=(picture(1),))
    waiting.start()
    began = time.monotonic()
    for number in (2, 3, 4):
        assert gallery.thumbnail(picture(number))
    assert time.monotonic() - began < 10
    files.answer.set()
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.mark.fault(104)
def test_nobody_waits_for_it_for_longer_than_the_limit_and_later_it_is_there() -> None:
    files = Slow(1)
    gallery = Gallery(files.read, limit_s=0.2)
    for _ in range(3):
        with pytest.raises(PictureError, match=r"'1.jpg' takes too long"):
            gallery.thumbnail(picture(1))
    assert gallery.is_known(picture(1))
    files.answer.set()
    wait_until(lambda: gallery.look(picture(1)) is not None)
    assert gallery.thumbnail(picture(1))
    assert files.asked == ["id-1"]


@pytest.mark.fault(104)
def test_three_pictures_that_take_long_delay_no_other_one() -> None:
    files = Slow(1, 2, 3)
    gallery = Gallery(files.read, limit_s=0.1)
    for number in (1, 2, 3):
        with pytest.raises(PictureError, match="too long"):
            gallery.thumbnail(picture(number))
    assert Gallery.thumbnail(gallery, picture(4), 10)
    files.answer.set()


@pytest.mark.fault(104)
def test_the_whole_of_it_is_not_waited_for_either() -> None:
    files = Slow(1)
    gallery = Gallery(files.read, limit_s=0.2)
    with pytest.raises(PictureError, match="too long"):
        gallery.whole(picture(1))
    assert gallery.whole(picture(2)) == jpeg_of(scene(1))
    files.answer.set()
