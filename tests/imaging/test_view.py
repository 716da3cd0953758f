"""Which way up a camera hangs, and the part of its frames that counts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest

from edgecls.errors import InvalidValueError
from edgecls.imaging.view import Region, View

# Four corners that can be told apart: 1 2 above, 3 4 below.
CORNERS: Final = ((1, 2), (3, 4))


def frame_of(rows: Any) -> Any:
    """A gray frame (height, width, 3) of given levels."""
    return np.repeat(np.array(rows, np.uint8)[:, :, None], 3, axis=2)


def levels(frame: Any) -> Any:
    return frame[:, :, 0].tolist()


@pytest.mark.parametrize(
    ("view", "seen"),
    [
        pytest.param(View(), [[1, 2], [3, 4]], id="a camera that hangs as it should"),
        pytest.param(View(rotate=90), [[3, 1], [4, 2]], id="a quarter turn clockwise"),
        pytest.param(View(rotate=180), [[4, 3], [2, 1]], id="upside down"),
        pytest.param(View(rotate=270), [[2, 4], [1, 3]], id="a quarter turn the other way"),
        pytest.param(View(flip="horizontal"), [[2, 1], [4, 3]], id="left and right exchanged"),
        pytest.param(View(flip="vertical"), [[3, 4], [1, 2]], id="top and bottom exchanged"),
        pytest.param(View(flip="both"), [[4, 3], [2, 1]], id="both, which is half a turn"),
        pytest.param(View(90, "horizontal"), [[1, 3], [2, 4]], id="turned first, then mirrored"),
    ],
)
def test_frames_are_turned_and_mirrored(view: View, seen: list[list[int]]) -> None:
    frame = frame_of(CORNERS)
    assert levels(view.look(frame)) == seen
    assert levels(frame) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical", "both"])
@pytest.mark.parametrize("region", ["2,1,3,4", "0.25,0.2,0.5,0.6"], ids=["pixels", "shares"])
def test_a_region_is_cut_from_the_upright_frame(rotate: Any, flip: Any, region: str) -> None:
    frame = frame_of(np.arange(8 * 6).reshape(8, 6))
    part = Region.parse(region)
    upright = View(rotate, flip).look(frame)
    assert levels(View(rotate, flip, part).look(frame)) == levels(part.cut(upright, 1))


def test_a_region_in_pixels_says_its_corner_and_its_size() -> None:
    frame = frame_of(np.arange(12).reshape(3, 4))
    assert levels(View(region=Region.parse("1,0,2,2")).look(frame)) == [[1, 2], [5, 6]]


def test_a_region_in_shares_fits_every_size() -> None:
    region = Region.parse("0.5,0,0.5,1")
    assert View(region=region).look(frame_of(np.zeros((4, 6)))).shape == (4, 3, 3)
    assert View(region=region).look(frame_of(np.zeros((40, 60)))).shape == (40, 30, 3)


def test_a_region_in_pixels_means_the_frame_at_its_full_size() -> None:
    region = Region.parse("160,0,480,480")
    quarter = frame_of(np.zeros((120, 160)))
    assert View(region=region).look(quarter, scale=4).shape == (120, 120, 3)


def test_a_plain_view_copies_nothing() -> None:
    frame = frame_of(CORNERS)
    assert View().look(frame) is frame
    assert View().is_plain
    assert not View(rotate=180).is_plain


@pytest.mark.parametrize(
    ("view", "size"),
    [
        (View(), (480, 640)),
        (View(rotate=90), (640, 480)),
        (View(rotate=180), (480, 640)),
        (View(region=Region.parse("0,0,0.5,1")), (480, 320)),
        (View(rotate=270, region=Region.parse("0,0,0.5,1")), (640, 240)),
        (View(region=Region.parse("10,20,30,40")), (40, 30)),
    ],
)
def test_the_size_of_what_is_looked_at_is_known_before(view: View, size: tuple[int, int]) -> None:
    assert view.size_of((480, 640)) == size


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("1,2,3", "'1,2,3' is no region", id="too few numbers"),
        pytest.param("a,b,c,d", "'a,b,c,d' is no region", id="no numbers"),
        pytest.param("0.5,0,0.6,1", "reaches beyond the frame", id="shares beyond the edge"),
        pytest.param("10,10,0,10", "has no area", id="no width"),
        pytest.param("-5,0,10,10", "begins outside", id="a corner outside"),
        pytest.param("nan,0,1,1", "begins outside", id="not a number"),
        pytest.param("1.5,0,20,20", "has parts of pixels", id="half a pixel"),
    ],
)
def test_a_region_that_makes_no_sense_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem) as wrong:
        Region.parse(text)
    assert "x,y,w,h" in str(wrong.value.hint)


def test_a_region_beyond_the_frame_is_refused_with_the_frames_size() -> None:
    view = View(region=Region.parse("600,0,100,100"))
    wanted = r"the region 600,0,100,100 reaches beyond the frame of 640x480 pixels"
    with pytest.raises(InvalidValueError, match=wanted):
        view.look(frame_of(np.zeros((480, 640))))


@pytest.mark.parametrize(
    ("turn", "problem"),
    [
        ({"rotate": 45}, "rotate is 45, wanted 0, 90, 180 or 270 degrees"),
        ({"flip": "sideways"}, "there is no flip 'sideways'"),
    ],
)
def test_a_turn_that_is_none_is_refused(turn: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        View(**turn)
