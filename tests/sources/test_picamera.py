"""Pi cameras, with a stand-in for picamera2: no real one was at hand."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from edgecls.errors import NotInstalledError, SourceError
from edgecls.sources import SourceWishes
from edgecls.sources.picamera import (
    PiCameraSource,
    fit_size,
    full_view,
    list_pi_cameras,
    open_source,
)

BOARDS = Path(__file__).parents[1] / "support" / "boards"


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in, as `import picamera2` finds it."""
    monkeypatch.syspath_prepend(BOARDS)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    import picamera2

    yield picamera2
    monkeypatch.delitem(sys.modules, "picamera2")


@pytest.fixture
def without_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)


def test_red_is_the_first_channel_though_libcamera_calls_it_bgr(picamera2: ModuleType) -> None:
    with open_source("picamera:0") as camera:
        frame = camera.read()
    assert frame is not None
    assert frame.pixels is not None
    assert frame.pixels[0, 0].tolist() == [255, 0, 0]
    assert picamera2.made[0].configuration["main"]["format"] == "BGR888"


@pytest.mark.usefixtures("picamera2")
def test_frames_are_as_old_as_the_sensor_says() -> None:
    with open_source("picamera:0") as camera:
        frame = camera.read()
    assert frame is not None
    # The stand-in's frames are 20 ms old when they arrive.
    assert 0.015 < time.monotonic() - frame.captured_s < 5
    assert frame.index == 0


@pytest.mark.usefixtures("picamera2")
@pytest.mark.parametrize(
    ("wishes", "size"),
    [
        pytest.param(SourceWishes(model_size=(224, 224)), (280, 372), id="a little over a model's"),
        pytest.param(SourceWishes(model_size=(28, 28)), (64, 86), id="never tiny"),
        pytest.param(SourceWishes(), (480, 638), id="480 lines for no model"),
        pytest.param(SourceWishes(size=(720, 1280)), (720, 1280), id="what was asked for"),
    ],
)
def test_the_frame_size_is(wishes: SourceWishes, size: tuple[int, int]) -> None:
    with open_source("picamera:0", wishes) as camera:
        frame = camera.read()
    assert frame is not None
    assert frame.pixels is not None
    assert frame.pixels.shape == (*size, 3)


def test_a_frame_is_never_larger_than_the_sensor() -> None:
    assert fit_size((640, 480), (1024, 1024)) == (480, 640)


@pytest.mark.parametrize(
    "fps",
    [
        pytest.param(30.0, id="whole, in the fewest pixels"),
        pytest.param(200.0, id="whole rather than fast"),
    ],
)
def test_the_sensor_shows_its_view(picamera2: ModuleType, fps: float) -> None:
    mode = full_view(picamera2.Picamera2.sensor_modes, fps)
    assert mode == {"output_size": (1640, 1232), "bit_depth": 10}


def test_a_driver_without_modes_chooses_by_itself() -> None:
    assert full_view([], 30.0) == {}


@pytest.mark.fault(146)
@pytest.mark.parametrize(
    ("modes", "chosen"),
    [
        pytest.param(
            [{"format": "YUYV"}, {"format": "MJPEG"}], {}, id="that say their format only"
        ),
        pytest.param(
            [
                {"format": "YUYV"},
                {"size": (640, 480), "bit_depth": 8, "fps": 30.0, "crop_limits": (0, 0, 640, 480)},
            ],
            {"output_size": (640, 480), "bit_depth": 8},
            id="of two kinds",
        ),
    ],
)
def test_modes(modes: list[dict[str, object]], chosen: dict[str, object]) -> None:
    assert full_view(modes, 30.0) == chosen


