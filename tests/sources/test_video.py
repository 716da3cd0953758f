"""Videos are read to their real end, whatever their headers claim."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest

from edgecls.errors import SourceError
from edgecls.imaging.opencv import cv2
from edgecls.sources import open_source


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Eight frames of 64x48, ten a second."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for number in range(8):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


def count_frames(path: Path) -> int:
    with open_source(str(path)) as source:
        return sum(1 for _ in iter(source.read, None))


def find_chunks(content: bytes) -> list[int]:
    """Where the frames of an AVI file begin: four letters, four bytes of length, the JPEG."""
    return [found.start() for found in re.finditer(b"00dc(?=....\xff\xd8)", content, re.DOTALL)]


def claim_frames(path: Path, count: int) -> None:
    """Write another number of frames into the headers of an AVI file (`avih` and `strh`)."""
    content = bytearray(path.read_bytes())
    main = content.index(b"avih") + 8 + 16  # dwTotalFrames is the fifth field
    stream = content.index(b"strh") + 8 + 32  # dwLength comes after 32 bytes
    for place in (main, stream):
        content[place : place + 4] = count.to_bytes(4, "little")
    path.write_bytes(content)


def test_every_frame_is_read_and_placed_in_time(clip: Path) -> None:
    with open_source(str(clip)) as source:
        frames = list(iter(source.read, None))
        assert (source.is_live, source.is_sequence) == (False, True)
    assert [frame.media_s for frame in frames] == pytest.approx(
        [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    )
    assert [round(frame.pixels.mean() / 20) for frame in frames] == [0, 1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("claimed", [0, 2, 1_000_000], ids=lambda count: f"{count} claimed")
@pytest.mark.fault(64)
def test_a_frame_count_that_lies_is_not_trusted(clip: Path, claimed: int) -> None:
    claim_frames(clip, claimed)
    assert count_frames(clip) == 8


@pytest.mark.fault(63)
def test_a_video_that_is_cut_off_ends_where_it_ends(clip: Path) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: find_chunks(content)[4] + 4])
    assert count_frames(clip) == 4


@pytest.mark.parametrize("name", ["story.txt", "story.mp4", "story"])
def test_a_text_file_is_no_video(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("Once upon a time\n" * 100)
    with pytest.raises(SourceError, match=rf"{name}' cannot be opened as a video") as refused:
        open_source(str(tmp_path / name))
    assert refused.value.hint == "check it with a player; MP4, MKV, AVI and WebM files work"
    assert capfd.readouterr().err == ""  # the library's own complaints say nothing more


@pytest.mark.fault(62)
def test_a_playlist_is_no_video(clip: Path) -> None:
    # It could name any other file.
    playlist = clip.parent / "list.ffconcat"
    playlist.write_text(f"ffconcat version 1.0\nfile {clip.name}\n")
    with pytest.raises(SourceError, match="cannot be opened as a video"):
        open_source(str(playlist))


def test_a_video_without_a_frame_is_an_error_and_no_end(clip: Path) -> None:
    content = bytearray(clip.read_bytes())
    for start in find_chunks(content):
        length = int.from_bytes(content[start + 4 : start + 8], "little")
        content[start + 8 : start + 8 + length] = bytes(length)
    clip.write_bytes(content)
    with (
        open_source(str(clip)) as source,
        pytest.raises(SourceError, match="without one frame that can be decoded") as refused,
    ):
        source.read()
    assert "check it with a player" in refused.value.hint


# Three white frames of 32x32 in fields, as MPEG-2: ffmpeg -f lavfi -i color=white:s=32x32
# -c:v mpeg2video -flags +ilme+ildct -g 1 -bitexact -f mpeg2video
INTERLACED = """
AAABswIAIBP//+AYAAABtRSCAAEAAAAAAbgACABAAAABAAAP//gAAAG1j//zAAAAAAEBE32ulKRFpSlIiAAAAQITfa
6UpEWlKUiIAAABswIAIBP//+AYAAABtRSCAAEAAAAAAbgACADAAAABAAAP//gAAAG1j//zAAAAAAEBE32ulKRFpSlI
iAAAAQITfa6UpEWlKUiIAAABswIAIBP//+AYAAABtRSCAAEAAAAAAbgACAFAAAABAAAP//gAAAG1j//zAAAAAAEBE3
2ulKRFpSlIiAAAAQITfa6UpEWlKUiI"""


@pytest.mark.fault(143)
def test_an_interlaced_film_is_told_and_never_shown_from_old_memory(tmp_path: Path) -> None:
    (tmp_path / "my film.mpg").write_bytes(base64.b64decode(INTERLACED + "=="))
    with (
        open_source(str(tmp_path / "my film.mpg")) as source,
        pytest.raises(SourceError, match="it is interlaced") as refused,
    ):
        source.read()
    assert f"ffmpeg -i '{tmp_path}/my film.mpg' -vf yadif new.mp4" in refused.value.hint
