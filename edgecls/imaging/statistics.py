"""Image -> how bright, contrasty, sharp and colourful it is: a few numbers, in 0.1 ms."""

from __future__ import annotations

import math
from typing import Final

from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import Image

# Gray levels. Below it what is left of contrast is noise, and so is its sharpness.
_LEAST_CONTRAST: Final = 4.0
_LEAST_LIGHT: Final = 6.0


def measure_image(image: Image) -> dict[str, float]:
    """Measure what a model gets to see.

    Args:
        image: uint8 (height, width, 3) RGB or (height, width, 1) gray, as `prepare` gives it.

    Returns:
        `brightness`: mean gray level, 0 to 255.
        `contrast`: standard deviation of the gray levels.
        `sharpness`: root mean square of the Laplacian, in units of the contrast: it stays when
            light changes, and falls when the lens is out of focus, dirty or wet.
        `saturation`: mean difference of the largest and the smallest channel, 0 to 255 (colour).
        `red`, `blue`: share of a channel in the light, 1/3 in gray (colour).
    """
    is_color = image.shape[2] == 3
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if is_color else image[:, :, 0]
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(gray))
    edges = cv2.Laplacian(gray, cv2.CV_16S)
    energy = cv2.norm(edges, cv2.NORM_L2) / math.sqrt(gray.size)
    found = {
        "brightness": mean,
        "contrast": deviation,
        "sharpness": energy / max(deviation, _LEAST_CONTRAST),
    }
    return {**found, **_measure_color(image)} if is_color else found


def _measure_color(image: Image) -> dict[str, float]:
    red, green, blue = cv2.split(image)
    largest = cv2.max(cv2.max(red, green), blue)
    smallest = cv2.min(cv2.min(red, green), blue)
    light = [cv2.mean(channel)[0] for channel in (red, green, blue)]
    whole = sum(light) + 3 * _LEAST_LIGHT  # in the dark, noise is no colour
    return {
        "saturation": cv2.mean(largest)[0] - cv2.mean(smallest)[0],
        "red": (light[0] + _LEAST_LIGHT) / whole,
        "blue": (light[2] + _LEAST_LIGHT) / whole,
    }
