"""Pictures are found in whatever cameras call MJPEG, in however many pieces it comes."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import pytest

from edgecls.errors import EdgeclsError, PictureError, SourceError
from edgecls.sources.http.multipart import MAX_HEADER, MAX_PART, MultipartParser
from tests.support.mjpeg_server import BLUE, RED, part

# A thumbnail inside, as EXIF has one: its end mark is not the picture's.
NESTED = RED[:2] + b"\xff\xe1" + (len(BLUE) + 2).to_bytes(2, "big") + BLUE + RED[2:]


def pictures(stream: bytes, boundary: str = "frame", step: int = 0) -> list[bytes | str]:
    """All pictures of a stream, given in pieces of `step` bytes; of an error, its message."""
    parser = MultipartParser(boundary)
    found: list[bytes | str] = []
    for piece in pieces(stream, step or len(stream)):
        parser.feed(piece)
        while True:
            try:
                picture = parser.next_picture()
            except PictureError as wrong:
                found.append(wrong.problem)
                continue
            if picture is None:
                break
            found.append(picture)
    return found


def pieces(stream: bytes, step: int) -> Iterable[bytes]:
    return (stream[at : at + step] for at in range(0, len(stream), step))


def bare(jpeg: bytes, boundary: bytes = b"--frame", end: bytes = b"\r\n") -> bytes:
    """A part with nothing but a boundary and a type."""
    return boundary + end + b"Content-Type: image/jpeg" + end + end + jpeg + end


SHAPES = [
    pytest.param(part(RED) + part(BLUE), "frame", id="with lengths"),
    pytest.param(bare(RED) + bare(BLUE) + b"--frame", "frame", id="without lengths"),
    pytest.param(
        bare(RED, end=b"\n") + bare(BLUE, end=b"\n") + b"--frame", "frame", id="lines end in LF"
    ),
    pytest.param(part(RED) + part(BLUE), '"frame"', id="the boundary is quoted"),
    pytest.param(part(RED) + part(BLUE), "--frame", id="the header has the dashes, too"),
    pytest.param(
        bare(RED, b"----frame") + bare(BLUE, b"----frame"), "--frame", id="four dashes in all"
    ),
    pytest.param(bare(RED, b"frame") + bare(BLUE, b"frame"), "frame", id="no dashes at all"),
    pytest.param(
        b"hello\r\n\r\n" + part(RED) + b"\r\n\r\nmore\r\n" + part(BLUE), "frame", id="text between"
    ),
    pytest.param(
        part(RED)
        + b"--frame\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello\r\n"
        + b"--frame\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        + part(BLUE),
        "frame",
        id="parts of another type are passed over",
    ),
    pytest.param(
        b"--frame\r\nContent-Type:image/jpeg\r\n\r\n" + RED + bare(BLUE),
        "frame",
        id="the boundary stands right behind a picture",
    ),
    pytest.param(
        b"--frame\r\n\r\n" + RED + b"\r\n--frame\r\n\r\n" + BLUE, "frame", id="parts have no header"
    ),
    pytest.param(RED + b"\0\0junk" + BLUE, "", id="there is no boundary"),
    pytest.param(part(RED) + part(BLUE), "", id="the boundary is not announced"),
    pytest.param(
        part(RED).replace(b"Length: ", b"Length: -") + part(BLUE), "frame", id="a negative length"
    ),
    pytest.param(
        part(RED).replace(b"%d" % len(RED), b"%d" % (len(RED) - 9)) + part(BLUE),
        "frame",
        id="a length that is too small",
    ),
    pytest.param(
        part(RED).replace(b"%d" % len(RED), b"%d" % (len(RED) + 30)) + part(BLUE),
        "frame",
        id="a length that is too large",
    ),
]


@pytest.mark.parametrize("step", [0, 1, 7, 100], ids=["at once", "bytes", "sevens", "hundreds"])
@pytest.mark.parametrize(("stream", "boundary"), SHAPES)
def test_both_pictures_are_found(stream: bytes, boundary: str, step: int) -> None:
    assert pictures(stream, boundary, step) == [RED, BLUE]


@pytest.mark.parametrize("step", [0, 1], ids=["at once", "in bytes"])
@pytest.mark.parametrize("shape", [part, bare], ids=["with a length", "without"])
def test_a_thumbnail_is_not_the_picture(shape: type[bytes], step: int) -> None:
    assert pictures(shape(NESTED) + b"--frame", step=step) == [NESTED]


def test_a_picture_without_a_length_is_there_before_the_next_one() -> None:
    assert pictures(bare(RED).rstrip()) == [RED]


@pytest.mark.parametrize("step", [0, 1, 50], ids=["at once", "in bytes", "in fifties"])
@pytest.mark.fault(54)
def test_a_picture_that_is_cut_off_is_one_error_and_the_next_is_found(step: int) -> None:
    stream = bare(RED[:-20]) + part(BLUE)
    assert pictures(stream, step=step) == ["the camera sent a JPEG that is cut off", BLUE]


@pytest.mark.parametrize("step", [0, 1], ids=["at once", "in bytes"])
@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(part(b"no JPEG") + part(BLUE), id="with a length"),
        pytest.param(bare(b"no JPEG") + part(BLUE), id="without a length"),
        pytest.param(bare(RED[:2] + b"\xff\xdb\0\4ab broken") + part(BLUE), id="a broken header"),
    ],
)
@pytest.mark.fault(54)
def test_what_is_no_jpeg_is_one_error_and_the_next_is_found(stream: bytes, step: int) -> None:
    found = pictures(stream, step=step)
    assert found[1:] == [BLUE]
    assert isinstance(found[0], str)


@pytest.mark.fault(47)
def test_a_stream_that_ends_in_the_middle_gives_no_half_picture() -> None:
    assert pictures(part(RED) + part(BLUE)[:-30]) == [RED]


def test_the_end_of_all_parts_is_no_picture() -> None:
    assert pictures(part(RED) + b"--frame--\r\n") == [RED]


def test_a_header_without_an_end_is_refused() -> None:
    with pytest.raises(SourceError, match="a part's header has more than 16 KB"):
        pictures(b"--frame\r\n" + b"A: b\r\n" * MAX_HEADER, step=4096)


def test_a_picture_announced_larger_than_any_is_refused() -> None:
    with pytest.raises(SourceError, match="announces a picture of 95 MB"):
        pictures(b"--frame\r\nContent-Length: 100000000\r\n\r\n")


def test_a_picture_without_an_end_is_refused_before_memory_is() -> None:
    parser = MultipartParser("frame")
    parser.feed(b"--frame\r\n\r\n" + RED[:-2])
    for _ in range(MAX_PART >> 16):
        parser.feed(bytes(1 << 16))
        assert parser.next_picture() is None
    with pytest.raises(SourceError, match="16 MB without a picture's end"):
        parser.feed(bytes(1 << 20))


def test_text_without_pictures_takes_no_memory() -> None:
    parser = MultipartParser("frame")
    for _ in range(100):
        parser.feed(b"no boundary here\r\n" * 4096)
        assert parser.next_picture() is None
    parser.feed(b"\r\n" + part(RED))
    assert parser.next_picture() == RED


@pytest.mark.fault(54)
def test_1000_damaged_streams_give_pictures_or_an_error_and_never_hang() -> None:
    chance = random.Random(1)
    good = part(RED) + bare(BLUE) + part(NESTED) + bare(RED)
    for _ in range(1000):
        stream = bytearray(good)
        for _ in range(chance.randint(1, 20)):
            at = chance.randrange(len(stream))
            stream[at : at + chance.randint(0, 40)] = chance.randbytes(chance.randint(0, 40))
        try:
            found = pictures(bytes(stream), chance.choice(["frame", ""]), chance.randint(1, 900))
        except EdgeclsError:
            continue
        assert all(p.startswith(b"\xff\xd8") for p in found if isinstance(p, bytes))


def test_headers_without_end_cost_no_more_than_reading_them() -> None:
    def seconds_of(stream: bytes) -> float:
        started = time.process_time()
        pictures(stream, "", 1500)
        return time.process_time() - started

    endless = b"\xff\xd8\xff" * 20_000
    short, long = seconds_of(endless), seconds_of(endless * 4)
    assert long < 10 * short  # 4 times, not 16 times


def test_a_header_of_a_thousand_parts_is_no_picture() -> None:
    stream = RED[:2] + b"\xff\xd0" * 1_001 + RED[2:] + BLUE
    found = pictures(stream, "")
    assert found[0] == "the camera sent a JPEG with more than 1000 parts before its scan"
    assert found[-1] == BLUE
