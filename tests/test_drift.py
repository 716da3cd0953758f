"""Drift: silent for whatever was learnt, told when light, focus, colours or the scene left it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pytest

from edgecls.contract.card import ModelCard
from edgecls.contract.conditions import DriftEvent
from edgecls.contract.labels import Labels
from edgecls.contract.learnt import learn
from edgecls.contract.preprocessing import Preprocessing
from edgecls.drift import DriftSettings, DriftWatch, look_of, measure_drift
from edgecls.errors import InvalidValueError
from edgecls.imaging.opencv import cv2
from edgecls.imaging.statistics import measure_image

Image = npt.NDArray[np.uint8]
SIZE = (48, 48)
SCORE = 0.9
# Four deviations on either side of a normal distribution.
STATED_RATE = 6.4e-5


def picture(seed: int) -> Image:
    """A blot on a gradient: brightness, place, colour and texture drawn by `seed`."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(SIZE)
    light = random.uniform(60, 170)
    gray = light + random.uniform(-0.8, 0.8) * (rows - 24) + random.uniform(-0.8, 0.8) * columns
    y, x = random.uniform(10, 38, 2)
    radius = random.uniform(6, 14)
    gray = np.where((rows - y) ** 2 + (columns - x) ** 2 < radius**2, gray * 0.5, gray)
    colored = gray[:, :, None] * random.uniform(0.85, 1.15, 3)
    return to_bytes(colored + random.normal(0, 4, (*SIZE, 3)))


def to_bytes(values: npt.NDArray[np.floating]) -> Image:  # type: ignore[type-arg]
    return np.clip(values, 0, 255).astype(np.uint8)


def darker(image: Image, light: float) -> Image:
    return to_bytes(image * light)


def blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 2.5).astype(np.uint8)


def striped(image: Image) -> Image:
    """Another scene: a fence before everything."""
    rows = np.indices(SIZE)[1]
    return to_bytes(np.where((rows // 3 % 2)[:, :, None], image, 230))


def yellow(image: Image) -> Image:
    return to_bytes(image * np.array([1.25, 1.0, 0.45]))


HELD_OUT = [picture(seed) for seed in range(400)]
TARGETS = np.arange(400) % 4


def make_card(size: tuple[int, int] = SIZE) -> ModelCard:
    rows = [{**measure_image(image), "score": SCORE} for image in HELD_OUT]
    learnt = {name: learn(name, np.array([row[name] for row in rows]), TARGETS) for name in rows[0]}
    return ModelCard(Labels(("a", "b", "c", "d")), Preprocessing(size), learnt=learnt)


CARD = make_card()


def watch(
    images: Iterable[Image], score: Callable[[int], float] = lambda _: SCORE
) -> list[DriftEvent]:
    """What is told of images, one a second."""
    found = DriftWatch()
    found.begin(CARD)
    events: list[DriftEvent] = []
    for second, image in enumerate(images):
        values = {**measure_image(image), "score": score(second)}
        events += found.add(values, look_of(image), float(second))
    return events


def still(image: Image, seconds: int = 100) -> list[Image]:
    """One scene before a noisy sensor."""
    random = np.random.default_rng(5)
    return [to_bytes(image + random.normal(0, 2, image.shape)) for _ in range(seconds)]


def others(count: int, change: Callable[[Image], Image] = lambda image: image) -> list[Image]:
    """Pictures of the same kind that were not among the held-out ones."""
    return [change(picture(1000 + seed)) for seed in range(count)]


def test_pictures_like_those_held_out_are_no_drift() -> None:
    assert watch(others(1000)) == []


def test_the_held_out_pictures_sorted_by_brightness_are_no_drift_where_the_window_spans_them() -> (
    None
):
    assert watch(sorted(HELD_OUT[:120], key=lambda image: float(image.mean()))) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_scene_that_stands_still_is_no_drift(seed: int) -> None:
    assert watch(still(picture(2000 + seed))) == []


def test_light_that_wanders_within_what_was_learnt_is_no_drift() -> None:
    scene = picture(7)
    lights = 1.0 + 0.35 * np.sin(np.arange(600) / 60)
    assert watch(darker(scene, light) for light in lights) == []


@pytest.mark.parametrize(
    ("change", "statistic"),
    [
        pytest.param(lambda image: darker(image, 0.3), "brightness", id="a third of the light"),
        pytest.param(blurred, "sharpness", id="a lens out of focus"),
        pytest.param(striped, "contrast", id="another scene"),
        pytest.param(yellow, "blue", id="a yellow lamp"),
    ],
)
def test_a_change_is_told_with_the_statistic_that_says_so(
    change: Callable[[Image], Image], statistic: str
) -> None:
    events = watch([*others(150), *others(150, change)])
    told = [event for event in events if event.statistic == statistic]
    assert [event.state for event in told] == ["drifting"]
    # Not before it began, and before the window has passed.
    assert 150 < told[0].time < 150 + DriftSettings().window


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: darker(image, 0.15), id="nearly dark"),
        pytest.param(blurred, id="a lens out of focus"),
    ],
)
def test_a_scene_that_stands_still_is_told_when_no_picture_was_like_it(
    change: Callable[[Image], Image],
) -> None:
    assert {event.state for event in watch(still(change(picture(3))))} == {"drifting"}


