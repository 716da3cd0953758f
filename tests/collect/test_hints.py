"""What the pictures lack: how they look, and what is said of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecls.collect.hints import Share, find_hints
from edgecls.collect.look import Look, count_alike, least_sharp, look_at
from tests.support.frames import scene

GOOD = [look_at(scene(number, (240, 320))) for number in range(20)]


def share(label: str, count: int = 100, moments: int = 50, **more: object) -> Share:
    return Share(label, count, moments, **more)  # type: ignore[arg-type]


def kinds(*shares: Share) -> list[tuple[str, str]]:
    return [(hint.kind, hint.label) for hint in find_hints(shares)]


class TestLooks:
    @pytest.mark.parametrize(
        ("gray", "is_dark", "is_glaring"),
        [
            pytest.param(0, True, False, id="black"),
            pytest.param(39, True, False, id="nearly black"),
            pytest.param(41, False, False, id="dim"),
            pytest.param(128, False, False, id="gray"),
            pytest.param(255, False, True, id="white"),
        ],
    )
    def test_how_bright_a_picture_is(self, gray: int, is_dark: bool, is_glaring: bool) -> None:
        look = look_at(np.full((48, 64, 3), gray, np.uint8))
        assert (look.brightness, look.is_dark, look.is_glaring) == (gray, is_dark, is_glaring)

    def test_a_blurred_picture_is_less_sharp(self) -> None:
        sharp = scene(1, (240, 320))
        blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 8), np.uint8)
        assert look_at(blurred).sharpness < 0.2 * look_at(sharp).sharpness
        assert look_at(blurred).sharpness < least_sharp(GOOD) <= look_at(sharp).sharpness

    def test_of_few_pictures_nothing_is_usual(self) -> None:
        assert least_sharp(GOOD[:7]) == 0.0

    def test_the_second_of_two_equal_ones_is_alike(self) -> None:
        assert count_alike([GOOD[0], GOOD[1], GOOD[0], GOOD[1], GOOD[2]]) == 2

    def test_noise_and_light_make_no_other_picture(self) -> None:
        noise = np.random.default_rng(0).integers(-10, 10, (240, 320, 3))
        lighter = np.clip(scene(3, (240, 320)) // 2 + 60 + noise, 0, 255).astype(np.uint8)
        darker = scene(3, (240, 320)) // 2 + 50
        assert count_alike([look_at(lighter), look_at(darker.astype(np.uint8))]) == 1


class TestHints:
    def test_of_good_pictures_there_is_nothing_to_say(self) -> None:
        assert kinds(share("cat", looks=GOOD), share("dog", looks=GOOD)) == []

    def test_one_label_is_none(self) -> None:
        assert kinds(share("cat")) == [("one-label", "")]
        assert kinds() == [("one-label", "")]

    def test_too_few_are_said_of_all_labels_at_once(self) -> None:
        hints = find_hints([share("cat", 19), share("dog", 20), share("bird", 4)])
        assert [hint.text for hint in hints] == [
            "Too few: cat 19, bird 4. 20 of each are a start, 100 are better."
        ]

    @pytest.mark.parametrize(
        ("count", "is_said"),
        [
            pytest.param(100, False, id="five times as many are fine"),
            pytest.param(101, True, id="more are too many"),
        ],
    )
    def test_one_label_dominates(self, count: int, is_said: bool) -> None:
        found = kinds(share("cat", count), share("dog", 20))
        assert (("dominates", "cat") in found) == is_said

    def test_a_few_more_at_the_beginning_are_no_matter(self) -> None:
        assert "dominates" not in dict(kinds(share("cat", 19), share("dog", 0, 0)))

    @pytest.mark.parametrize(
        ("moments", "is_said"),
        [pytest.param(2, True, id="two"), pytest.param(3, False, id="three are just enough")],
    )
    def test_training_needs_different_moments(self, moments: int, is_said: bool) -> None:
        found = kinds(share("cat", 50, moments), share("dog"))
        assert (("few-moments", "cat") in found) == is_said

    def test_pictures_of_one_scene_are_too_alike(self) -> None:
        looks = [*GOOD[:10], *[GOOD[0]] * 5]
        assert ("too-alike", "cat") in kinds(share("cat", looks=looks), share("dog", looks=GOOD))
        assert kinds(share("cat", looks=looks[:-1]), share("dog", looks=GOOD)) == []

    @pytest.mark.parametrize(
        ("kind", "brightness", "sharpness"),
        [
            pytest.param("dark", 10.0, GOOD[0].sharpness, id="dark"),
            pytest.param("glaring", 250.0, GOOD[0].sharpness, id="white"),
            pytest.param("blurred", 100.0, 0.0, id="not sharp"),
        ],
    )
    def test_poor_pictures(self, kind: str, brightness: float, sharpness: float) -> None:
        poor = [Look(look.cells, brightness, sharpness) for look in GOOD[:5]]
        found = kinds(share("cat", looks=poor), share("dog", looks=GOOD))
        assert found == [(kind, "cat")]

    def test_what_cannot_be_read(self) -> None:
        hints = find_hints([share("cat", unreadable=1), share("dog")])
        assert [hint.text for hint in hints] == ["cat: 1 picture cannot be read. Delete them."]