@pytest.mark.fault(146)
def test_a_sensor_whose_modes_cannot_be_read_is_used_as_libcamera_chooses(
    picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # picamera2 0.3.38 itself raises this for a sensor without a crop.
    monkeypatch.setattr(picamera2.Picamera2, "sensor_modes", property(lambda _: {}["ScalerCrop"]))
    with open_source("picamera:0") as camera:
        assert camera.read() is not None
    assert "sensor" not in picamera2.made[0].configuration


@pytest.mark.fault(146)
def test_no_stream_of_raw_pixels_is_asked_for(picamera2: ModuleType) -> None:
    open_source("picamera:0").close()
    assert picamera2.made[0].configuration["raw"] is None


@pytest.mark.fault(146)
@pytest.mark.usefixtures("picamera2")
def test_a_webcam_is_no_pi_camera() -> None:
    assert "picamera:2" not in dict(list_pi_cameras())
    with pytest.raises(SourceError, match=r"is a webcam on USB \(HD Webcam\)") as refused:
        open_source("picamera:2")
    assert "/dev/videoN" in refused.value.hint


def test_the_rate_and_the_number_of_buffers_are_set(picamera2: ModuleType) -> None:
    open_source("picamera:1", SourceWishes(fps=15)).close()
    made = picamera2.made[0]
    assert made.number == 1
    assert made.configuration["controls"] == {"FrameRate": 15}
    assert made.configuration["buffer_count"] == 4


def test_it_is_stopped_and_closed_once(picamera2: ModuleType) -> None:
    camera = open_source("picamera:0")
    camera.close()
    camera.close()
    assert picamera2.made[0].calls == ["configure", "start", "stop", "close"]


@pytest.mark.fault(45)
def test_a_silent_camera_is_lost_within_the_timeout(picamera2: ModuleType) -> None:
    with open_source("picamera:0", SourceWishes(timeout_s=0.1)) as camera:
        picamera2.silent = True
        with pytest.raises(SourceError, match=r"sent nothing for 0\.06 s"):
            camera.read()


@pytest.mark.parametrize(
    "wrong", [RuntimeError("Camera __init__ sequence did not complete."), IndexError("no camera")]
)
def test_no_camera_is_an_error_with_what_to_look_at(
    picamera2: ModuleType, wrong: Exception
) -> None:
    picamera2.broken = wrong
    with pytest.raises(SourceError, match="the Pi camera 0 cannot be opened") as refused:
        open_source("picamera:0")
    assert "rpicam-hello --list-cameras" in refused.value.hint


def test_a_size_that_it_cannot_do_is_refused_and_it_is_closed(picamera2: ModuleType) -> None:
    with pytest.raises(SourceError, match="cannot be set up: the sides must be even"):
        open_source("picamera:0", SourceWishes(size=(481, 640)))
    assert picamera2.made[0].calls[-1] == "close"


@pytest.mark.parametrize("text", ["picamera:one", "picamera:-1", "picamera:0000"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="is no Pi camera") as refused:
        open_source(text)
    assert refused.value.hint == "write picamera:0 or picamera:1"


@pytest.mark.usefixtures("picamera2")
def test_pi_cameras_are_listed_as_they_are_written() -> None:
    assert list_pi_cameras() == [("picamera:0", "imx219"), ("picamera:1", "ov5647")]


@pytest.mark.usefixtures("without_picamera2")
def test_without_picamera2_none_is_listed() -> None:
    assert list_pi_cameras() == []


@pytest.mark.usefixtures("without_picamera2")
class TestWithoutPicamera2:
    def test_it_says_how_to_install_it(self, tmp_path: Path) -> None:
        with pytest.raises(NotInstalledError, match="which is not installed") as missing:
            PiCameraSource(0, system_folder=tmp_path / "no")
        assert "apt install -y --no-install-recommends python3-picamera2" in missing.value.hint

    def test_it_says_when_only_this_environment_does_not_see_it(self, tmp_path: Path) -> None:
        if sys.prefix == sys.base_prefix:
            pytest.skip("this Python is in no virtual environment")
        with pytest.raises(NotInstalledError, match="does not see it") as missing:
            PiCameraSource(0, system_folder=tmp_path)
        assert missing.value.hint == f"python3 -m venv --system-site-packages {sys.prefix}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(
            "raise ImportError('no', name='jpegtool')", "picamera2 needs jpegtool", id="a part"
        ),
        pytest.param(
            "raise ValueError('numpy.dtype size changed')",
            "cannot be loaded: numpy.dtype size changed",
            id="the right numpy",
        ),
    ],
)
def test_a_picamera2_that_lacks(
    content: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picamera2.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(NotInstalledError, match=problem) as missing:
        PiCameraSource(0)
    assert "pip install jpegtool" not in missing.value.hint
