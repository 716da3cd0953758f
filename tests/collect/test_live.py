"""The camera: its newest frame, shown while somebody looks, and opened again when it was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from edgecls.collect.live import Live
from edgecls.errors import SourceError
from edgecls.imaging.decode import decode
from edgecls.imaging.view import Region, View
from edgecls.sources import open_source
from edgecls.sources.fake import FRAME_SIZE
from edgecls.web import Shown
from tests.collect.conftest import wait_until
from tests.support.scripted_camera import ScriptedCamera, picture_of


class Screen:
    """Who looks at every frame, and what was shown."""

    def __init__(self) -> None:
        self.is_watched = True
        self.made_s = 0.0
        self.failure: Exception | None = None
        self.shown: list[Shown] = []

    def offer(self, make: Callable[[], Shown | None]) -> None:
        if self.is_watched and (shown := make()) is not None:
            self.made_s = time.monotonic()
            self.shown.append(shown)


@pytest.fixture
def watch() -> Iterator[Callable[..., tuple[Live, Screen]]]:
    """Starts reading a source."""
    with ExitStack() as closing:

        def start(source: ScriptedCamera | str, view: View | None = None) -> tuple[Live, Screen]:
            screen = Screen()
            make = (lambda: open_source(source)) if isinstance(source, str) else source.open
            live = Live(make, screen, view or View())
            closing.callback(live.close)
            live.open()
            live.start()
            return live, screen

        yield start


def test_the_newest_frame_is_at_hand(watch: Callable[..., tuple[Live, Screen]]) -> None:
    camera = ScriptedCamera()
    live, _ = watch(camera)
    for number in (3, 8):
        camera.show(number)
        frame = live.newest()
        assert frame is not None
        assert frame.jpeg == picture_of(number)


def test_another_one_is_waited_for(watch: Callable[..., tuple[Live, Screen]]) -> None:
    live, _ = watch(ScriptedCamera())
    numbers = [-1]
    for _ in range(5):
        frame = live.newest(after=numbers[-1])
        assert frame is not None
        numbers.append(frame.index)
    assert numbers == sorted(set(numbers))


def test_while_somebody_looks_the_cameras_own_jpeg_is_shown(
    watch: Callable[..., tuple[Live, Screen]],
) -> None:
    _, screen = watch(ScriptedCamera())
    wait_until(lambda: len(screen.shown) > 3)
    assert {shown.jpeg for shown in screen.shown} == {picture_of(0)}
    screen.is_watched = False
    time.sleep(0.1)  # one may be on its way
    shown = len(screen.shown)
    time.sleep(0.2)
    assert len(screen.shown) == shown


def test_frames_are_upright_and_cut_for_those_who_look_and_for_those_who_keep(
    watch: Callable[..., tuple[Live, Screen]],
) -> None:
    view = View(rotate=90, region=Region.parse("0,0,0.5,0.5"))
    live, screen = watch("fake:digits?jpeg=1", view)
    height, width = FRAME_SIZE
    wait_until(lambda: len(screen.shown) > 0)
    assert decode(screen.shown[0].jpeg).shape == (width // 2, height // 2, 3)
    frame = live.newest()
    assert frame is not None
    assert frame.pixels is not None
    assert frame.pixels.shape == (width // 2, height // 2, 3)
    assert frame.jpeg == b""


def test_a_camera_that_is_unplugged_is_lost_and_comes_back(
    watch: Callable[..., tuple[Live, Screen]],
) -> None:
    camera = ScriptedCamera()
    live, _ = watch(camera)
    before = live.newest()
    assert before is not None
    assert live.state == "live"
    camera.is_plugged_in = False
    wait_until(lambda: live.state == "lost")
    with pytest.raises(SourceError, match="gives no pictures: it was unplugged"):
        live.newest()
    camera.is_plugged_in = True
    wait_until(lambda: live.state == "live", 10.0)
    after = live.newest(after=before.index, timeout_s=5.0)
    assert after is not None
    assert after.index > before.index


def test_a_camera_that_hangs_gives_no_old_frames(
    watch: Callable[..., tuple[Live, Screen]],
) -> None:
    live, _ = watch("fake:digits?stall=3:30s")
    wait_until(lambda: live.frames >= 3)
    time.sleep(2.1)
    with pytest.raises(SourceError, match=r"2 seconds old: the camera hangs"):
        live.newest()


@pytest.mark.parametrize(
    ("source", "trouble", "words"),
    [
        pytest.param(
            "fake:digits?frozen=2:60&loop=1", "frozen", "not changed by one bit", id="frozen"
        ),
        pytest.param("fake:digits?black=2:60&loop=1", "black", "has been black", id="black"),
    ],
)
def test_frames_that_are_no_good_are_told_until_they_are(
    source: str, trouble: str, words: str
) -> None:
    live = Live(lambda: open_source(source), Screen(), warn_s=1.0)
    with closing(live):
        live.open()
        live.start()
        wait_until(lambda: words in live.troubles.get(trouble, ""))
        wait_until(lambda: trouble not in live.troubles)


def test_a_recording_stays_at_its_last_frame(watch: Callable[..., tuple[Live, Screen]]) -> None:
    live, screen = watch("fake:digits?frames=4&fps=0")
    wait_until(lambda: live.state == "ended")
    frame = live.newest()
    assert frame is not None
    assert frame.index == 3
    assert screen.shown[-1].facts["frame"] == 3
    assert live.seen(screen.shown[-1].facts["run"], 3).index == 3


def test_it_runs_at_its_own_pace(watch: Callable[..., tuple[Live, Screen]]) -> None:
    started = time.monotonic()
    live, _ = watch("fake:digits?frames=7&fps=0")  # 30 a second
    wait_until(lambda: live.state == "ended")
    assert time.monotonic() - started >= 6 / 30


def test_a_region_beyond_the_frame_ends_it(watch: Callable[..., tuple[Live, Screen]]) -> None:
    live, _ = watch("fake:digits", View(region=Region.parse("0,0,5000,5000")))
    wait_until(lambda: live.failure is not None)
    assert "reaches beyond the frame" in str(live.failure)
