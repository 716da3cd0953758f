"""A stand-in for picamera2, with the part of its interface that is used and the traps it has."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

# What a test may set: raised when a camera is made, or by each capture.
broken: Exception | None = None
silent = False
made: list[Picamera2] = []
cameras: list[dict[str, Any]] = [
    {"Model": "imx219", "Num": 1, "Id": "/base/soc/i2c0mux/i2c@1/imx219@10"},
    {"Model": "ov5647", "Num": 0, "Id": "/base/soc/i2c0mux/i2c@0/ov5647@36"},
    {"Model": "HD Webcam", "Num": 2, "Id": "/base/scb/pcie@7d500000/usb@0,0-1:1.0-046d:0825"},
]


class Picamera2:
    """A Camera Module 2: its smallest mode shows only the middle."""

    sensor_resolution = (3280, 2464)
    sensor_modes: ClassVar = [
        {"size": (640, 480), "bit_depth": 10, "fps": 206.65, "crop_limits": (1000, 752, 1280, 960)},
        {"size": (1640, 1232), "bit_depth": 10, "fps": 41.85, "crop_limits": (0, 0, 3280, 2464)},
        {
            "size": (1920, 1080),
            "bit_depth": 10,
            "fps": 47.57,
            "crop_limits": (680, 692, 1920, 1080),
        },
        {"size": (3280, 2464), "bit_depth": 10, "fps": 21.19, "crop_limits": (0, 0, 3280, 2464)},
    ]

    def __init__(self, camera_num: int = 0) -> None:
        if broken is not None:
            raise broken
        self.number = camera_num
        self.calls: list[str] = []
        self.configuration: dict[str, Any] = {}
        made.append(self)

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return cameras

    def create_video_configuration(self, main: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"main": main, **more}

    def configure(self, configuration: dict[str, Any]) -> None:
        width, height = configuration["main"]["size"]
        if width % 2 or height % 2:
            raise RuntimeError("the sides must be even")
        self.configuration = configuration
        self.calls.append("configure")

    def start(self) -> None:
        self.calls.append("start")

    def capture_arrays(
        self, names: list[str], wait: float | None = None
    ) -> tuple[list[np.ndarray], dict[str, Any]]:
        if silent:
            assert wait is not None
            time.sleep(wait)
            raise TimeoutError
        time.sleep(0.001)
        width, height = self.configuration["main"]["size"]
        # libcamera's names: what it calls BGR888 lies in memory as red, green, blue.
        red = {"BGR888": (255, 0, 0), "RGB888": (0, 0, 255)}[self.configuration["main"]["format"]]
        stamp = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 20_000_000
        return [np.full((height, width, 3), red, np.uint8) for _ in names], {
            "SensorTimestamp": stamp
        }

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")
