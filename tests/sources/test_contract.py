"""What every source promises, whatever it reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgecls.errors import PictureError
from edgecls.imaging.decode import Frame, decode
from edgecls.imaging.opencv import cv2
from edgecls.sources import SOURCES, CapturedFrame, Source, open_source
from tests.support.mjpeg_server import MjpegServer, endless
from tests.support.rtsp_server import RtspServer

FRAMES: Final = 5


def write_picture(path: Path, color: tuple[int, int, int]) -> None:
    """A PNG of 40x30 pixels of one colour, given as RGB."""
    cv2.imwrite(str(path), np.full((30, 40, 3), color[::-1], np.uint8))


def video(folder: Path) -> str:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(FRAMES):
        writer.write(np.full((48, 64, 3), (0, 0, 255), np.uint8))  # OpenCV writes BGR: red
    writer.release()
    return str(path)


def folder_of_pictures(folder: Path) -> str:
    for number in range(FRAMES):
        write_picture(folder / f"{number}.png", (255, 0, 0))
    return str(folder)


def camera(_folder: Path) -> str:
    if not os.path.exists("/dev/video0"):
        pytest.skip("this machine has no camera: there is no /dev/video0")
    return "0"


def stream(folder: Path) -> str:
    return _STANDING[folder].enter_context(MjpegServer(endless())).url()


def network_camera(folder: Path) -> str:
    return _STANDING[folder].enter_context(RtspServer()).url()


def pi_camera(folder: Path) -> str:
    boards = str(Path(__file__).parents[1] / "support" / "boards")
    environment = _STANDING[folder].enter_context(pytest.MonkeyPatch.context())
    environment.setenv("PYTHONPATH", boards)  # it is read in a process of its own
    return "picamera:0"


# What a source needs to stand beside it, by the folder of its test.
_STANDING: Final[dict[Path, ExitStack]] = {}

# The ways to write a source, by its name in SOURCES.
FINITE: Final[dict[str, tuple[str, Callable[[Path], str]]]] = {
    "video": ("video", video),
    "images": ("images", folder_of_pictures),
    "digits": ("fake", lambda _: f"fake:digits?fps=0&frames={FRAMES}"),
    "colors": ("fake", lambda _: f"fake:colors?fps=0&frames={FRAMES}"),
    "colors at a pace": ("fake", lambda _: f"fake:colors?fps=200&frames={FRAMES}"),
}
ALL: Final[dict[str, tuple[str, Callable[[Path], str]]]] = {
    **FINITE,
    "jpegs": ("fake", lambda _: "fake:colors?fps=200&jpeg=1"),
    "camera": ("camera", camera),
    "http": ("http", stream),
    "rtsp": ("rtsp", network_camera),
    "picamera": ("picamera", pi_camera),
}


@pytest.fixture(params=ALL)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    with ExitStack() as standing:
        _STANDING[tmp_path] = standing
        with open_source(ALL[request.param][1](tmp_path)) as opened:
            yield opened


@pytest.fixture(params=FINITE)
def finite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    with open_source(FINITE[request.param][1](tmp_path)) as opened:
        yield opened


def pixels_of(frame: CapturedFrame) -> Frame:
    """As the loop sees them, which decodes what comes as JPEG."""
    return decode(frame.jpeg) if frame.pixels is None else frame.pixels


def read(source: Source, count: int) -> list[CapturedFrame]:
    frames = [source.read() for _ in range(count)]
    return [frame for frame in frames if frame is not None]


def test_every_source_is_in_this_suite() -> None:
    assert {kind for kind, _ in ALL.values()} == set(SOURCES)


def test_frames_are_bytes_of_height_width_and_three_channels(source: Source) -> None:
    (frame,) = read(source, 1)
    assert pixels_of(frame).dtype == np.uint8
    assert pixels_of(frame).ndim == 3
    assert pixels_of(frame).shape[2] == 3


def test_a_frame_has_pixels_or_a_jpeg(source: Source) -> None:
    (frame,) = read(source, 1)
    assert (frame.pixels is None) == bool(frame.jpeg)


def test_frames_are_numbered_from_0(source: Source) -> None:
    assert [frame.index for frame in read(source, FRAMES)] == [0, 1, 2, 3, 4]


def test_media_time_grows(source: Source) -> None:
    times = [frame.media_s for frame in read(source, FRAMES)]
    assert times == sorted(set(times))
    assert times[0] >= 0


def test_decoding_is_timed(source: Source) -> None:
    assert all(frame.decode_ms >= 0 for frame in read(source, FRAMES))


def test_a_source_says_its_name_and_its_kind(source: Source) -> None:
    assert source.name
    assert source.is_live in (True, False)
    assert source.is_sequence in (True, False)


def test_a_finite_source_ends_with_none_for_ever(finite: Source) -> None:
    assert len(read(finite, FRAMES)) == FRAMES
    assert [finite.read() for _ in range(3)] == [None, None, None]


def test_a_source_can_be_closed_twice(source: Source) -> None:
    source.close()
    source.close()
    assert source.name


def test_a_source_is_closed_after_a_with_statement(source: Source) -> None:
    with source as entered:
        assert entered is source
    source.close()


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(video, id="in a video"),
        pytest.param(folder_of_pictures, id="in a picture"),
        pytest.param(lambda _: "fake:colors?fps=0", id="as the fake one's second colour"),
    ],
)
def test_red_is_the_first_channel(write: Callable[[Path], str], tmp_path: Path) -> None:
    with open_source(write(tmp_path)) as source:
        frame = read(source, 2)[1]
    # JPEG keeps a plain colour within a few levels.
    assert pixels_of(frame).mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=6)


def test_a_damaged_picture_is_one_error_and_the_next_one_is_read(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", (0, 0, 0))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    write_picture(tmp_path / "c.png", (0, 0, 0))
    with open_source(str(tmp_path)) as source:
        first = source.read()
        with pytest.raises(PictureError, match=r"b\.png"):
            source.read()
        third = source.read()
        last = source.read()
    assert first is not None
    assert third is not None
    assert (Path(first.name).name, first.index) == ("a.png", 0)
    assert (Path(third.name).name, third.index) == ("c.png", 2)
    assert last is None
