"""What the kernel says of cameras, and how one is set up and read, without one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from edgecls.errors import PictureError, SourceError
from edgecls.profile.devices import find_users
from edgecls.sources import SourceWishes
from edgecls.sources.camera import CameraSource, choose_format, to_rgb
from edgecls.sources.v4l2 import structs
from edgecls.sources.v4l2.device import Device, Setting
from edgecls.sources.v4l2.listing import (
    CameraDetails,
    CameraInfo,
    Mode,
    describe,
    inspect_camera,
)
from tests.support.made_camera import MadeCamera
from tests.support.mjpeg_server import BLUE, RED
from tests.support.patience import patience

INFO = CameraInfo("/dev/video0", "Made camera")
RAW = SourceWishes(size=(480, 640), pixel_format="YUYV")


def open_camera(made: MadeCamera, wishes: SourceWishes | None = None) -> CameraSource:
    return CameraSource("/dev/video0", wishes, lambda _: made)


class TestStructures:
    REQUESTS: ClassVar = {
        "VIDIOC_QUERYCAP": structs.QUERY_CAPABILITY,
        "VIDIOC_ENUM_FMT": structs.ENUMERATE_FORMATS,
        "VIDIOC_G_FMT": structs.GET_FORMAT,
        "VIDIOC_S_FMT": structs.SET_FORMAT,
        "VIDIOC_REQBUFS": structs.REQUEST_BUFFERS,
        "VIDIOC_QUERYBUF": structs.QUERY_BUFFER,
        "VIDIOC_QBUF": structs.QUEUE_BUFFER,
        "VIDIOC_DQBUF": structs.DEQUEUE_BUFFER,
        "VIDIOC_STREAMON": structs.STREAM_ON,
        "VIDIOC_STREAMOFF": structs.STREAM_OFF,
        "VIDIOC_G_PARM": structs.GET_PARAMETERS,
        "VIDIOC_S_PARM": structs.SET_PARAMETERS,
        "VIDIOC_ENUM_FRAMESIZES": structs.ENUMERATE_SIZES,
        "VIDIOC_ENUM_FRAMEINTERVALS": structs.ENUMERATE_INTERVALS,
        "offsetof(struct v4l2_format, fmt)": structs.Format.fmt.offset,
        "offsetof(struct v4l2_buffer, timestamp)": structs.Buffer.timestamp.offset,
        "offsetof(struct v4l2_buffer, sequence)": structs.Buffer.sequence.offset,
        "offsetof(struct v4l2_buffer, m)": structs.Buffer.m.offset,
        "offsetof(struct v4l2_buffer, length)": structs.Buffer.length.offset,
        "offsetof(struct v4l2_streamparm, parm)": structs.Parameters.parm.offset,
        "offsetof(struct v4l2_capability, device_caps)": structs.Capability.device_caps.offset,
        "offsetof(struct v4l2_frmivalenum, discrete)": structs.FrameInterval.interval.offset,
        "offsetof(struct v4l2_frmsizeenum, discrete)": structs.FrameSize.size.offset,
    }

    def test_they_are_those_of_the_kernels_header(self, tmp_path: Path) -> None:
        if shutil.which("gcc") is None or not Path("/usr/include/linux/videodev2.h").exists():
            pytest.skip("gcc or linux/videodev2.h is not here, which say what they are")
        lines = "".join(f'printf("%lu\\n", (unsigned long)({name}));' for name in self.REQUESTS)
        (tmp_path / "ask.c").write_text(
            "#include <linux/videodev2.h>\n#include <stddef.h>\n#include <stdio.h>\n"
            f"int main(void) {{ {lines} return 0; }}\n"
        )
        subprocess.run(["gcc", "-o", tmp_path / "ask", tmp_path / "ask.c"], check=True)
        told = subprocess.run([tmp_path / "ask"], capture_output=True, text=True, check=True)
        assert [int(line) for line in told.stdout.split()] == list(self.REQUESTS.values())

    @pytest.mark.parametrize(
        ("kind", "size"),
        [
            pytest.param(structs.Capability, 104, id="v4l2_capability"),
            pytest.param(structs.FormatDescription, 64, id="v4l2_fmtdesc"),
            pytest.param(structs.FrameSize, 44, id="v4l2_frmsizeenum"),
            pytest.param(structs.FrameInterval, 52, id="v4l2_frmivalenum"),
            pytest.param(structs.Parameters, 204, id="v4l2_streamparm"),
            pytest.param(structs.BufferRequest, 20, id="v4l2_requestbuffers"),
        ],
    )
    def test_a_structure_has_its_size_on_every_machine(
        self, kind: type[ctypes.Structure], size: int
    ) -> None:
        assert ctypes.sizeof(kind) == size

    def test_pixel_formats_are_four_letters(self) -> None:
        assert structs.from_fourcc("MJPG") == 0x47504A4D  # as v4l2-ctl shows it
        assert structs.to_fourcc(0x47504A4D) == "MJPG"
        assert structs.to_fourcc(structs.from_fourcc("Y8")) == "Y8"


class TestListing:
    def test_a_camera_and_what_it_can_do(self) -> None:
        assert describe(INFO, MadeCamera().ioctl, ("zoom (12)",)) == CameraDetails(
            "/dev/video0",
            "Made camera",
            "uvcvideo",
            "usb-1.2",
            (
                Mode("YUYV", (480, 640), (30.0, 15.0), (480, 640)),
                Mode("YUYV", (720, 1280), (10.0,), (720, 1280)),
                Mode("MJPG", (480, 640), (30.0,), (480, 640)),
                Mode("MJPG", (720, 1280), (30.0, 15.0), (720, 1280)),
            ),
            ("zoom (12)",),
        )

    def test_sizes_in_steps_are_one_mode(self) -> None:
        made = MadeCamera()

        def ask(request: int, answer: ctypes.Structure) -> None:
            if request == structs.ENUMERATE_SIZES:
                answer.type = 3
                answer.size.stepwise.min_width, answer.size.stepwise.max_width = 32, 2592
                answer.size.stepwise.min_height, answer.size.stepwise.max_height = 16, 1944
            elif request == structs.ENUMERATE_INTERVALS:
                answer.type = 3
                answer.interval.stepwise.min = structs.Fraction(1, 90)
                answer.interval.stepwise.max = structs.Fraction(1, 1)
            else:
                made.ioctl(request, answer)

        details = describe(INFO, ask)
        assert details is not None
        assert details.modes[0] == Mode("YUYV", (1944, 2592), (90.0, 1.0), (16, 32))
        assert details.modes[0].to_json() == {
            "format": "YUYV",
            "width": 2592,
            "height": 1944,
            "fps": [90.0, 1.0],
            "least_width": 32,
            "least_height": 16,
        }

    @pytest.mark.parametrize(
        "made",
        [
            pytest.param(MadeCamera(capabilities=0x00A0_0000), id="a metadata node"),
            pytest.param(MadeCamera(capabilities=0x0400_8000), id="a codec"),
            pytest.param(MadeCamera(capabilities=0x0400_4000), id="a codec with planes"),
            pytest.param(MadeCamera(capabilities=0x0400_0002), id="a display"),
            pytest.param(MadeCamera(driver=b"bcm2835-isp"), id="an image processor"),
        ],
    )
    def test_what_gives_no_frames_is_left_out(self, made: MadeCamera) -> None:
        assert describe(INFO, made.ioctl) is None

    def test_a_camera_with_planes_is_listed_with_what_to_do(self) -> None:
        details = describe(INFO, MadeCamera(capabilities=0x0400_1000).ioctl)
        assert details is not None
        assert "try picamera:0" in details.problem

    def test_a_driver_that_never_ends_is_ended(self) -> None:
        made = MadeCamera()

        def ask(request: int, answer: ctypes.Structure) -> None:
            if request in (structs.ENUMERATE_SIZES, structs.ENUMERATE_INTERVALS):
                answer.type = structs.DISCRETE
            else:
                made.ioctl(request, answer)

        details = describe(INFO, ask)
        assert details is not None
        assert len(details.modes) == 512

    def test_a_device_that_cannot_be_opened_says_why(self, tmp_path: Path) -> None:
        details = inspect_camera(CameraInfo(str(tmp_path / "gone"), "x"))
        assert details is not None
        assert details.problem == "No such file or directory"

    def test_a_file_is_no_camera(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        details = inspect_camera(CameraInfo(str(tmp_path / "file"), "x"))
        assert details is not None
        assert details.problem == "Inappropriate ioctl for device"

    def test_the_program_that_has_a_device_open_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "device").touch()
        program = "import sys; f = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "device"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            other.stdout.readline()
            (user,) = find_users(str(tmp_path / "device"))
            other.kill()
        assert user.endswith(f"({other.pid})")

    def test_we_do_not_name_ourselves(self, tmp_path: Path) -> None:
        with (tmp_path / "device").open("wb"):
            assert find_users(str(tmp_path / "device")) == ()


class TestSetup:
    @pytest.mark.parametrize(
        ("wishes", "setting"),
        [
            pytest.param(SourceWishes(), "640x480@30 YUYV", id="nothing is asked for"),
            pytest.param(SourceWishes(size=(720, 1280)), "1280x720@30 MJPG", id="a large frame"),
            pytest.param(SourceWishes(pixel_format="MJPG"), "640x480@30 MJPG", id="MJPG"),
            pytest.param(RAW, "640x480@30 YUYV", id="YUYV"),
            pytest.param(
                SourceWishes(size=(720, 1280), fps=15), "1280x720@15 MJPG", id="a lower rate"
            ),
        ],
    )
    def test_a_camera_is_set_as_wished_when(self, wishes: SourceWishes, setting: str) -> None:
        with open_camera(MadeCamera(), wishes) as camera:
            assert (str(camera.setting), camera.warnings) == (setting, ())

    @pytest.mark.parametrize(
        ("wishes", "warning"),
        [
            pytest.param(
                SourceWishes(size=(1080, 1920), pixel_format="YUYV"),
                "asked for 1920x1080, the camera gives 640x480@30 YUYV",
                id="another size",
            ),
            pytest.param(
                SourceWishes(size=(720, 1280), fps=30, pixel_format="YUYV"),
                "asked for 30 frames a second, the camera gives 1280x720@10 YUYV",
                id="another rate",
            ),
            pytest.param(
                SourceWishes(size=(600, 800), fps=60),
                "asked for 800x600 and 60 frames a second, the camera gives 640x480@30 MJPG",
                id="both",
            ),
        ],
    )
    def test_what_it_gives_instead_is_said(self, wishes: SourceWishes, warning: str) -> None:
        with open_camera(MadeCamera(), wishes) as camera:
            assert camera.warnings == (warning,)

    def test_a_format_that_it_has_not_is_refused(self) -> None:
        made = MadeCamera(formats={"YUYV": {(480, 640): (30,)}})
        with pytest.raises(SourceError, match="the camera has no MJPG, it has YUYV"):
            open_camera(made, SourceWishes(pixel_format="MJPG"))
        assert made.is_closed

    def test_formats_that_nobody_can_read_are_refused(self) -> None:
        with pytest.raises(SourceError, match="gives BG10, and none of them can be read") as no:
            open_camera(MadeCamera(formats={"BG10": {(480, 640): (30,)}}))
        assert no.value.hint == "a Raspberry Pi camera is 'picamera:0'"

    def test_a_codec_is_refused(self) -> None:
        with pytest.raises(SourceError, match="/dev/video0 gives no frames: it is a codec"):
            open_camera(MadeCamera(capabilities=0x0400_8000))

    @pytest.mark.parametrize(
        "request_", [structs.SET_FORMAT, structs.REQUEST_BUFFERS, structs.STREAM_ON]
    )
    def test_a_camera_that_is_busy_is_closed_again(self, request_: int) -> None:
        made = MadeCamera(fails={request_: errno.EBUSY})
        with pytest.raises(SourceError, match="cannot be opened") as refused:
            open_camera(made)
        assert "another program" in refused.value.hint
        assert made.is_closed

    def test_a_driver_without_rates_is_taken_as_it_is(self) -> None:
        with open_camera(MadeCamera(fails={structs.GET_PARAMETERS: errno.ENOTTY})) as camera:
            assert str(camera.setting) == "640x480 YUYV"

    @pytest.mark.parametrize(
        ("offered", "wishes", "chosen"),
        [
            pytest.param(["MJPG"], SourceWishes(), "MJPG", id="the only one"),
            pytest.param(["NV12", "GREY"], SourceWishes(), "NV12", id="one that can be converted"),
            pytest.param([], SourceWishes(), "MJPG", id="a guess where nothing is listed"),
            pytest.param(["YUYV", "MJPG"], SourceWishes(fps=60), "MJPG", id="MJPG for high rates"),
            pytest.param(
                ["YUYV", "JPEG"], SourceWishes(size=(1080, 1920)), "JPEG", id="JPEG as MJPG"
            ),
        ],
    )
    def test_choose_format(self, offered: Sequence[str], wishes: SourceWishes, chosen: str) -> None:
        modes = [Mode(fourcc, (480, 640), (30.0,), (480, 640)) for fourcc in offered]
        assert choose_format(modes, wishes) == chosen


class TestReading:
    def test_jpegs_come_undecoded_and_without_the_drivers_padding(self) -> None:
        made = MadeCamera(frames=[RED + b"\0" * 99, BLUE])
        with open_camera(made, SourceWishes(pixel_format="MJPG")) as camera:
            first, second = camera.read(), camera.read()
        assert first is not None
        assert second is not None
        assert (first.pixels, first.jpeg, second.jpeg) == (None, RED, BLUE)
        assert (first.index, second.index) == (0, 1)

    def test_a_frame_is_as_old_as_the_driver_says(self) -> None:
        made = MadeCamera(frames=[RED])
        with open_camera(made, SourceWishes(pixel_format="MJPG")) as camera:
            frame = camera.read()
        assert frame is not None
        assert time.monotonic() - frame.captured_s >= 0.005  # what the made camera says

    def test_a_clock_that_is_another_one_is_not_believed(self) -> None:
        made = MadeCamera(frames=[RED], flags=0x4000)  # V4L2_BUF_FLAG_TIMESTAMP_COPY
        started = time.monotonic()
        with open_camera(made, SourceWishes(pixel_format="MJPG")) as camera:
            frame = camera.read()
        assert frame is not None
        assert frame.captured_s >= started

    def test_buffers_go_back_to_the_driver(self) -> None:
        made = MadeCamera(frames=[RED] * 10)
        with open_camera(made, SourceWishes(pixel_format="MJPG")) as camera:
            for _ in range(10):
                camera.read()
            assert sorted(made.queued) == [0, 1, 2]

    @pytest.mark.parametrize(
        ("frame", "flags"),
        [
            pytest.param(RED[:-30], structs.IS_MONOTONIC, id="cut off"),
            pytest.param(b"", structs.IS_MONOTONIC, id="empty"),
            pytest.param(b"no JPEG at all", structs.IS_MONOTONIC, id="no JPEG"),
            pytest.param(
                RED, structs.IS_MONOTONIC | structs.IS_DAMAGED, id="damaged, says the driver"
            ),
        ],
    )
    def test_a_frame_is_one_error_when_it_is(self, frame: bytes, flags: int) -> None:
        made = MadeCamera(frames=[frame, BLUE], flags=flags)
        with open_camera(made, SourceWishes(pixel_format="MJPG")) as camera:
            with pytest.raises(PictureError, match="the camera"):
                camera.read()
            made.flags = structs.IS_MONOTONIC
            after = camera.read()
        assert after is not None
        assert after.jpeg == BLUE

    def test_a_silent_camera_is_lost_within_the_timeout(self) -> None:
        started = time.monotonic()
        with (
            open_camera(MadeCamera(), SourceWishes(timeout_s=0.2)) as camera,
            pytest.raises(SourceError, match=r"sent nothing for 0\.12 s"),
        ):
            camera.read()
        assert time.monotonic() - started < patience(0.5)

    def test_an_unplugged_camera_is_lost_at_once_and_can_be_closed(self) -> None:
        made = MadeCamera(frames=[RED])
        camera = open_camera(made, SourceWishes(timeout_s=60))
        made.fails = dict.fromkeys((structs.DEQUEUE_BUFFER, structs.STREAM_OFF), errno.ENODEV)
        with pytest.raises(SourceError, match="is lost: made to fail") as lost:
            camera.read()
        assert lost.value.hint == "is it plugged in?"
        camera.close()
        camera.close()
        assert made.is_closed

    def test_closing_stops_the_stream(self) -> None:
        made = MadeCamera()
        with open_camera(made):
            assert made.is_streaming
        assert (made.is_streaming, made.is_closed) == (False, True)

    def test_a_device_that_is_ready_and_has_nothing_is_not_asked_for_ever(self) -> None:
        class Eager(MadeCamera):
            def wait(self, seconds: float) -> bool:
                return seconds > 0

        made = Eager()
        device = Device(made)
        device.configure("MJPG", (480, 640), 30)
        device.start()
        with pytest.raises(TimeoutError):
            device.take(0.05)


class TestColors:
    """Expected values are BT.601's: limited range, (Y, Cb, Cr) of red 82, 90, 240."""

    RED_RGB = pytest.approx([255, 0, 0], abs=3)

    @pytest.mark.parametrize(
        ("pixel_format", "content"),
        [
            pytest.param("YUYV", bytes([82, 90, 82, 240]) * 8, id="YUYV"),
            pytest.param("UYVY", bytes([90, 82, 240, 82]) * 8, id="UYVY"),
            pytest.param("NV12", bytes([82] * 16 + [90, 240] * 4), id="NV12"),
            pytest.param("YU12", bytes([82] * 16 + [90] * 4 + [240] * 4), id="YU12"),
            pytest.param("RGB3", bytes([255, 0, 0]) * 16, id="RGB3"),
            pytest.param("BGR3", bytes([0, 0, 255]) * 16, id="BGR3"),
        ],
    )
    def test_red_is_red_in(self, pixel_format: str, content: bytes) -> None:
        frame = to_rgb(content, Setting(pixel_format, (4, 4), 30.0))
        assert (frame.shape, frame.dtype) == ((4, 4, 3), np.uint8)
        assert frame.reshape(-1, 3).tolist() == [self.RED_RGB] * 16

    def test_gray_is_spread_over_three_channels(self) -> None:
        frame = to_rgb(bytes([7, 9, 7, 9]), Setting("GREY", (2, 2), 30.0))
        assert frame[0].tolist() == [[7, 7, 7], [9, 9, 9]]

    def test_rows_may_be_padded_and_the_last_need_not_be(self) -> None:
        row = bytes([255, 0, 0]) * 2 + b"\x11\x22"
        frame = to_rgb(row + row[:6], Setting("RGB3", (2, 2), 30.0, stride=8))
        assert frame.tolist() == [[[255, 0, 0], [255, 0, 0]]] * 2

    def test_half_a_frame_is_refused(self) -> None:
        with pytest.raises(PictureError, match="sent 16 bytes of a frame of 32"):
            to_rgb(bytes(16), Setting("YUYV", (4, 4), 30.0))


@pytest.mark.skipif(not os.path.exists("/dev/video0"), reason="there is no /dev/video0 here")
def test_a_real_camera_gives_frames() -> None:
    with CameraSource("/dev/video0") as camera:
        frames = [camera.read() for _ in range(5)]
    assert all(frame is not None and (frame.jpeg or frame.pixels is not None) for frame in frames)