def test_a_ramp_of_light_is_told_on_its_way_down_and_again_when_it_is_back() -> None:
    lights = np.interp(np.arange(900), [100, 300, 500, 700], [1.0, 0.2, 0.2, 1.0])
    scenes = others(900)
    events = watch(darker(scene, light) for scene, light in zip(scenes, lights, strict=True))
    told = [event for event in events if event.statistic == "brightness"]
    assert [event.state for event in told] == ["drifting", "back"]
    assert 100 < told[0].time < 400
    assert 500 < told[1].time < 900


def test_a_hand_before_the_lens_is_no_drift() -> None:
    hand = [np.full((*SIZE, 3), 15, np.uint8)] * 25
    assert watch([*others(150), *hand, *others(150)]) == []


def test_scores_that_fall_are_told() -> None:
    events = watch(others(300), lambda second: 0.9 if second < 150 else 0.45)
    assert {event.statistic for event in events} == {"score"}


def test_the_event_says_what_was_seen_and_what_was_learnt() -> None:
    event = watch([*others(150), *others(150, blurred)])[0]
    assert event.seen < event.low < event.median < event.high
    assert event.to_json()["learnt"] == {
        "median": round(event.median, 4),
        "low": round(event.low, 4),
        "high": round(event.high, 4),
    }


def test_a_card_without_statistics_is_silent() -> None:
    found = DriftWatch()
    found.begin(dataclasses.replace(CARD, learnt={}))
    image = blurred(picture(0))
    for second in range(200):
        assert not found.add({**measure_image(image), "score": 0.1}, look_of(image), float(second))


def test_another_model_begins_anew() -> None:
    found = DriftWatch()
    found.begin(CARD)
    for second, image in enumerate(still(blurred(picture(3)))):
        found.add({**measure_image(image), "score": SCORE}, look_of(image), float(second))
    assert "sharpness" in found.drifting
    found.begin(CARD)
    assert found.drifting == ()


def test_a_model_of_gray_images_has_no_opinion_about_colours() -> None:
    gray = dataclasses.replace(CARD, preprocessing=Preprocessing(SIZE, "GRAY"))
    found = DriftWatch()
    found.begin(gray)
    image = picture(0)[:, :, :1]
    for second in range(50):
        found.add({**measure_image(image), "score": SCORE}, look_of(image), float(second))
    assert found.drifting == ()


@pytest.mark.parametrize(
    "scenes",
    [
        pytest.param(1, id="one scene"),
        pytest.param(2, id="two scenes in turn"),
        pytest.param(10, id="ten scenes"),
        pytest.param(120, id="no scene twice"),
    ],
)
def test_false_alarms_are_no_more_often_than_stated(scenes: int) -> None:
    random = np.random.default_rng(scenes)
    learnt = learn("score", random.normal(size=4000), np.arange(4000) % 3)
    members = np.eye(scenes)[np.arange(120) % scenes]
    windows = 4000
    distances = np.empty(windows)
    for window in range(windows):
        values = (random.normal(size=scenes) @ members.T).astype(np.float64)
        distances[window] = measure_drift("score", learnt, values, members)
    # At the stated rate 4,000 windows have one with a probability of a quarter, and three never.
    assert int((np.abs(distances) >= DriftSettings().alarm).sum()) <= 2
    assert STATED_RATE * windows < 1
    assert float((np.abs(distances) >= 2.0).mean()) < 0.06


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="makes no sense"):
        DriftSettings(alarm=1.0, back=2.0)
