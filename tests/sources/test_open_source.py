"""What the user writes after `--source`, and what is said when it is none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import SourceError
from edgecls.imaging.opencv import cv2
from edgecls.sources import known_sources, open_source
from edgecls.sources.camera import CameraInfo, CameraSource, find_cameras


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nonsense", id="no file"),
        pytest.param("", id="nothing, as an unset variable gives"),
        pytest.param("no\0thing", id="a NUL"),
        pytest.param("subfile,,start,0,end,9,,:/etc/passwd", id="a part of a file"),
    ],
)
def test_an_unknown_source_is_refused_and_the_known_ones_are_named(text: str) -> None:
    with pytest.raises(SourceError, match="there is no source") as refused:
        open_source(text)
    assert repr(text) in refused.value.problem
    assert refused.value.hint == f"known sources: {known_sources()}"


def test_the_hint_shows_how_each_source_is_written() -> None:
    assert known_sources() == (
        "0 or /dev/video0 (a V4L2 or USB camera), picamera:0 (a Raspberry Pi camera), "
        "http://HOST/PATH (an MJPEG stream or snapshots), rtsp://HOST/PATH (a network camera), "
        "FILE.mp4 (a video file), "
        "FILE.jpg or FOLDER (pictures), fake:digits or fake:colors (made-up frames)"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("concat:a.mp4|b.mp4", "concat:", id="several files in one"),
        pytest.param("file:///etc/passwd", "file:", id="a file as an address"),
        pytest.param("tcp://host:1", "tcp:", id="a bare connection"),
        pytest.param("udp://@:1234", "udp:", id="bare packets"),
        pytest.param("ftp://me:hidden@host/a.mp4", "ftp:", id="a server of files"),
        pytest.param("gst-launch:videotestsrc", "gst-launch:", id="a pipeline"),
        pytest.param("data:video/mp4;base64,AAAA", "data:", id="data"),
    ],
)
@pytest.mark.fault(62)
def test_other_schemes_are_refused(text: str, shown: str) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(text)
    assert f"sources of the kind '{shown}' are refused" in refused.value.problem
    assert "hidden" not in refused.value.problem
    assert refused.value.hint == f"known sources: {known_sources()}"


@pytest.mark.fault(62)
def test_a_file_whose_name_looks_like_a_protocol_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.zeros((8, 8, 3), np.uint8))
    os.rename("a.png", "concat:a.png")
    with open_source("concat:a.png") as source:
        assert source.read() is not None


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceError, match="a pipe, a socket or a device that is no camera"):
        open_source(str(tmp_path / "pipe.mp4"))


@pytest.mark.parametrize(
    ("text", "device"),
    [
        pytest.param("987", "/dev/video987", id="by number"),
        pytest.param("/dev/video987", "/dev/video987", id="by device"),
    ],
)
@pytest.mark.fault(42)
def test_a_camera_that_is_not_there(text: str, device: str) -> None:
    with pytest.raises(SourceError, match=f"there is no camera {device}") as refused:
        open_source(text)
    assert "fake:colors" in refused.value.hint


def test_a_device_of_another_name_is_no_camera() -> None:
    with pytest.raises(SourceError, match="'/dev/videotape' is no camera") as refused:
        open_source("/dev/videotape")
    assert refused.value.hint == "cameras are /dev/video0, /dev/video1, ..."


def test_a_device_that_gives_no_pictures_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "device").write_bytes(b"")
    with pytest.raises(SourceError, match="gives no frames: Inappropriate ioctl") as refused:
        CameraSource(str(tmp_path / "device"))
    assert refused.value.hint == "'edgecls cameras' lists what does"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every camera")
def test_a_camera_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "device").touch(mode=0)
    with pytest.raises(SourceError, match="you may not use the camera") as refused:
        CameraSource(str(tmp_path / "device"))
    assert "join the group video" in refused.value.hint


def test_cameras_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("video10", "video2", "video0", "videoX", "v4l-subdev0"):
        (tmp_path / name).mkdir()
    (tmp_path / "video0" / "name").write_text("UVC Camera (046d:0825)\n")
    (tmp_path / "video2" / "name").write_bytes(b"odd \xff name\n")
    assert find_cameras(tmp_path) == [
        CameraInfo("/dev/video0", "UVC Camera (046d:0825)"),
        CameraInfo("/dev/video2", "odd \N{REPLACEMENT CHARACTER} name"),
        CameraInfo("/dev/video10", ""),
    ]


def test_a_machine_without_video_devices_has_no_cameras(tmp_path: Path) -> None:
    assert find_cameras(tmp_path / "class" / "video4linux") == []


def test_an_empty_folder_holds_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with (
        open_source(str(tmp_path)) as source,
        pytest.raises(SourceError, match="holds no pictures") as refused,
    ):
        source.read()
    assert refused.value.hint == "give another folder"


def test_pictures_of_a_folder_do_not_follow_each_other(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with open_source(str(tmp_path)) as folder, open_source(str(tmp_path / "a.png")) as single:
        assert (folder.is_live, folder.is_sequence) == (False, False)
        assert (single.is_live, single.is_sequence) == (False, False)
