"""Drift on pictures that others made: silent on those held out, told when something has changed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgecls.classifier import Classifier
from edgecls.contract.card import ModelCard
from edgecls.contract.labels import Labels
from edgecls.contract.learnt import STATISTICS, learn
from edgecls.contract.preprocessing import Preprocessing
from edgecls.drift import DriftWatch, look_of
from edgecls.errors import DatasetError, NotInstalledError
from edgecls.imaging.decode import decode
from edgecls.imaging.opencv import cv2
from edgecls.imaging.prepare import prepare
from edgecls.imaging.statistics import measure_image
from edgecls.pictures import open_pictures
from edgecls.pictures.folder import find_files, read_picture

Frame = npt.NDArray[np.uint8]
SCORE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Pictures of which half were learnt from, and what gives scores for them."""

    card: ModelCard
    frames: list[Frame]
    targets: npt.NDArray[np.int64]
    score: Callable[[Frame], float]

    def watch(self, frames: Iterable[Frame]) -> list[str]:
        """What is told of frames, one a second: `brightness drifting` and the like."""
        found = DriftWatch()
        found.begin(self.card)
        told: list[str] = []
        for second, frame in enumerate(frames):
            image = prepare(frame, self.card.preprocessing)
            values = {**measure_image(image), "score": self.score(frame)}
            events = found.add(values, look_of(image), float(second))
            told += [f"{event.statistic} {event.state}" for event in events]
        return told


def make_case(
    frames: list[Frame],
    targets: npt.NDArray[np.int64],
    preprocessing: Preprocessing,
    score: Callable[[Frame], float] = lambda _: SCORE,
) -> Case:
    half = len(frames) // 2
    images = [prepare(frame, preprocessing) for frame in frames[:half]]
    rows = [
        {**measure_image(image), "score": score(frame)}
        for image, frame in zip(images, frames, strict=False)
    ]
    learnt = {
        name: learn(name, np.array([row[name] for row in rows]), targets[:half])
        for name in STATISTICS
        if name in rows[0]
    }
    card = ModelCard(Labels(("a", "b")), preprocessing, learnt=learnt)
    return Case(card, frames[half:], targets[half:], score)


def built_in(name: str) -> Case:
    try:
        pictures = open_pictures(name)
    except (DatasetError, NotInstalledError) as missing:
        pytest.skip(missing.problem)
    chosen = np.random.default_rng(0).permutation(len(pictures))[:1600]
    frames = [pictures.load_frame(int(index)) for index in chosen]
    return make_case(frames, pictures.targets[chosen], Preprocessing((28, 28), "GRAY"))


@pytest.fixture(scope="module", params=["digits", "fashion-mnist"])
def gray(request: pytest.FixtureRequest) -> Case:
    """Digits and clothes."""
    return built_in(request.param)


@pytest.fixture(scope="module")
def cifar(data_folder: Path) -> Case:
    """CIFAR-10, with the scores of MLPerf Tiny's ResNet-8."""
    with zipfile.ZipFile(data_folder / "cifar10-jpeg.zip") as archive:
        names = sorted(n for n in archive.namelist() if "test/" in n and n.endswith(".jpg"))
        chosen = [names[i] for i in np.random.default_rng(0).permutation(len(names))[:1600]]
        frames = [decode(io.BytesIO(archive.read(name)).getvalue()) for name in chosen]
    labels = sorted({name.split("/")[-2] for name in chosen})
    targets = np.array([labels.index(name.split("/")[-2]) for name in chosen], np.int64)
    model = next((data_folder / "mlperf-tiny").glob("pretrainedResnet_quant.tflite"))
    classifier = Classifier.open(model)
    return make_case(
        frames,
        targets,
        classifier.model.card.preprocessing,
        lambda frame: float(classifier.classify(frame).scores.max()),
    )


@pytest.fixture(scope="module")
def imagenet(data_folder: Path) -> Case:
    """A hundred photos of a hundred classes."""
    files = [path for path in find_files(data_folder / "imagenet-100") if path.suffix != ".csv"]
    frames = [read_picture(path) for path in files]
    return make_case(frames, np.arange(len(frames)), Preprocessing((224, 224)))


def still(frame: Frame) -> list[Frame]:
    """One scene before a noisy sensor."""
    random = np.random.default_rng(2)
    noisy = (frame + random.normal(0, 2, frame.shape) for _ in range(60))
    return [np.clip(values, 0, 255).astype(np.uint8) for values in noisy]


def darker(frame: Frame, light: float) -> Frame:
    return (frame * light).astype(np.uint8)


def blurred(frame: Frame) -> Frame:
    return cv2.GaussianBlur(frame, (0, 0), max(frame.shape[:2]) / 25).astype(np.uint8)


def by_class(case: Case) -> list[Frame]:
    return [case.frames[i] for i in np.argsort(case.targets, kind="stable")]


class TestSilence:
    def test_held_out_digits_and_clothes(self, gray: Case) -> None:
        assert gray.watch(gray.frames) == []

    def test_held_out_digits_and_clothes_one_class_after_the_other(self, gray: Case) -> None:
        assert gray.watch(by_class(gray)) == []

    def test_held_out_cifar(self, cifar: Case) -> None:
        assert cifar.watch(cifar.frames) == []

    def test_held_out_cifar_one_class_after_the_other(self, cifar: Case) -> None:
        assert cifar.watch(by_class(cifar)) == []

    def test_scenes_of_cifar_that_stand_still(self, cifar: Case) -> None:
        assert [cifar.watch(still(frame)) for frame in cifar.frames[:20]] == [[]] * 20

    def test_held_out_photos(self, imagenet: Case) -> None:
        assert imagenet.watch(imagenet.frames) == []


class TestAlarm:
    def test_half_the_light(self, cifar: Case) -> None:
        told = cifar.watch(darker(frame, 0.5) for frame in cifar.frames[:200])
        assert "contrast drifting" in told

    def test_a_ramp_of_light(self, cifar: Case) -> None:
        lights = np.interp(np.arange(500), [100, 350], [1.0, 0.25])
        told = cifar.watch(darker(f, s) for f, s in zip(cifar.frames, lights, strict=False))
        assert told[0] == "brightness drifting"

    def test_blur(self, cifar: Case, gray: Case) -> None:
        for case in (cifar, gray):
            told = case.watch([*case.frames[:100], *map(blurred, case.frames[100:300])])
            assert "sharpness drifting" in told

    def test_another_scene(self, cifar: Case, imagenet: Case) -> None:
        told = cifar.watch([*cifar.frames[:150], *imagenet.frames, *imagenet.frames])
        assert told != []

    def test_a_still_scene_at_night(self, cifar: Case) -> None:
        told = [cifar.watch(still(darker(f, 0.1))) for f in cifar.frames[:10]]
        assert ["brightness drifting" in events for events in told] == [True] * 10
